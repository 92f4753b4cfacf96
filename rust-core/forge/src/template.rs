//! The chat template of a bundle: the file's own, another one where the engine cannot use that, or the one that the caller gives.

use std::fmt;

use whimbrel_engine::{ChatTemplate, EngineError};

use crate::{ForgeError, Vocabulary};

/// The beginning and the end of a turn in ChatML, as tokens.
const CHATML_TOKENS: [&str; 2] = ["<|im_start|>", "<|im_end|>"];
/// ChatML, for files whose own template cannot be used.
const CHATML: &str = "{#- Written by the import: the file's own template cannot be used. -#}
{% for message in messages -%}
{{ '<|im_start|>' ~ message.role ~ '\\n' ~ message.content ~ '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif -%}
";

/// Which chat template a bundle gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TemplateChoice {
    /// The file's own, or a substitute if the engine cannot use that.
    #[default]
    Own,
    /// None: the model continues texts, and holds no conversation.
    None,
    /// This Jinja text.
    Given(String),
}

/// What a person should know of a bundle that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The file's chat template cannot be used.
    Template {
        /// What is wrong with it, and where.
        reason: String,
        /// What the bundle has instead.
        fallback: TemplateFallback,
    },
    /// The chat template has no place for a system message: its text is put in front of the first question.
    NoSystemRole,
}

/// The substitute for a chat template that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateFallback {
    /// ChatML, whose tokens the vocabulary has.
    ChatMl,
    /// No template: the model continues texts, and holds no conversation.
    None,
}

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Template { reason, fallback } => {
                let instead = match fallback {
                    TemplateFallback::ChatMl => "the bundle uses ChatML instead",
                    TemplateFallback::None => "the bundle has none, so the model continues texts and cannot chat",
                };
                write!(
                    formatter,
                    "the file's chat template cannot be used ({reason}); {instead}"
                )
            }
            Notice::NoSystemRole => formatter.write_str(
                "the chat template has no place for a system message; its text is put in front of the first question",
            ),
        }
    }
}

/// The template that the bundle gets. It is tried before anything is written.
///
/// # Errors
/// [`ForgeError::Engine`] if the template that the caller gives cannot be used.
pub(crate) fn of(
    vocabulary: &Vocabulary,
    choice: &TemplateChoice,
    notice: &mut dyn FnMut(Notice),
) -> Result<Option<String>, ForgeError> {
    let own = match choice {
        TemplateChoice::None => return Ok(None),
        TemplateChoice::Given(given) => {
            notice_system(&tried(given)?, notice);
            return Ok(Some(given.clone()));
        }
        TemplateChoice::Own => vocabulary.chat_template.as_ref(),
    };
    let Some(own) = own else { return Ok(None) };
    match tried(own) {
        Ok(template) => {
            notice_system(&template, notice);
            Ok(Some(own.clone()))
        }
        Err(error) => {
            let has_token = |text: &&str| vocabulary.parts.tokens.iter().any(|token| token == text.as_bytes());
            let fallback = match CHATML_TOKENS.iter().all(has_token) {
                true => TemplateFallback::ChatMl,
                false => TemplateFallback::None,
            };
            let reason = error.to_string().trim_start_matches("chat template: ").to_owned();
            notice(Notice::Template { reason, fallback });
            Ok((fallback == TemplateFallback::ChatMl).then(|| CHATML.to_owned()))
        }
    }
}

/// The template, if it can begin a conversation.
fn tried(source: &str) -> Result<ChatTemplate, EngineError> {
    let template = ChatTemplate::new(source)?;
    template.try_out()?;
    Ok(template)
}

fn notice_system(template: &ChatTemplate, notice: &mut dyn FnMut(Notice)) {
    if !template.takes_system() {
        notice(Notice::NoSystemRole);
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_engine::{Message, RenderOptions, Role};

    use super::*;

    #[test]
    fn the_fallback_is_chatml() {
        let template = tried(CHATML).expect("the fallback can be used");
        assert!(template.takes_system());
        let message = |role, content: &str| Message {
            role,
            content: content.to_owned(),
        };
        let messages = [message(Role::System, "Be brief."), message(Role::User, "Hi")];
        let options = RenderOptions {
            add_generation_prompt: true,
            ..RenderOptions::default()
        };
        assert_eq!(
            template.render(&messages, &options).expect("the fallback renders"),
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        );
    }
}
