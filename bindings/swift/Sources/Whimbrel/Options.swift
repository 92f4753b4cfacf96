// scripts/bindings-values.py writes this from bindings/ffi/src/options.rs: change that, then run  make bindings.

/// Options for opening a model.
public struct OpenOptions: Sendable, Equatable {
    /// Number of threads that compute; 0 uses the number of performance cores.
    public var threads: Int
    /// Whether to check the hashes of all files. Otherwise, only files that are new or have changed since the last
    /// check are checked.
    public var alwaysVerify: Bool
    /// The name of the quantisation to open. The default is the bundle's first one.
    public var variant: String?
    /// A folder for the record of verified files, if the bundle's own folder is read-only.
    public var stateFolder: String?
    /// Whether to copy the weights into memory with huge pages. Answers become faster, but the start is slower, and the
    /// system cannot reclaim the memory.
    public var hugePages: Bool
    /// The precision of the keys and values in a conversation's context. The default is `.half`.
    public var kvPrecision: KvPrecision

    /// Takes every value; those with a default can be left out.
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

/// The precision of keys and values.
public enum KvPrecision: Sendable, Hashable, CaseIterable {
    /// 16 bits per value.
    case half
    /// 8 bits per value: about half the memory, and slightly different answers.
    case int8
}

/// What happens when a conversation no longer fits its context.
public enum ContextPolicy: Sendable, Hashable, CaseIterable {
    /// The question is refused with the error `ContextFull`.
    case refuse
    /// The oldest exchanges are left out, never the system message. The statistics say how many messages were left out.
    case dropOldest
}

/// Options for a conversation.
public struct ConversationOptions: Sendable, Equatable {
    /// Size of the context in tokens, at most the model's own.
    public var contextLength: Int
    /// The system message; without it the model's own is used, and an empty text leaves it to the model's template.
    public var system: String?
    /// What happens when the context is full. The default is `.dropOldest`.
    public var contextPolicy: ContextPolicy
    /// What was said before the conversation begins, without system messages. A message without recipients is treated
    /// like the text of an imported document: under a policy, it does not leave the device.
    public var initialMessages: [Message]

    /// Takes every value; those with a default can be left out.
    public init(
        contextLength: Int = 2048,
        system: String? = nil,
        contextPolicy: ContextPolicy = .dropOldest,
        initialMessages: [Message] = []
    ) {
        self.contextLength = contextLength
        self.system = system
        self.contextPolicy = contextPolicy
        self.initialMessages = initialMessages
    }
}

/// How an answer is made. Where no value is given for how tokens are chosen, the model's own is used: its card says how
/// it was made to be used.
public struct GenerationOptions: Sendable, Equatable {
    /// Maximum length of the answer in tokens, together with what the model thinks before it.
    public var maxTokens: Int
    /// 0 always takes the most likely token; higher values spread the choice.
    public var temperature: Float?
    /// Only this many of the most likely tokens are considered; 0 means all.
    public var topK: Int?
    /// Only the most likely tokens that together reach this probability are considered; 1 means all.
    public var topP: Float?
    /// Only tokens at least this fraction as likely as the most likely one are considered; 0 means all.
    public var minP: Float?
    /// Makes tokens that were used before less likely; 1 changes nothing.
    public var repetitionPenalty: Float?
    /// How many tokens back `repetitionPenalty` looks.
    public var repetitionWindow: Int?
    /// The same seed gives the same answer.
    public var seed: Int?
    /// Texts that end the answer; they are not part of it.
    public var stop: [String]
    /// Whether a model that thinks before it answers does so; without a value it is the model's choice. Where the model
    /// cannot think, switching it on is refused with the error `InvalidOption`. A model that always thinks is only
    /// asked not to. Endpoints and the system's model ignore this, and the report lists it as not supported.
    public var thinking: Bool?
    /// Whether to use speculative decoding: tokens are guessed from the text so far and checked several at a time. It
    /// changes the speed, never the answer.
    public var speculation: Bool
    /// Whether an answer that says the same over and over is ended. The report's `finish` is `Repetition` then.
    public var repetitionGuard: Bool
    /// The form that the answer must have: the model then chooses only among the tokens that the form allows. An answer
    /// that ends before it has its form is a failure with the code `not_in_form`. A model on this device holds any
    /// form; under a policy, an endpoint that supports JSON holds choices and JSON schemas.
    public var form: Form?

