// scripts/bindings-values.py writes this from bindings/ffi/src/model.rs: change that, then run  make bindings.

/// Properties of an open model.
public struct ModelInfo: Sendable, Equatable {
    /// The model's display name.
    public var name: String
    /// The bundle's version.
    public var version: String
    /// The licence of the weights as an SPDX expression, or `unknown`.
    public var licence: String
    /// The longest context that the model supports, in tokens.
    public var contextLength: Int
    /// Number of layers.
    public var layers: Int
    /// Number of threads that compute.
    public var threads: Int
    /// How long opening took, verification included.
    public var loadTime: Duration
    /// Whether the model supports conversations; otherwise it only supports raw completions.
    public var hasChatTemplate: Bool
    /// Whether the model can think before it answers, so that the option `thinking` can be switched on.
    public var canThink: Bool
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
        canThink: Bool,
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
        self.canThink = canThink
        self.languages = languages
        self.limits = limits
    }
}
