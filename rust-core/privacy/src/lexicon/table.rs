//! Tables of words: the format of the files in `data` that define the meaning of words, and the lookup. The owner of each table
//! defines its meanings.

/// A set of roles that a word may have. Each table has its own.
pub(crate) type Roles = u32;

/// Longer words, in bytes of UTF-8, have no role.
pub(crate) const WORD_BYTES_MAX: usize = 40;

/// A line `LANGUAGE ROLE: WORD …`. The language is mostly for people.
pub(crate) struct Line {
    pub(crate) language: &'static str,
    pub(crate) role: &'static str,
    pub(crate) words: std::str::SplitWhitespace<'static>,
}

/// The lines of a file. Empty lines and lines that begin with `#` are none.
pub(crate) fn lines(text: &'static str) -> impl Iterator<Item = Line> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let (language, rest) = line.split_once(' ').expect("a test reads every line");
        let (role, words) = rest.split_once(": ").expect("a test reads every line");
        Line {
            language,
            role,
            words: words.split_whitespace(),
        }
    })
}

/// Words with their roles. It keeps the words' hashes only: in 64 bits no two of some hundred thousand words meet, and a word that is
/// in no table has another hash than all of them but once in some 10^14 times.
pub(crate) struct WordTable {
    /// Open addressing with steps of one; a power of two of slots, at most four fifths of them taken. No role marks a free one.
    slots: Vec<(u64, Roles)>,
    count: usize,
}

impl WordTable {
    /// An empty table with room for `count` words.
    pub(crate) fn with_capacity(count: usize) -> WordTable {
        WordTable {
            slots: vec![(0, 0); (count * 5 / 4).next_power_of_two().max(64)],
            count: 0,
        }
    }

    /// The words of a file of [`lines`], whose roles have these names.
    pub(crate) fn of(text: &'static str, roles: &[(&str, Roles)]) -> WordTable {
        let mut table = WordTable::with_capacity(0);
        table.add_lines(text, roles);
        table
    }

    pub(crate) fn add_lines(&mut self, text: &'static str, roles: &[(&str, Roles)]) {
        for line in lines(text) {
            let named = roles.iter().find(|(name, _)| *name == line.role);
            let (_, role) = named.expect("a test reads every line");
            self.add(line.words, *role);
        }
    }

    pub(crate) fn add(&mut self, words: std::str::SplitWhitespace<'static>, role: Roles) {
        for word in words {
            self.insert(hash(word.as_bytes()), role);
        }
    }

    fn insert(&mut self, hash: u64, roles: Roles) {
        if (self.count + 1) * 5 > self.slots.len() * 4 {
            let twice = vec![(0, 0); self.slots.len() * 2];
            self.count = 0;
            for (hash, roles) in std::mem::replace(&mut self.slots, twice) {
                if roles != 0 {
                    self.insert(hash, roles);
                }
            }
        }
        let at = self.slot(hash);
        self.count += usize::from(self.slots[at].1 == 0);
        self.slots[at] = (hash, self.slots[at].1 | roles);
    }

    /// Where `hash` is, or where it belongs.
    fn slot(&self, hash: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at].1 != 0 && self.slots[at].0 != hash {
            at = (at + 1) & mask;
        }
        at
    }

    /// The roles of `word`, whatever its case and its accents.
    pub(crate) fn roles(&self, word: &str) -> Roles {
        let mut folded = [0; WORD_BYTES_MAX];
        with_folded(word, &mut folded).map_or(0, |word| self.roles_of(word))
    }

    /// The roles of `word` in just these letters.
    pub(crate) fn roles_as_written(&self, word: &str) -> Roles {
        self.roles_of(word.as_bytes())
    }

    fn roles_of(&self, word: &[u8]) -> Roles {
        self.slots[self.slot(hash(word))].1
    }
}

/// The words that have `role` in a file of [`lines`], for roles that are endings.
pub(crate) fn words_of(text: &'static str, role: &'static str) -> Vec<&'static str> {
    let mut words: Vec<&str> = lines(text)
        .filter(|line| line.role == role)
        .flat_map(|line| line.words)
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// FNV-1a: words are short, and nobody who could choose the tables' words would gain by collisions.
fn hash(word: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for &byte in word {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^ (hash >> 29)
}

fn with_folded<'b>(word: &str, buffer: &'b mut [u8; WORD_BYTES_MAX]) -> Option<&'b [u8]> {
    let mut length = 0;
    if word.is_ascii() {
        for (place, byte) in buffer.get_mut(..word.len())?.iter_mut().zip(word.bytes()) {
            *place = byte.to_ascii_lowercase();
        }
        return Some(&buffer[..word.len()]);
    }
    for folded in word.chars().flat_map(crate::letters::folded) {
        let end = length + folded.len_utf8();
        folded.encode_utf8(buffer.get_mut(length..end)?);
        length = end;
    }
    Some(&buffer[..length])
}

#[cfg(test)]
pub(crate) mod test {
    use std::collections::BTreeSet;

    use super::*;

    /// Codes of ISO 639 that the files use.
    const LANGUAGES: &[&str] = &[
        "af", "am", "ar", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "gl", "he",
        "hi", "hr", "hu", "hy", "id", "is", "it", "ja", "ka", "kk", "ko", "lt", "lv", "mk", "ms", "mul", "nl", "no",
        "pl", "pt", "ro", "ru", "sk", "sl", "sq", "sr", "sv", "sw", "ta", "th", "tl", "tr", "uk", "ur", "uz", "vi",
        "zh",
    ];

    /// Checks every line of a file: its language and its role are known, no word is twice in a language's role, `table` finds each
    /// word under the role, which it does only when the word is folded or the role is in `as_written`, and every role has a word.
    pub(crate) fn check(text: &'static str, table: &WordTable, roles: &[(&str, Roles)], as_written: Roles) {
        let (mut seen, mut used, mut last) = (BTreeSet::new(), 0, 0);
        for (_, role) in roles {
            assert!(
                role.is_power_of_two() && *role > last,
                "role {role:#x} is not a bit of its own, in order"
            );
            last = *role;
        }
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            assert_eq!(lines(line).count(), 1, "{line}");
            let language = line.split(' ').next().unwrap();
            let Line { role, words, .. } = lines(line).next().unwrap();
            assert!(LANGUAGES.contains(&language), "{line}");
            let bit = roles.iter().find(|(name, _)| *name == role);
            let (_, bit) = bit.unwrap_or_else(|| panic!("unknown role: {line}"));
            used |= bit;
            assert_eq!(
                line,
                format!("{language} {role}: {}", words.clone().collect::<Vec<_>>().join(" "))
            );
            assert!(words.clone().count() > 0 && line.chars().count() <= 132, "{line}");
            for word in words {
                assert!(seen.insert((language, role, word)), "{word} is twice: {line}");
                let found = if as_written & bit == 0 {
                    table.roles(word)
                } else {
                    table.roles_as_written(word)
                };
                assert!(found & bit != 0, "{word} is never found: {line}");
                let is_letter = |character: char| character.is_alphabetic() || crate::normal::is_unspaced(character);
                assert!(
                    word.len() <= WORD_BYTES_MAX && word.chars().all(is_letter),
                    "{word}: {line}"
                );
            }
        }
        for (name, bit) in roles {
            assert!(used & bit != 0, "no word is {name}");
        }
    }
}
