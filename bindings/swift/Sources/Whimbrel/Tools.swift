import Foundation
internal import WhimbrelCore

// Tools with their functions, and where results are given.

/// A tool with the function that carries out its calls. What the function returns is told to the model: a text, or JSON,
/// of at most 64 KiB. If it throws, the model is told the description of the error, and the answer goes on.
public struct ToolFunction: Sendable {
    /// What the model calls it.
    public let name: String
    private let described: @Sendable () throws -> Tool
    private let function: @Sendable (String) async throws -> String

    /// A function whose arguments are a value of a type, which must have the schema of an object (`Schema.object`).
    /// Descriptions of the properties (`described`) help the model to fill them in. See `Tool` for the other parameters,
    /// and `Tools` for how the function runs.
    public init<Arguments: Respondable>(
        _ name: String,
        _ description: String,
        permission: ToolPermission = .confirm,
        resultClass: PrivacyClass = .public,
        _ function: @escaping @Sendable (Arguments) async throws -> String
    ) {
        self.name = name
        described = {
            Tool(
                name: name,
                description: description,
                // Not as a reference to the type: the parameters of a tool say themselves that they are an object.
                parameters: try Arguments.schema.json,
                permission: permission,
                resultClass: resultClass
            )
        }
        self.function = { json in
            let arguments: Arguments
            // Without the decoder's own error, which quotes them.
            do { arguments = try decoded(json) } catch { throw UnfitArguments() }
            return try await function(arguments)
        }
    }

    /// A function that takes the arguments as JSON.
    public init(_ tool: Tool, _ function: @escaping @Sendable (_ arguments: String) async throws -> String) {
        name = tool.name
        described = { tool }
        self.function = function
    }

    /// What the model is told. Fails with `unsupportedType` if the type of the arguments has no schema.
    public var tool: Tool { get throws { try described() } }

    fileprivate func call(_ arguments: String) async throws -> String { try await function(arguments) }
}

/// The functions that the model may call before it answers a question: see `Conversation.ask`.
///
/// They run one at a time in the task that reads, after it got the `Event.call` and while it waits for the next event. A
/// function is cancelled with that task, and when the answer goes on without its result: because it was stopped, or
/// because the call has taken too long. The next event comes when the function has ended.
public struct Tools: Sendable {
    /// The functions.
    public let functions: [ToolFunction]
    private let confirm: (@Sendable (PendingCall) async -> Bool)?

    /// Functions with different names. `confirm` asks a person about a call with `PendingCall.mustConfirm`, and returns
    /// whether it may be carried out. Without it such a call is refused.
    public init(_ functions: [ToolFunction], confirm: (@Sendable (PendingCall) async -> Bool)? = nil) {
        self.functions = functions
        self.confirm = confirm
    }

    /// Carries out a call and gives the result to the answer.
    func carryOut(_ call: PendingCall, for answer: Answer) async {
        guard let function = functions.first(where: { $0.name == call.name }) else { return }
        let result = await result(of: call, function)
        let id = UInt32(clamping: call.id)
        do {
            try answer.giveResult(call: id, result: result.toCore())
        } catch CoreError.LimitExceeded {
            // The call still waits.
            try? answer.giveResult(call: id, result: .failed(reason: "the function gave too much"))
        } catch {
            // The answer went on without it.
        }
    }

    /// Asks a person where one must be asked, and runs the function.
    private func result(of call: PendingCall, _ function: ToolFunction) async -> ToolResult {
        if call.mustConfirm, await confirm?(call) != true { return .refused }
        // The answer may have gone on while the person was asked.
        if Task.isCancelled { return .refused }
        do { return .done(text: try await function.call(call.arguments)) } catch {
            return .failed(reason: String("\(error)".prefix(reasonCharactersMax)))
        }
    }
}

/// A description may quote a whole document, and results have a limit.
private let reasonCharactersMax = 1000

/// The type of the arguments asks for more than its schema says.
private struct UnfitArguments: Error, CustomStringConvertible {
    var description: String { "the function does not take these arguments" }
}

extension Tool {
    /// Checks that the tool can be offered. Fails with `invalidOption`, which says what is wrong.
    public func validate() throws { try translated { try validateTool(tool: toCore()) } }
}

extension AskOptions {
    /// The options of a question with functions.
    func with(_ functions: Tools?) throws -> AskOptions {
        guard let functions else { return self }
        guard tools.tools.isEmpty else {
            let expected = "empty: the question has functions"
            throw WhimbrelError.invalidOption("tools", expected: expected, found: "other tools")
        }
        var options = self
        options.tools.tools = try functions.functions.map { try $0.tool }
        return options
    }
}

/// Where results are given to the answer in progress of a conversation. It knows the functions of the last question too.
final class CallDesk: @unchecked Sendable {
    private let lock = NSLock()
    /// Weak: an answer ends with its stream.
    private weak var answer: Answer?
    private var tools: Tools?

    /// Asks a question with functions, or without.
    func begin(_ tools: Tools?, _ ask: () throws -> Answer) throws -> (Answer, Tools?) {
        let answer = try ask()
        lock.withLock { (self.answer, self.tools) = (answer, tools) }
        return (answer, tools)
    }

    /// Asks the last question again.
    func beginAgain(_ ask: () throws -> Answer) throws -> (Answer, Tools?) {
        try begin(lock.withLock { tools }, ask)
    }

    func forgetTools() { lock.withLock { tools = nil } }

    func give(_ result: ToolResult, to id: Int) throws {
        guard let answer = lock.withLock({ answer }), let call = UInt32(exactly: id) else {
            throw WhimbrelError.unknownCall(id: id)
        }
        try translated { try answer.giveResult(call: call, result: result.toCore()) }
    }
}
