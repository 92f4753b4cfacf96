//! How private a text is.

use serde::{Deserialize, Serialize};

/// How private a text is, from least to most. The class of a request is the higher of the app's own class and the class of its
/// findings.
///
/// ```
/// use whimbrel_privacy::{FindingKind, PrivacyClass};
///
/// let declared = PrivacyClass::Personal;
/// assert_eq!(declared.max(FindingKind::ApiKey.class()), PrivacyClass::Secret);
/// assert!(PrivacyClass::Public < PrivacyClass::Personal);
/// ```
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PrivacyClass {
    /// Nothing was recognised as personal: "What is the capital of France?".
    #[default]
    Public,
    /// Ordinary personal data: a name, an address, a telephone number.
    Personal,
    /// Harmful in wrong hands: national ids, cards and accounts, dates of birth, health, religion and the other special categories, or
    /// whatever the app calls so.
    Sensitive,
    /// Gives access to something: passwords, API keys, or whatever the app declares secret.
    Secret,
}
