import WhimbrelCore

/// Tokens of context where nothing else is said.
public let defaultContextLength = 2048

/// How a model is opened.
public struct OpenOptions: Sendable, Equatable {
    /// Threads that compute; 0 takes the number of performance cores.
    public var threads: Int
    /// Whether the hashes of all files are checked; otherwise only those of files that were not checked before, or changed
    /// since.
    public var alwaysVerify: Bool
    /// The name of the quantisation to open; without it the bundle's first.
    public var variant: String?
    /// A folder in which it is remembered which files were checked, for bundles in a folder that cannot be written.
    public var stateFolder: String?
    /// Whether the weights are copied into memory of huge pages: quicker answers, a slower start, and memory that the system
    /// cannot take back.
    public var hugePages: Bool
    /// What the keys and values of a conversation's context are kept in.
    public var kvPrecision: KvPrecision

    public init(
        threads: Int = 0,
        alwaysVerify: Bool = false,
        variant: String? = nil,
        stateFolder: String? = nil,
        hugePages: Bool = false,
        kvPrecision: KvPrecision = .half
    ) {
        self.threads = threads
        self.alwaysVerify = alwaysVerify
        self.variant = variant
        self.stateFolder = stateFolder
        self.hugePages = hugePages
        self.kvPrecision = kvPrecision
    }
}

/// What keys and values are kept in.
public enum KvPrecision: Sendable, Equatable {
    /// 16 bits a value.
    case half
    /// 8 bits a value: about half the memory, and slightly other answers.
    case int8
}

/// What is known of an open model.
public struct ModelInfo: Sendable, Equatable {
    /// The model's name, for people.
    public let name: String
    /// The bundle's version.
    public let version: String
    /// The licence of the weights as an SPDX expression, or `unknown`.
    public let licence: String
    /// The longest context that the model was made for, in tokens.
    public let contextLength: Int
    /// Layers of the network.
    public let layers: Int
    /// Threads that compute.
    public let threads: Int
    /// How long opening took, verification included.
    public let loadTime: Duration
    /// Whether conversations are possible; otherwise only `LanguageModel.complete` is.
    public let hasChatTemplate: Bool
}

/// What happens when a conversation no longer fits its context.
public enum ContextPolicy: Sendable, Equatable {
    /// The question is refused with `WhimbrelError.contextFull`.
    case refuse
    /// The oldest exchanges are left out, never the system message; `Statistics.droppedMessages` says how many.
    case dropOldest
}

/// How a conversation is kept.
public struct ConversationOptions: Sendable, Equatable {
    /// Tokens of context, at most the model's own. Their memory is reserved at once.
    public var contextLength: Int
    /// The system message; without it a plain one is used, and an empty text leaves it to the model.
    public var system: String?
    /// What happens when the context is full.
    public var contextPolicy: ContextPolicy

    public init(
        contextLength: Int = defaultContextLength,
        system: String? = nil,
        contextPolicy: ContextPolicy = .dropOldest
    ) {
        self.contextLength = contextLength
        self.system = system
        self.contextPolicy = contextPolicy
    }
}

/// How an answer is made. What is not set leaves the choice of tokens to the model alone: always the most likely one.
public struct GenerationOptions: Sendable, Equatable {
    /// Tokens after which the answer ends.
    public var maxTokens: Int
    /// 0 always takes the most likely token; higher values spread the choice.
    public var temperature: Float = 0
    /// Only this many of the most likely tokens are considered; 0 means all.
    public var topK: Int = 0
    /// Only the most likely tokens that together reach this probability are considered; 1 means all.
    public var topP: Float = 1
    /// Only tokens at least this fraction as likely as the most likely one are considered; 0 means all.
    public var minP: Float = 0
    /// Makes tokens that were used before less likely; 1 changes nothing.
    public var repetitionPenalty: Float = 1
    /// How many tokens back `repetitionPenalty` looks.
    public var repetitionWindow: Int = 64
    /// The same seed gives the same answer.
    public var seed: UInt64 = 0
    /// Texts that end the answer; they are not part of it.
    public var stop: [String] = []
    /// Whether tokens may be guessed from the text so far and checked several at a time. It changes the speed, never the answer.
    public var speculation: Bool = true

    public init(maxTokens: Int = 512, temperature: Float = 0) {
        self.maxTokens = maxTokens
        self.temperature = temperature
    }
}

/// Who says a message.
public enum Role: Sendable, Equatable {
    /// What the app tells the model beforehand.
    case system
    /// The person.
    case user
    /// The model.
    case assistant
}

/// One message of a conversation.
public struct Message: Sendable, Equatable {
    /// Who says it.
    public var role: Role
    /// The text.
    public var content: String

    public init(role: Role, content: String) {
        self.role = role
        self.content = content
    }
}

/// The core counts without a sign, in 32 bits.
func unsigned(_ value: Int, _ option: String) throws(WhimbrelError) -> UInt32 {
    guard let unsigned = UInt32(exactly: value) else {
        throw .invalidOption(option, expected: "0 to \(UInt32.max)", found: "\(value)")
    }
    return unsigned
}

extension OpenOptions {
    func toCore() throws(WhimbrelError) -> WhimbrelCore.OpenOptions {
        WhimbrelCore.OpenOptions(
            threads: try unsigned(threads, "threads"),
            alwaysVerify: alwaysVerify,
            variant: variant,
            stateFolder: stateFolder,
            hugePages: hugePages,
            kvPrecision: kvPrecision == .half ? .half : .int8
        )
    }
}

extension ModelInfo {
    init(_ core: WhimbrelCore.ModelInfo) {
        name = core.name
        version = core.version
        licence = core.licence
        contextLength = Int(core.contextLength)
        layers = Int(core.layers)
        threads = Int(core.threads)
        loadTime = .milliseconds(core.loadMs)
        hasChatTemplate = core.hasChatTemplate
    }
}

extension ConversationOptions {
    func toCore() throws(WhimbrelError) -> WhimbrelCore.ConversationOptions {
        WhimbrelCore.ConversationOptions(
            contextLength: try unsigned(contextLength, "contextLength"),
            system: system,
            contextPolicy: contextPolicy == .refuse ? .refuse : .dropOldest
        )
    }
}

extension GenerationOptions {
    func toCore() throws(WhimbrelError) -> WhimbrelCore.GenerationOptions {
        WhimbrelCore.GenerationOptions(
            maxTokens: try unsigned(maxTokens, "maxTokens"),
            temperature: temperature,
            topK: try unsigned(topK, "topK"),
            topP: topP,
            minP: minP,
            repetitionPenalty: repetitionPenalty,
            repetitionWindow: try unsigned(repetitionWindow, "repetitionWindow"),
            seed: seed,
            stop: stop,
            speculation: speculation
        )
    }
}

extension Message {
    init(_ core: WhimbrelCore.Message) {
        switch core.role {
        case .system: role = .system
        case .user: role = .user
        case .assistant: role = .assistant
        }
        content = core.content
    }

    func toCore() -> WhimbrelCore.Message {
        switch role {
        case .system: WhimbrelCore.Message(role: .system, content: content)
        case .user: WhimbrelCore.Message(role: .user, content: content)
        case .assistant: WhimbrelCore.Message(role: .assistant, content: content)
        }
    }
}
