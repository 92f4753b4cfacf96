import WhimbrelCore

// The plain values of the assistant are the core's own: their documentation is with them.

/// What an answer of an assistant brings: `trying`, `text`, `restarted`, and `finished` at the end.
public typealias AssistantEvent = WhimbrelCore.AssistantEvent
/// How a request went. It says what a person would ask for, and holds no text of theirs.
public typealias Report = WhimbrelCore.Report
/// How a request ended. None of these is an error.
public typealias Outcome = WhimbrelCore.Outcome
/// Where a request ran, or was to run.
public typealias Place = WhimbrelCore.Place
/// Whose machine an endpoint is.
public typealias TrustClass = WhimbrelCore.TrustClass
/// In which form a text leaves the device.
public typealias Sent = WhimbrelCore.Sent
/// Something that was listed and not tried, and why.
public typealias Refused = WhimbrelCore.Refused
/// A decision with everything that led to it.
public typealias Explanation = WhimbrelCore.Explanation
/// What would be decided about a question.
public typealias Decision = WhimbrelCore.Decision
/// How private a text is, from the least to the most.
public typealias PrivacyClass = WhimbrelCore.PrivacyClass
/// What an answer needs beyond text.
public typealias Need = WhimbrelCore.Need
/// Something personal or secret in a text.
public typealias Finding = WhimbrelCore.Finding
/// How often a kind of finding occurred.
public typealias FindingCount = WhimbrelCore.FindingCount
/// A text with its findings replaced.
public typealias RedactedText = WhimbrelCore.RedactedText

/// A document with rules: `toml`, `json`, or a `preset` with the app's endpoints.
public typealias PolicyDocument = WhimbrelCore.PolicyDocument
/// A policy that comes with the core.
public typealias Preset = WhimbrelCore.Preset
/// What the app knows about an endpoint besides what stands in the policy.
public typealias EndpointExtras = WhimbrelCore.EndpointExtras
/// Public keys of which one must be in a server's chain of certificates.
public typealias Pins = WhimbrelCore.Pins
/// Time limits of one request to an endpoint.
public typealias Timeouts = WhimbrelCore.Timeouts
/// Where an endpoint wants the limit of tokens.
public typealias TokenLimitField = WhimbrelCore.TokenLimitField
/// Whether feedback is learned from and used.
public typealias LearningMode = WhimbrelCore.LearningMode
/// A sign of how good an answer was.
public typealias Signal = WhimbrelCore.Signal

/// What the app knows about the device now: as many values as it has.
public typealias DeviceUpdate = WhimbrelCore.DeviceUpdate
/// The values of a `DeviceUpdate`, to name those that are no longer known.
public typealias DeviceFact = WhimbrelCore.DeviceFact
/// How hot the device is.
public typealias Thermal = WhimbrelCore.Thermal
/// The network that a request would use.
public typealias Network = WhimbrelCore.Network
/// Hardware beside the processor that runs models.
public typealias Accelerator = WhimbrelCore.Accelerator

/// Which receipts are listed.
public typealias ReceiptFilter = WhimbrelCore.ReceiptFilter
/// Kinds of places, to choose receipts by.
public typealias PlaceKind = WhimbrelCore.PlaceKind
/// What is written down of one request.
public typealias Receipt = WhimbrelCore.Receipt
/// What a verification of the ledger saw.
public typealias LedgerReport = WhimbrelCore.LedgerReport
/// What a number of receipts come to.
public typealias LedgerStats = WhimbrelCore.LedgerStats
/// What the device is called in a sentence.
public typealias Host = WhimbrelCore.Host

extension Preset {
    /// Its text, TOML.
    public var text: String { presetText(preset: self) }
}
