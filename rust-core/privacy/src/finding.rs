//! The kinds of findings, and findings in a text.

use serde::{Deserialize, Serialize};

use crate::PrivacyClass;

/// A kind of personal or secret data.
///
/// ```
/// use whimbrel_privacy::{FindingKind, PrivacyClass};
///
/// let kind = FindingKind::DateOfBirth;
/// assert_eq!(kind.name(), "date_of_birth");
/// assert_eq!(kind.placeholder(), Some("BIRTHDAY"));
/// assert_eq!(kind.class(), PrivacyClass::Sensitive);
/// ```
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// An e-mail address.
    Email,
    /// A telephone number, national or international.
    Phone,
    /// A payment card number with a valid check digit (Luhn).
    PaymentCard,
    /// An international bank account number with valid check digits (mod 97).
    Iban,
    /// A national identification or tax number with a valid form and, if it has any, valid check digits; or the number of a
    /// passport or a driving licence that a word identifies.
    NationalId,
    /// An IPv4 or IPv6 address.
    IpAddress,
    /// A hardware address of a network card.
    MacAddress,
    /// A URL that contains a user name and a password.
    UrlCredentials,
    /// An API key, token or private key.
    ApiKey,
    /// A date that the text identifies as a birthday.
    DateOfBirth,
    /// A street with a house number, a post box, or a postal code with its town.
    StreetAddress,
    /// The name of a person.
    PersonName,
    /// The number of a bank account or a bank that a word identifies, such as a routing number or a sort code.
    BankAccount,
    /// A crypto wallet address with a valid checksum.
    CryptoWallet,
    /// The number of a device, such as an IMEI.
    DeviceId,
    /// The number of a patient or of a medical record.
    MedicalRecord,
    /// The plate of a vehicle.
    LicensePlate,
    /// The coordinates of somebody's home.
    Location,
    /// A word that the app or the user supplied.
    UserWord,
    /// Words about somebody's health: a diagnosis, a medicine, a treatment. This and the kinds behind it are the special categories of
    /// the GDPR's articles 9 and 10. They raise the class of a text and are not replaced, since they are what the text is about.
    Health,
    /// Words about somebody's religion or lack of one.
    Religion,
    /// Words about somebody's sex life or sexual orientation.
    Sexuality,
    /// Words about somebody's political opinions.
    Politics,
    /// Words about somebody's membership in a trade union.
    TradeUnion,
    /// Words about somebody's ethnic origin.
    Ethnicity,
    /// Words about somebody's convictions and offences.
    Crime,
}

impl FindingKind {
    /// Every kind, in the order of the enum.
    pub const ALL: [FindingKind; 26] = [
        FindingKind::Email,
        FindingKind::Phone,
        FindingKind::PaymentCard,
        FindingKind::Iban,
        FindingKind::NationalId,
        FindingKind::IpAddress,
        FindingKind::MacAddress,
        FindingKind::UrlCredentials,
        FindingKind::ApiKey,
        FindingKind::DateOfBirth,
        FindingKind::StreetAddress,
        FindingKind::PersonName,
        FindingKind::BankAccount,
        FindingKind::CryptoWallet,
        FindingKind::DeviceId,
        FindingKind::MedicalRecord,
        FindingKind::LicensePlate,
        FindingKind::Location,
        FindingKind::UserWord,
        FindingKind::Health,
        FindingKind::Religion,
        FindingKind::Sexuality,
        FindingKind::Politics,
        FindingKind::TradeUnion,
        FindingKind::Ethnicity,
        FindingKind::Crime,
    ];

