//! `/set`: how the next answers are made.

use std::str::FromStr;

use whimbrel_client::GenerationOptions;

use crate::arguments::generation::{THINKING, thinking};
use crate::error::CliError;

/// What `/set` takes, as the flags are called.
pub(super) const NAMES: [&str; 9] = [
    "temperature",
    "top-k",
    "top-p",
    "min-p",
    "repetition-penalty",
    "repetition-window",
    "seed",
    "max-tokens",
    "thinking",
];

/// A line a value.
pub(super) fn lines(options: &GenerationOptions) -> Vec<String> {
    let sampling = &options.sampling;
    let values = [
        shown(sampling.temperature),
        shown(sampling.top_k),
        shown(sampling.top_p),
        shown(sampling.min_p),
        shown(sampling.repetition_penalty),
        shown(sampling.repetition_window),
        shown(sampling.seed),
        options.max_tokens.to_string(),
        shown(options.thinking.map(|thinking| if thinking { "on" } else { "off" })),
    ];
    let rows = NAMES.iter().zip(values);
    rows.map(|(name, value)| format!("{name:<20}{value}")).collect()
}

fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "the model's own".to_owned(), |value| value.to_string())
}

/// The options with one of them changed.
///
/// # Errors
/// [`CliError::Usage`] for another name or no number, [`CliError::Engine`] for a value out of its range; nothing is changed then.
pub(super) fn changed(options: &GenerationOptions, name: &str, value: &str) -> Result<GenerationOptions, CliError> {
    let mut options = options.clone();
    let sampling = &mut options.sampling;
    match name {
        "temperature" => sampling.temperature = Some(number(name, value)?),
        "top-k" => sampling.top_k = Some(number(name, value)?),
        "top-p" => sampling.top_p = Some(number(name, value)?),
        "min-p" => sampling.min_p = Some(number(name, value)?),
        "repetition-penalty" => sampling.repetition_penalty = Some(number(name, value)?),
        "repetition-window" => sampling.repetition_window = Some(number(name, value)?),
        "seed" => sampling.seed = Some(number(name, value)?),
        "max-tokens" => match number(name, value)? {
            0 => return Err(CliError::usage("max-tokens must be at least 1", "/set max-tokens 512")),
            tokens => options.max_tokens = tokens,
        },
        "thinking" if THINKING.contains(&value) => options.thinking = thinking(value),
        "thinking" => {
            return Err(CliError::usage(
                format!("thinking must be on, off or default, not {value:?}"),
                "/set thinking off",
            ));
        }
        _ => {
            return Err(CliError::usage(
                format!("/set does not know {name:?}"),
                format!("it takes {}", NAMES.join(", ")),
            ));
        }
    }
    options.sampling.validate()?;
    Ok(options)
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, CliError> {
    let refused = |_| {
        CliError::usage(
            format!("{name}: {value:?} is not a valid number"),
            "/set lists the current values",
        )
    };
    value.parse().map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_can_be_set_and_is_shown() {
        let options = GenerationOptions::default();
        for name in NAMES {
            let value = if name == "thinking" { "off" } else { "1" };
            let changed = changed(&options, name, value).expect(name);
            let shown = lines(&changed);
            let line = shown.iter().find(|line| line.starts_with(name)).expect(name);
            assert!(line.ends_with(&format!(" {value}")), "{line}");
        }
        let on = changed(&options, "thinking", "on").expect("a value");
        assert_eq!(on.thinking, Some(true));
        assert_eq!(changed(&on, "thinking", "default").expect("a value"), options);
    }

    #[test]
    fn what_cannot_be_set_is_refused_by_name() {
        let check = |name: &str, value: &str, expected: &str| {
            let error = changed(&GenerationOptions::default(), name, value).expect_err(name);
            assert!(error.to_string().contains(expected), "{error}");
        };
        check("warmth", "1", "/set does not know \"warmth\"");
        check("seed", "-1", "seed: \"-1\" is not a valid number");
        check("top-p", "high", "top-p: \"high\" is not a valid number");
        check("top-p", "2", "top_p must be");
        check("temperature", "NaN", "temperature must be");
        check("max-tokens", "0", "max-tokens must be at least 1");
        check("thinking", "1", "thinking must be on, off or default");
    }
}
