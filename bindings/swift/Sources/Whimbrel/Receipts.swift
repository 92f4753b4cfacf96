// scripts/bindings-values.py writes this from bindings/ffi/src/ledger.rs: change that, then run  make bindings.

/// Selects the receipts to list. Values that are left out do not restrict the list.
public struct ReceiptFilter: Sendable, Equatable {
    /// Only receipts with lower numbers than this one. For the next page, pass the number of the last receipt.
    public var before: Int?
    /// Only receipts that were opened at this time or later, in milliseconds since 1970.
    public var fromMs: Int?
    /// Only receipts that were opened before this time, in milliseconds since 1970.
    public var untilMs: Int?
    /// Only receipts with this outcome.
    public var outcome: Outcome?
    /// Only receipts whose answer came from this kind of place, or whose last attempt was there.
    public var place: PlaceKind?

    /// Takes every value; those with a default can be left out.
    public init(
        before: Int? = nil,
        fromMs: Int? = nil,
        untilMs: Int? = nil,
        outcome: Outcome? = nil,
        place: PlaceKind? = nil
    ) {
        self.before = before
        self.fromMs = fromMs
        self.untilMs = untilMs
        self.outcome = outcome
        self.place = place
    }
}

/// The record of one request.
public struct Receipt: Sendable, Equatable {
    /// Its number in the ledger.
    public var id: Int
    /// When it was opened, in milliseconds since 1970.
    public var openedMs: Int
    /// When it was closed.
    public var closedMs: Int?
    /// How the request ended. Absent while it is in progress.
    public var outcome: Outcome?
    /// Where the answer came from, or which place was tried last.
    public var place: Place?
    /// The app's name for the kind of work.
    public var task: String
    /// How private the text was.
    public var privacyClass: PrivacyClass
    /// The ids of the rules that decided about the whole request.
    public var rules: [String]
    /// How many different values of each kind were found in the text, the conversation's history included.
    public var findings: [String: Int]
    /// How many different values of each kind were replaced in text that left, the conversation's history included.
    public var redacted: [String: Int]
    /// How many of these had left, replaced, with an earlier question of the conversation.
    public var repeated: [String: Int]
    /// Bytes that left the device.
    public var bytesOut: Int
    /// Bytes that may have left in addition, because the process ended before the receipt was complete.
    public var bytesOutUncertain: Int
    /// Bytes that were received.
    public var bytesIn: Int
    /// The number of the receipt whose answer was given again. Absent if a place was asked.
    public var answeredBefore: Int?
    /// The complete receipt in JSON: the plan, each attempt, tokens, times, feedback, and its hashes in the ledger.
    public var json: String

    /// Takes every value; those with a default can be left out.
    public init(
        id: Int,
        openedMs: Int,
        closedMs: Int?,
        outcome: Outcome?,
        place: Place?,
        task: String,
        privacyClass: PrivacyClass,
        rules: [String],
        findings: [String: Int],
        redacted: [String: Int],
        repeated: [String: Int],
        bytesOut: Int,
        bytesOutUncertain: Int,
        bytesIn: Int,
        answeredBefore: Int?,
        json: String
    ) {
        self.id = id
        self.openedMs = openedMs
        self.closedMs = closedMs
        self.outcome = outcome
        self.place = place
        self.task = task
        self.privacyClass = privacyClass
        self.rules = rules
        self.findings = findings
        self.redacted = redacted
        self.repeated = repeated
        self.bytesOut = bytesOut
        self.bytesOutUncertain = bytesOutUncertain
        self.bytesIn = bytesIn
        self.answeredBefore = answeredBefore
        self.json = json
    }
}

/// The result of verifying the ledger.
public struct LedgerReport: Sendable, Equatable {
    /// Whether the ledger is unchanged.
    public var isIntact: Bool
    /// Entries that were read.
    public var entries: Int
    /// Receipts that these entries open.
    public var receipts: Int
    /// The problems in words; at most 256.
    public var problems: [String]
    /// The complete report in JSON.
    public var json: String

