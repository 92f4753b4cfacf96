// scripts/bindings-values.py writes this from bindings/ffi/src/model.rs: change that, then run  make bindings.

/// What is known of an open model.
public struct ModelInfo: Sendable, Equatable {
    /// The model's name, for people.
    public var name: String
    /// The bundle's version.
    public var version: String
    /// The licence of the weights as an SPDX expression, or `unknown`.
    public var licence: String
    /// The longest context that the model was made for, in tokens.
    public var contextLength: Int
    /// Layers of the network.
    public var layers: Int
    /// Threads that compute.
    public var threads: Int
    /// Time that opening took, verification included.
    public var loadTime: Duration
    /// Whether conversations are possible; otherwise only raw completions are.
    public var hasChatTemplate: Bool
    /// The languages that the model knows, as BCP 47 tags, best first; empty where the bundle does not say.
    public var languages: [String]
    /// What people should know before they trust the model, to be shown to them; absent where the bundle does not say.
    public var limits: String?

    /// Takes every value; those with a default can be left out.
    public init(
        name: String,
        version: String,
        licence: String,
        contextLength: Int,
        layers: Int,
        threads: Int,
        loadTime: Duration,
        hasChatTemplate: Bool,
        languages: [String],
        limits: String?
    ) {
        self.name = name
        self.version = version
        self.licence = licence
        self.contextLength = contextLength
        self.layers = layers
        self.threads = threads
        self.loadTime = loadTime
        self.hasChatTemplate = hasChatTemplate
        self.languages = languages
        self.limits = limits
    }
}