    /// Takes every value; those with a default can be left out.
    public init(
        maxTokens: Int = 512,
        temperature: Float? = nil,
        topK: Int? = nil,
        topP: Float? = nil,
        minP: Float? = nil,
        repetitionPenalty: Float? = nil,
        repetitionWindow: Int? = nil,
        seed: Int? = nil,
        stop: [String] = [],
        thinking: Bool? = nil,
        speculation: Bool = true,
        repetitionGuard: Bool = true,
        form: Form? = nil
    ) {
        self.maxTokens = maxTokens
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.repetitionPenalty = repetitionPenalty
        self.repetitionWindow = repetitionWindow
        self.seed = seed
        self.stop = stop
        self.thinking = thinking
        self.speculation = speculation
        self.repetitionGuard = repetitionGuard
        self.form = form
    }
}

/// The form that an answer must have. One that cannot be used is refused with the error `InvalidOption`, which says
/// what in it and where.
public enum Form: Sendable, Equatable {
    /// One of several texts.
    case choice(choices: [String])
    /// JSON that is valid by a JSON Schema (draft 4 to 2020-12), on one line. Properties come in the order in which the
    /// schema names them. A keyword that cannot be enforced is refused by name.
    case jsonSchema(schema: String)
    /// A text that a regular expression matches as a whole, in the syntax of Rust's `regex`, without anchors and
    /// lookaround.
    case regex(expression: String)
    /// A text of a grammar, in llguidance's variant of Lark.
    case grammar(text: String)
}

/// Options for asking a question.
public struct AskOptions: Sendable, Equatable {
    /// The app's name for the kind of work, used by rules and learning.
    public var task: String
    /// The privacy class of the text as far as the app knows it. The default is `.public`. Findings in the text can
    /// only raise it.
    public var privacyClass: PrivacyClass
    /// The deadline for the whole answer, with tools for each of its rounds. The default is the policy's.
    public var deadline: Duration?
    /// For how long an answer is of use if the question has to wait in the outbox. The default is for ever.
    public var expiresIn: Duration?
    /// What the answer needs beyond text.
    public var needs: [Need]
    /// Whether it is asked again even if the answer to exactly this question is remembered.
    public var fresh: Bool
    /// The tools that the model may call before it answers. A question with tools is never queued, and its answer not
    /// remembered.
    public var tools: ToolOptions
    /// Options for generating the answer.
    public var generation: GenerationOptions

    /// Takes every value; those with a default can be left out.
    public init(
        task: String = "chat",
        privacyClass: PrivacyClass = .public,
        deadline: Duration? = nil,
        expiresIn: Duration? = nil,
        needs: [Need] = [],
        fresh: Bool = false,
        tools: ToolOptions = ToolOptions(),
        generation: GenerationOptions = GenerationOptions()
    ) {
        self.task = task
        self.privacyClass = privacyClass
        self.deadline = deadline
        self.expiresIn = expiresIn
        self.needs = needs
        self.fresh = fresh
        self.tools = tools
        self.generation = generation
    }
}

/// How private a text is, from the least to the most.
public enum PrivacyClass: Sendable, Hashable, CaseIterable {
    /// Nothing was recognised as personal.
    case `public`
    /// Ordinary personal data: a name, an address, a telephone number.
    case personal
    /// Harmful in wrong hands: national ids, cards and accounts, dates of birth, health, religion and the other special
    /// categories, or whatever the app calls so.
    case sensitive
    /// Gives access to something: passwords, keys, or whatever the app declares secret.
    case secret
}

/// What an answer needs beyond text.
public enum Need: Sendable, Hashable, CaseIterable {
    /// Tool calls.
    case tools
    /// An answer that follows a JSON schema.
    case json
}
