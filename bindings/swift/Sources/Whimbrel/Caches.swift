internal import WhimbrelCore

/// What is kept only to save time: remembered answers, and what models have read, on the disk (encrypted) and in memory.
/// See `Assistant.caches`, `Conversations.caches` and `WhimbrelClient.caches`. Without them everything works as before,
/// only slower. Every call fails with `closed` after the assistant or the store was closed, and with `ledger` if the
/// store cannot be read or written.
public final class Caches: Sendable {
    private let core: WhimbrelCore.Caches

    init(_ core: WhimbrelCore.Caches) { self.core = core }

    /// What the caches take now.
    public func usage() async throws -> CacheUse {
        try await translated { try await core.usage() }.toPublic()
    }

    /// Empties all caches. Conversations stay as they are; their text is read again when they go on.
    public func clear() async throws { try await translated { try await core.clear() } }

    /// Sets what all caches together may take. What exceeds it is dropped at once.
    public func setBudget(_ budget: CacheBudget) async throws {
        let budget = try budget.toCore()
        try await translated { try await core.setBudget(budget: budget) }
    }

    /// Gives memory back, as much as the system wants; for a memory warning. Contexts of kept conversations are
    /// saved first, except under `critical`. Nothing that is in use is dropped.
    public func trim(_ pressure: MemoryPressure) async throws {
        try await translated { try await core.trim(pressure: pressure.toCore()) }
    }
}
