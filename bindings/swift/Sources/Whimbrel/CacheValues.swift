// scripts/bindings-values.py writes this from bindings/ffi/src/caches.rs: change that, then run  make bindings.

/// What the caches take.
public struct CacheUse: Sendable, Equatable {
    /// Remembered answers.
    public var answers: Int
    /// Their bytes on the disk.
    public var answerBytes: Int
    /// Saved contexts: of system messages, and of conversations that are not open.
    public var savedContexts: Int
    /// Their bytes on the disk.
    public var savedContextBytes: Int
    /// Conversations with a context in memory that are not answering.
    public var contexts: Int
    /// Bytes of keys and values in these contexts.
    public var contextBytes: Int

    /// Takes every value; those with a default can be left out.
    public init(
        answers: Int,
        answerBytes: Int,
        savedContexts: Int,
        savedContextBytes: Int,
        contexts: Int,
        contextBytes: Int
    ) {
        self.answers = answers
        self.answerBytes = answerBytes
        self.savedContexts = savedContexts
        self.savedContextBytes = savedContextBytes
        self.contexts = contexts
        self.contextBytes = contextBytes
    }
}

/// What all caches together may take.
public struct CacheBudget: Sendable, Equatable {
    /// Bytes on the disk. The default is 256 MiB.
    public var diskBytes: Int
    /// Bytes of contexts in memory that are not in use. The default is 256 MiB.
    public var memoryBytes: Int

    /// Takes every value; those with a default can be left out.
    public init(
        diskBytes: Int = 268_435_456,
        memoryBytes: Int = 268_435_456
    ) {
        self.diskBytes = diskBytes
        self.memoryBytes = memoryBytes
    }
}

/// How much the system wants memory back.
public enum MemoryPressure: Sendable, Hashable, CaseIterable {
    /// Not at all: the budget applies.
    case none
    /// Caches may keep half of their budget in memory.
    case moderate
    /// Caches keep nothing in memory that is not in use.
    case critical
}
