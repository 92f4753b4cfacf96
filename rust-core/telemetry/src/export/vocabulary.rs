//! What the app's developer gives for an export: who exports, and which names may be in it.

use std::collections::BTreeSet;
use std::fmt;

use whimbrel_record::{DeviceClass, Label};

use crate::export::attributes::Attribute;
use crate::export::messages;

/// The word for every name that is not in the [`Vocabulary`].
const OTHER: &str = "other";

/// The random id of an install. A collector needs one to tell the figures of two devices apart. It is not the id of a device or a person:
/// the caller draws it at random, and draws another one when the user asks for it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct InstallId(pub [u8; 16]);

impl InstallId {
    /// As a UUID is written.
    pub(crate) fn text(&self) -> String {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let parts = [
            &digits[..8],
            &digits[8..12],
            &digits[12..16],
            &digits[16..20],
            &digits[20..],
        ];
        parts.join("-")
    }
}

impl fmt::Debug for InstallId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InstallId")
    }
}

/// An operating system.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Os {
    /// Android.
    Android,
    /// iOS, iPadOS included.
    Ios,
    /// macOS.
    Macos,
    /// Linux other than Android.
    Linux,
    /// Windows.
    Windows,
    /// Any other.
    Other,
}

impl Os {
    /// Every system.
    pub const ALL: [Os; 6] = [Os::Android, Os::Ios, Os::Macos, Os::Linux, Os::Windows, Os::Other];

    /// The one that this program was built for.
    #[must_use]
    pub fn here() -> Os {
        match std::env::consts::OS {
            "android" => Os::Android,
            "ios" => Os::Ios,
            "macos" => Os::Macos,
            "linux" => Os::Linux,
            "windows" => Os::Windows,
            _ => Os::Other,
        }
    }

    /// The value of `os.name`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Os::Android => "Android",
            Os::Ios => "iOS",
            Os::Macos => "macOS",
            Os::Linux => "Linux",
            Os::Windows => "Windows",
            Os::Other => OTHER,
        }
    }

    /// The value of `os.type`, which names the kernel.
    #[must_use]
    pub fn kernel(self) -> &'static str {
        match self {
            Os::Android | Os::Linux => "linux",
            Os::Ios | Os::Macos => "darwin",
            Os::Windows => "windows",
            Os::Other => OTHER,
        }
    }
}

/// Who exports. It is part of every [`Body`](crate::export::Body).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resource {
    /// The name that the app's developer gave the app in the policy. It must be a constant of the app.
    pub service: Label,
    /// The install.
    pub install: InstallId,
    /// The operating system.
    pub os: Os,
    /// The class of the device, if it is known.
    pub device: Option<DeviceClass>,
}

impl Resource {
    pub(crate) fn encode(&self) -> messages::Resource {
        let device = self.device.map(Attribute::Device);
        let attributes = [
            Attribute::ServiceName(Known(self.service.as_str())),
            Attribute::InstanceId(self.install),
            Attribute::SdkName,
            Attribute::SdkLanguage,
            Attribute::SdkVersion,
            Attribute::OsType(self.os),
            Attribute::OsName(self.os),
        ];
        messages::Resource {
            attributes: attributes.into_iter().chain(device).map(Attribute::encode).collect(),
        }
    }
}

/// The names that may be exported: all others are exported as `other`. Put only names into it that the app's developer chose or that the
/// catalogue has, never names of a user.
///
/// ```
/// use std::collections::BTreeSet;
/// use whimbrel_record::Label;
/// use whimbrel_telemetry::export::Vocabulary;
///
/// let vocabulary = Vocabulary {
///     models: BTreeSet::from([Label::new("smollm2")?]),
///     ..Vocabulary::default()
/// };
/// assert!(vocabulary.models.contains(&Label::new("smollm2")?));
/// # Ok::<(), whimbrel_record::LabelError>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Vocabulary {
    /// Models: those of the catalogue, those that the developer's policy asks endpoints for, and adapters of the system's model.
    pub models: BTreeSet<Label>,
    /// Variants of models, such as `q4_1`.
    pub variants: BTreeSet<Label>,
    /// Tasks: those that come with Whimbrel, and those that the developer's policy names.
    pub tasks: BTreeSet<Label>,
    /// Methods of estimating energy.
    pub energy_methods: BTreeSet<Label>,
}

impl Vocabulary {
    pub(crate) fn model(&self, name: &Label) -> Known<'_> {
        known(&self.models, name)
    }

    pub(crate) fn variant(&self, name: &Label) -> Known<'_> {
        known(&self.variants, name)
    }

    pub(crate) fn task(&self, name: &Label) -> Known<'_> {
        known(&self.tasks, name)
    }

    pub(crate) fn energy_method(&self, name: &Label) -> Known<'_> {
        known(&self.energy_methods, name)
    }
}

fn known<'v>(names: &'v BTreeSet<Label>, name: &Label) -> Known<'v> {
    Known(names.get(name).map_or(OTHER, Label::as_str))
}

/// A name that may be exported. Only this file makes one, and it borrows from the vocabulary or the resource: a name of a receipt cannot
/// become one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Known<'v>(&'v str);

impl Known<'_> {
    pub(crate) fn text(self) -> String {
        self.0.to_owned()
    }
}
