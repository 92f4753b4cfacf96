//! The policies that are included in the crate. Each is a separate document in `presets/` without endpoints; an app appends its own.

use super::error::PolicyError;
use super::node::Format;
use super::policy::Policy;

/// A policy that is included in the crate.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Preset {
    /// Nothing ever leaves the device.
    Private,
    /// Answers on the device whenever possible, and elsewhere only if it is not.
    OnDeviceFirst,
    /// Wherever the answers were best so far, as long as nothing in the text is recognised as private.
    Balanced,
    /// The endpoints first, with what is recognised as private replaced.
    QualityFirst,
}

impl Preset {
    /// Every preset, strictest first.
    pub const ALL: [Preset; 4] = [
        Preset::Private,
        Preset::OnDeviceFirst,
        Preset::Balanced,
        Preset::QualityFirst,
    ];

    /// Its name: `on_device_first`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Preset::Private => "private",
            Preset::OnDeviceFirst => "on_device_first",
            Preset::Balanced => "balanced",
            Preset::QualityFirst => "quality_first",
        }
    }

    /// The preset with this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Preset> {
        Preset::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// The preset's document in TOML. Append `[[endpoints]]` tables to let it use those endpoints.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Preset::Private => include_str!("../../presets/private.toml"),
            Preset::OnDeviceFirst => include_str!("../../presets/on_device_first.toml"),
            Preset::Balanced => include_str!("../../presets/balanced.toml"),
            Preset::QualityFirst => include_str!("../../presets/quality_first.toml"),
        }
    }

    /// The preset with these endpoints: TOML text with `[[endpoints]]` tables, or an empty text.
    ///
    /// # Errors
    /// What is wrong with the endpoints. Line numbers count from the beginning of the preset.
    pub fn policy(self, endpoints: &str) -> Result<Policy, PolicyError> {
        Policy::parse(&format!("{}\n{endpoints}", self.text()), Format::Toml)
    }
}
