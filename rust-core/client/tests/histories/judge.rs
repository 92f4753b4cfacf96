//! The judge: for each question, who may ever read it and its answer, by the rules and the state in which it was asked.

use std::collections::BTreeSet;

use whimbrel_client::policy::Network;
use whimbrel_client::privacy::{FindingKind, PrivacyClass, Release};
use whimbrel_testing::Random;

use crate::places::{ANSWER_MARK, Sent};
use crate::rules::{Rules, TASKS};

/// What was planted, and what it is.
pub(crate) type Secret = (FindingKind, String);

/// Who may read a question and its answer: addresses and forms.
#[derive(Clone, Debug)]
pub(crate) struct Permission {
    task: usize,
    class: PrivacyClass,
    kinds: Vec<FindingKind>,
    readers: BTreeSet<(String, bool)>,
}

impl Permission {
    pub(crate) fn nobody() -> Permission {
        Permission {
            task: 0,
            class: PrivacyClass::Public,
            kinds: Vec::new(),
            readers: BTreeSet::new(),
        }
    }

    pub(crate) fn new(
        rules: &Rules,
        network: Option<Network>,
        task: &str,
        class: PrivacyClass,
        secrets: &[Secret],
    ) -> Permission {
        let kinds: Vec<_> = secrets.iter().map(|(kind, _)| *kind).collect();
        let found = kinds.iter().map(|kind| kind.class()).max().unwrap_or_default();
        let mut permission = Permission {
            task: TASKS.iter().position(|known| *known == task).unwrap(),
            class: class.max(found),
            kinds,
            readers: BTreeSet::new(),
        };
        permission.decide(rules, network);
        permission
    }

    /// Reads the rules as a person would.
    fn decide(&mut self, rules: &Rules, network: Option<Network>) {
        self.readers.clear();
        let stays = rules.stays_from.is_some_and(|from| self.class >= from)
            || rules.kind_stays.is_some_and(|kind| self.kinds.contains(&kind))
            || (rules.roaming_stays && matches!(network, None | Some(Network::Roaming)))
            || rules.task_stays == Some(self.task);
        if stays {
            return;
        }
        for (index, release) in &rules.listed[self.task] {
            let endpoint = &rules.endpoints[*index];
            let class_max = match release {
                Release::AsIs => endpoint.class_max,
                Release::Redacted => endpoint.class_max_redacted,
            };
            if self.class <= class_max {
                let is_as_is = *release == Release::AsIs;
                self.readers.insert((endpoint.url.clone(), is_as_is));
                // Who may read it as it is may read it redacted.
                self.readers.insert((endpoint.url.clone(), false));
            }
        }
    }
}

/// A question with its answer, or the form that an answer had to have.
struct Asked {
    marker: String,
    permission: Permission,
    secrets: Vec<Secret>,
}

/// Everything that was asked in a conversation.
#[derive(Default)]
pub(crate) struct Judge {
    asked: Vec<Asked>,
    /// How many of the last entries belong to the last question: it and its form.
    last: usize,
    /// What happened so far, to be shown with a failure.
    steps: Vec<String>,
}

impl Judge {
    /// Notes what happens, to be shown with a failure.
    pub(crate) fn note(&mut self, step: String) {
        self.steps.push(step);
    }

    /// Begins the next question.
    pub(crate) fn next(&mut self) {
        self.last = 0;
    }

    /// Notes a question or its form; the result is a word that stands in it and nowhere else.
    pub(crate) fn asked(&mut self, random: &mut Random, permission: Permission, secrets: Vec<Secret>) -> String {
        let marker = format!("mark{}", random.letters(12));
        self.asked.push(Asked {
            marker: marker.clone(),
            permission,
            secrets,
        });
        self.last += 1;
        marker
    }

    /// The last question is decided again. What an earlier decision kept it from may read it now, if this one allows it. Returns the earlier ones of
    /// it and its form.
    pub(crate) fn asked_again(&mut self, rules: &Rules, network: Option<Network>) -> Vec<Permission> {
        let decided = self.last().iter_mut().map(|asked| {
            let before = asked.permission.clone();
            asked.permission.decide(rules, network);
            before
        });
        decided.collect()
    }

    /// What an earlier decision denied the last question stays denied as well.
    pub(crate) fn tighten(&mut self, before: Vec<Permission>) {
        for (asked, before) in self.last().iter_mut().zip(before) {
            asked
                .permission
                .readers
                .retain(|reader| before.readers.contains(reader));
        }
    }

    fn last(&mut self) -> &mut [Asked] {
        let first = self.asked.len() - self.last;
        &mut self.asked[first..]
    }

    /// The app says that everything so far is this private.
    pub(crate) fn raise(&mut self, class: PrivacyClass) {
        for asked in &mut self.asked {
            asked.permission.class = asked.permission.class.max(class);
        }
    }

    /// Every question and answer in a text that left may be read where it went.
    pub(crate) fn check(&self, sent: &Sent) {
        assert!(sent.had_receipt, "something left before its receipt was written");
        let url = &sent.url;
        let is_as_is = sent.release == Release::AsIs;
        for asked in &self.asked {
            if sent.text.contains(&asked.marker) {
                assert!(
                    asked.permission.readers.contains(&(url.clone(), is_as_is)),
                    "a question or its answer left for {url} ({:?}): {:?} after {:#?}",
                    sent.release,
                    asked.permission,
                    self.steps
                );
                assert!(
                    asked.permission.class <= sent.class_max,
                    "a question or its answer of {:?} left for a place of {:?} after {:#?}",
                    asked.permission,
                    sent.class_max,
                    self.steps
                );
            }
            if sent.release == Release::Redacted {
                for (kind, secret) in &asked.secrets {
                    let left = halves(secret).into_iter().find(|half| sent.text.contains(half));
                    assert!(
                        left.is_none(),
                        "{left:?} of a {kind:?} left in redacted text: {secret:?}"
                    );
                }
            }
        }
    }

    /// Nothing of any question or answer stands in a text.
    pub(crate) fn check_text(&self, what: &str, text: &str) {
        check_log(text);
        for (_, secret) in self.asked.iter().flat_map(|asked| &asked.secrets) {
            assert!(!text.contains(secret.as_str()), "a secret in {what}");
        }
    }
}

/// What must not be left of a secret, of which something may be hidden and something forgotten.
fn halves(secret: &str) -> [&str; 2] {
    let middle = secret.char_indices().nth(secret.chars().count() / 2);
    let (first, second) = secret.split_at(middle.map_or(0, |(at, _)| at));
    [first, second]
}

/// No question and no answer stands in what was logged.
pub(crate) fn check_log(text: &str) {
    for part in ["mark", ANSWER_MARK, "Please look", "ghp_", ".example"] {
        let found = text.match_indices(part).find(|(at, _)| {
            // Words of our own that begin like a marker.
            part != "mark" || text[at + 4..].chars().take(12).filter(char::is_ascii_lowercase).count() == 12
        });
        assert!(found.is_none(), "{part} was written down");
    }
}
