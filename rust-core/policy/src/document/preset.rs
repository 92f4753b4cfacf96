//! The policies that come with the crate. Each is a document of its own, in `presets/`, and has no endpoints: an app adds its own behind it.

use super::error::PolicyError;
use super::node::Format;
use super::policy::Policy;

/// A policy that comes with the crate.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Preset {
    /// Nothing ever leaves the device.
    Private,
    /// On the device whenever it can be done there, and elsewhere only when it cannot.
    OnDeviceFirst,
    /// Wherever the answers were best so far, as long as nothing in the text is recognised as private.
    Balanced,
    /// The endpoints first, with what is recognised as private replaced.
    QualityFirst,
}

impl Preset {
    /// Every preset, the strictest first.
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

    /// The preset of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Preset> {
        Preset::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// Its document, TOML. Tables of `[[endpoints]]` put behind it make it a policy that can reach them.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Preset::Private => include_str!("../../presets/private.toml"),
            Preset::OnDeviceFirst => include_str!("../../presets/on_device_first.toml"),
            Preset::Balanced => include_str!("../../presets/balanced.toml"),
            Preset::QualityFirst => include_str!("../../presets/quality_first.toml"),
        }
    }

    /// The preset with these endpoints: TOML text of `[[endpoints]]` tables, perhaps empty.
    ///
    /// # Errors
    /// What is wrong with the endpoints; lines are counted from the beginning of the preset.
    pub fn policy(self, endpoints: &str) -> Result<Policy, PolicyError> {
        Policy::parse(&format!("{}\n{endpoints}", self.text()), Format::Toml)
    }
}
