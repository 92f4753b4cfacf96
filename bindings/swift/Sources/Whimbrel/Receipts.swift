// scripts/bindings-values.py writes this from bindings/ffi/src/ledger.rs: change that, then run  make bindings.

/// Which receipts are listed; what is not given does not choose.
public struct ReceiptFilter: Sendable, Equatable {
    /// Receipts with lower numbers than this one: the next page begins before the last one's number.
    public var before: Int?
    /// Receipts that were opened at this time or later, in milliseconds since 1970.
    public var fromMs: Int?
    /// Receipts that were opened before this time.
    public var untilMs: Int?
    /// Receipts that ended so.
    public var outcome: Outcome?
    /// Receipts whose answer came from there, or which were tried there last.
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

/// What is written down of one request.
public struct Receipt: Sendable, Equatable {
    /// Its number in the ledger.
    public var id: Int
    /// When it was opened, in milliseconds since 1970.
    public var openedMs: Int
    /// When it was closed.
    public var closedMs: Int?
    /// How the request ended; nothing while it runs.
    public var outcome: Outcome?
    /// Where the answer came from, or what was tried last.
    public var place: Place?
    /// The app's name for what it was doing.
    public var task: String
    /// How private the text was.
    public var privacyClass: PrivacyClass
    /// The ids of the rules that decided about the request as a whole.
    public var rules: [String]
    /// How many different values of each kind were found in the text, the conversation's history included.
    public var findings: [String: Int]
    /// How many different values of each kind were replaced in text that left, the conversation's history included.
    public var redacted: [String: Int]
    /// How many of these had left, replaced, with an earlier question of the conversation.
    public var repeated: [String: Int]
    /// Bytes that left the device.
    public var bytesOut: Int
    /// Bytes that may have left besides, because no end was written in time.
    public var bytesOutUncertain: Int
    /// Bytes that came back.
    public var bytesIn: Int
    /// All of it in JSON: what was planned, each attempt, tokens, times, feedback, and its hashes in the ledger.
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
        self.json = json
    }
}

/// What a verification of the ledger saw.
public struct LedgerReport: Sendable, Equatable {
    /// Whether the ledger is as it was written.
    public var isIntact: Bool
    /// Entries that were read.
    public var entries: Int
    /// Receipts that these entries open.
    public var receipts: Int
    /// What is wrong, in words; at most 256.
    public var problems: [String]
    /// All of it in JSON.
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

/// What the device is called in a sentence.
public enum Host: Sendable, Hashable, CaseIterable {
    /// "this phone"
    case phone
    /// "this tablet"
    case tablet
    /// "this computer"
    case computer
}

/// What a number of receipts come to.
public struct LedgerStats: Sendable, Equatable {
    /// How many receipts these are.
    public var receipts: Int
    /// Answers by the kind of place they came from; kinds without any are left out.
    public var answers: [PlaceKind: Int]
    /// Requests without an answer by how they ended; ends without any are left out.
    public var ends: [Outcome: Int]
    /// Requests without an end yet.
    public var unfinished: Int
    /// Bytes that left the device.
    public var bytesOut: Int
    /// Bytes that may have left besides.
    public var bytesOutUncertain: Int
    /// Bytes that came back.
    public var bytesIn: Int
    /// How many requests sent text that was not public as it is, or with words of a special category, which are not
    /// replaced.
    public var personalAsIs: Int
    /// How many values of each kind were replaced in text that left. A value that every question of a conversation
    /// takes along counts once.
    public var redacted: [String: Int]
    /// Tokens read.
    public var tokensIn: Int
    /// Tokens written.
    public var tokensOut: Int
    /// The energy estimates, in thousandths of a joule.
    public var millijoules: Int
    /// All of it in one English sentence.
    public var summary: String

    /// Takes every value; those with a default can be left out.
    public init(
        receipts: Int,
        answers: [PlaceKind: Int],
        ends: [Outcome: Int],
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

/// Which receipts are removed: those that either of the two names.
public struct Prune: Sendable, Equatable {
    /// Receipts that were opened before this time, in milliseconds since 1970.
    public var openedBeforeMs: Int?
    /// All but so many of the newest.
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

/// Where a ledger begins whose oldest receipts were removed.
public struct Checkpoint: Sendable, Equatable {
    /// The number of the last entry that was removed.
    public var sequence: Int
    /// The number of the last receipt that was removed.
    public var receipts: Int
    /// The hash of that entry, in hexadecimal digits: the next entry continues from it.
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
