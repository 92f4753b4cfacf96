// scripts/bindings-values.py writes this from bindings/ffi/src/tools.rs: change that, then run  make bindings.

/// A function of the app that the model may call.
public struct Tool: Sendable, Equatable {
    /// What the model calls it: at most 64 of `A-Z a-z 0-9 _ -`.
    public var name: String
    /// A description for the model: what it does, and when to use it.
    public var description: String
    /// The JSON Schema of its arguments, an object. A keyword that cannot be enforced is refused by name.
    public var parameters: String
    /// Whether a person is asked before it runs. The default is `.confirm`. A policy may be stricter, and the app's
    /// policy may also be less strict.
    public var permission: ToolPermission
    /// How private what it gives is at least. The default is `.public`. Findings in a result can only raise it.
    public var resultClass: PrivacyClass

    /// Takes every value; those with a default can be left out.
    public init(
        name: String,
        description: String,
        parameters: String,
        permission: ToolPermission = .confirm,
        resultClass: PrivacyClass = .public
    ) {
        self.name = name
        self.description = description
        self.parameters = parameters
        self.permission = permission
        self.resultClass = resultClass
    }
}

/// Whether a tool runs when the model calls it.
public enum ToolPermission: Sendable, Hashable, CaseIterable {
    /// It runs without asking.
    case always
    /// A person is asked each time.
    case confirm
    /// It does not run.
    case never
}

/// Whether the model calls a tool.
public enum ToolChoice: Sendable, Hashable, CaseIterable {
    /// As it decides.
    case auto
    /// It must not.
    case none
    /// It must call one first.
    case required
}

/// The tools for a question.
public struct ToolOptions: Sendable, Equatable {
    /// What the model may call, with different names.
    public var tools: [Tool]
    /// Whether it has to. The default is `.auto`.
    public var choice: ToolChoice
    /// How many calls the answer may take, at most 64. Then the model answers with what it has.
    public var callsMax: Int
    /// How long each call is waited for, with the person's answer where one is asked.
    public var resultTimeMax: Duration

    /// Takes every value; those with a default can be left out.
    public init(
        tools: [Tool] = [],
        choice: ToolChoice = .auto,
        callsMax: Int = 8,
        resultTimeMax: Duration = .milliseconds(120000)
    ) {
        self.tools = tools
        self.choice = choice
        self.callsMax = callsMax
        self.resultTimeMax = resultTimeMax
    }
}

/// A call that waits for its result.
public struct PendingCall: Sendable, Equatable {
    /// Its number, which no other call of the process has.
    public var id: Int
    /// The tool.
    public var name: String
    /// A JSON object that has the form of the tool's parameters.
    public var arguments: String
    /// Whether a person must be asked before the function runs.
    public var mustConfirm: Bool

    /// Takes every value; those with a default can be left out.
    public init(
        id: Int,
        name: String,
        arguments: String,
        mustConfirm: Bool
    ) {
        self.id = id
        self.name = name
        self.arguments = arguments
        self.mustConfirm = mustConfirm
    }
}

/// What came of a call.
public enum ToolResult: Sendable, Equatable {
    /// What the function gave: a text, or JSON.
    case done(text: String)
    /// The function failed.
    case failed(reason: String)
    /// The person did not allow it.
    case refused
}

/// A call as the report has it.
public struct CallReport: Sendable, Equatable {
    /// The tool.
    public var name: String
    /// How it ended.
    public var end: CallEnd
    /// The receipt of the round that called it. Absent without a policy.
    public var receipt: Int?

    /// Takes every value; those with a default can be left out.
    public init(
        name: String,
        end: CallEnd,
        receipt: Int?
    ) {
        self.name = name
        self.end = end
        self.receipt = receipt
    }
}

/// How a call ended.
public enum CallEnd: Sendable, Hashable, CaseIterable {
    /// The function ran.
    case done
    /// The function failed.
    case failed
    /// The person did not allow it.
    case refused
    /// The policy does not allow it.
    case notAllowed
    /// It took too long.
    case timedOut
    /// There were too many calls before it.
    case tooMany
    /// The app gave no result.
    case dropped
}