    /// The name in policies, receipts and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FindingKind::Email => "email",
            FindingKind::Phone => "phone",
            FindingKind::PaymentCard => "payment_card",
            FindingKind::Iban => "iban",
            FindingKind::NationalId => "national_id",
            FindingKind::IpAddress => "ip_address",
            FindingKind::MacAddress => "mac_address",
            FindingKind::UrlCredentials => "url_credentials",
            FindingKind::ApiKey => "api_key",
            FindingKind::DateOfBirth => "date_of_birth",
            FindingKind::StreetAddress => "street_address",
            FindingKind::PersonName => "person_name",
            FindingKind::BankAccount => "bank_account",
            FindingKind::CryptoWallet => "crypto_wallet",
            FindingKind::DeviceId => "device_id",
            FindingKind::MedicalRecord => "medical_record",
            FindingKind::LicensePlate => "license_plate",
            FindingKind::Location => "location",
            FindingKind::UserWord => "user_word",
            FindingKind::Health => "health",
            FindingKind::Religion => "religion",
            FindingKind::Sexuality => "sexuality",
            FindingKind::Politics => "politics",
            FindingKind::TradeUnion => "trade_union",
            FindingKind::Ethnicity => "ethnicity",
            FindingKind::Crime => "crime",
        }
    }

    /// The word in the placeholder that stands for such a finding: `PERSON` in `⟨PERSON_1⟩`. None for the special categories, which
    /// are not replaced.
    #[must_use]
    pub fn placeholder(self) -> Option<&'static str> {
        let word = match self {
            FindingKind::Email => "EMAIL",
            FindingKind::Phone => "PHONE",
            FindingKind::PaymentCard => "CARD",
            FindingKind::Iban => "IBAN",
            FindingKind::NationalId => "ID",
            FindingKind::IpAddress => "IP",
            FindingKind::MacAddress => "MAC",
            FindingKind::UrlCredentials => "URL",
            FindingKind::ApiKey => "KEY",
            FindingKind::DateOfBirth => "BIRTHDAY",
            FindingKind::StreetAddress => "ADDRESS",
            FindingKind::PersonName => "PERSON",
            FindingKind::BankAccount => "BANK",
            FindingKind::CryptoWallet => "WALLET",
            FindingKind::DeviceId => "DEVICE",
            FindingKind::MedicalRecord => "MEDICAL",
            FindingKind::LicensePlate => "PLATE",
            FindingKind::Location => "LOCATION",
            FindingKind::UserWord => "WORD",
            FindingKind::Health
            | FindingKind::Religion
            | FindingKind::Sexuality
            | FindingKind::Politics
            | FindingKind::TradeUnion
            | FindingKind::Ethnicity
            | FindingKind::Crime => return None,
        };
        Some(word)
    }

    /// Whether it is one of the special categories: it raises the class of a text and is not replaced.
    ///
    /// ```
    /// use whimbrel_privacy::FindingKind;
    ///
    /// assert!(FindingKind::Health.is_special_category());
    /// assert!(!FindingKind::Email.is_special_category());
    /// ```
    #[must_use]
    pub fn is_special_category(self) -> bool {
        self.placeholder().is_none()
    }

    /// The minimum class of a text that contains this.
    #[must_use]
    pub fn class(self) -> PrivacyClass {
        match self {
            FindingKind::Email
            | FindingKind::Phone
            | FindingKind::IpAddress
            | FindingKind::MacAddress
            | FindingKind::StreetAddress
            | FindingKind::PersonName
            | FindingKind::DeviceId
            | FindingKind::LicensePlate => PrivacyClass::Personal,
            FindingKind::PaymentCard
            | FindingKind::Iban
            | FindingKind::NationalId
            | FindingKind::DateOfBirth
            | FindingKind::BankAccount
            | FindingKind::CryptoWallet
            | FindingKind::MedicalRecord
            | FindingKind::Location
            | FindingKind::UserWord
            | FindingKind::Health
            | FindingKind::Religion
            | FindingKind::Sexuality
            | FindingKind::Politics
            | FindingKind::TradeUnion
            | FindingKind::Ethnicity
            | FindingKind::Crime => PrivacyClass::Sensitive,
            FindingKind::UrlCredentials | FindingKind::ApiKey => PrivacyClass::Secret,
        }
    }
}

/// A piece of personal or secret data at a position in a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// Its kind.
    pub kind: FindingKind,
    /// Its start, in UTF-8 bytes.
    pub start: u32,
    /// Its end, in UTF-8 bytes; always greater than `start`.
    pub end: u32,
    /// The confidence, from 0 to 1: 1 for a form with valid check digits, less if only the surrounding text suggests it.
    pub confidence: f32,
}

impl Finding {
    pub(crate) fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The text of the finding.
    ///
    /// # Panics
    /// If `text` is not the text that was scanned.
    #[must_use]
    pub fn of<'t>(&self, text: &'t str) -> &'t str {
        &text[self.range()]
    }
}

/// A range of a text in characters (Unicode scalar values).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CharacterSpan {
    /// The first character's index.
    pub start: u32,
    /// The index after the last character.
    pub end: u32,
}

/// The ranges of the findings in characters. The findings must be in the order of the text, as from [`crate::Scanner::scan`].
///
/// ```
/// use whimbrel_privacy::{Scanner, ScannerOptions, in_characters};
///
/// let scanner = Scanner::new(ScannerOptions::default())?;
/// let text = "Größe? a@b.example";
/// let findings = scanner.scan(text)?;
/// assert_eq!((findings[0].start, findings[0].end), (9, 20));
/// let spans = in_characters(text, &findings);
/// assert_eq!((spans[0].start, spans[0].end), (7, 18));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn in_characters(text: &str, findings: &[Finding]) -> Vec<CharacterSpan> {
    let (mut at, mut characters) = (0, 0);
    let mut advance = |to: u32| {
        characters += text[at..to as usize].chars().count() as u32;
        at = to as usize;
        characters
    };
    let span = |finding: &Finding| CharacterSpan {
        start: advance(finding.start),
        end: advance(finding.end),
    };
    findings.iter().map(span).collect()
}