    /// Takes every value; those with a default can be left out.
    public init(
        isIntact: Bool,
        entries: Int,
        receipts: Int,
        problems: [String],
        json: String
    ) {
        self.isIntact = isIntact
        self.entries = entries
        self.receipts = receipts
        self.problems = problems
        self.json = json
    }
}

/// How a sentence refers to the device.
public enum Host: Sendable, Hashable, CaseIterable {
    /// "this phone"
    case phone
    /// "this tablet"
    case tablet
    /// "this computer"
    case computer
}

/// The totals of a number of receipts.
public struct LedgerStats: Sendable, Equatable {
    /// The number of receipts.
    public var receipts: Int
    /// Answers by kind of place; kinds without answers are left out.
    public var answers: [PlaceKind: Int]
    /// Requests without an answer, by outcome; outcomes that did not occur are left out.
    public var ends: [Outcome: Int]
    /// Answers that were remembered and given again: no place was asked.
    public var answersGivenAgain: Int
    /// Requests that have not ended yet.
    public var unfinished: Int
    /// Bytes that left the device.
    public var bytesOut: Int
    /// Bytes that may have left in addition.
    public var bytesOutUncertain: Int
    /// Bytes that were received.
    public var bytesIn: Int
    /// How many requests sent text that was not public as it is, or with words of a special category, which are not
    /// replaced.
    public var personalAsIs: Int
    /// How many values of each kind were replaced in text that left. A value that every question of a conversation
    /// takes along counts once.
    public var redacted: [String: Int]
    /// Prompt tokens.
    public var tokensIn: Int
    /// Answer tokens.
    public var tokensOut: Int
    /// The sum of the energy estimates in millijoules.
    public var millijoules: Int
    /// A one-sentence summary in English.
    public var summary: String

    /// Takes every value; those with a default can be left out.
    public init(
        receipts: Int,
        answers: [PlaceKind: Int],
        ends: [Outcome: Int],
        answersGivenAgain: Int,
        unfinished: Int,
        bytesOut: Int,
        bytesOutUncertain: Int,
        bytesIn: Int,
        personalAsIs: Int,
        redacted: [String: Int],
        tokensIn: Int,
        tokensOut: Int,
        millijoules: Int,
        summary: String
    ) {
        self.receipts = receipts
        self.answers = answers
        self.ends = ends
        self.answersGivenAgain = answersGivenAgain
        self.unfinished = unfinished
        self.bytesOut = bytesOut
        self.bytesOutUncertain = bytesOutUncertain
        self.bytesIn = bytesIn
        self.personalAsIs = personalAsIs
        self.redacted = redacted
        self.tokensIn = tokensIn
        self.tokensOut = tokensOut
        self.millijoules = millijoules
        self.summary = summary
    }
}

/// Selects the receipts to remove: those that match either value.
public struct Prune: Sendable, Equatable {
    /// Receipts that were opened before this time, in milliseconds since 1970.
    public var openedBeforeMs: Int?
    /// The number of newest receipts to keep; all older ones are removed.
    public var receiptsMax: Int?

    /// Takes every value; those with a default can be left out.
    public init(
        openedBeforeMs: Int? = nil,
        receiptsMax: Int? = nil
    ) {
        self.openedBeforeMs = openedBeforeMs
        self.receiptsMax = receiptsMax
    }
}

/// The start of a ledger whose oldest receipts were removed.
public struct Checkpoint: Sendable, Equatable {
    /// The number of the last entry that was removed.
    public var sequence: Int
    /// The number of the last receipt that was removed.
    public var receipts: Int
    /// The hash of that entry, in hexadecimal digits. The next entry continues from it.
    public var hash: String
    /// When they were removed, in milliseconds since 1970.
    public var timeMs: Int

    /// Takes every value; those with a default can be left out.
    public init(
        sequence: Int,
        receipts: Int,
        hash: String,
        timeMs: Int
    ) {
        self.sequence = sequence
        self.receipts = receipts
        self.hash = hash
        self.timeMs = timeMs
    }
}
