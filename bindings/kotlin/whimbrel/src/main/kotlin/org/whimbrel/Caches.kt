package org.whimbrel

import org.whimbrel.ffi.Caches as CoreCaches

/**
 * What is kept only to save time: remembered answers, and what models have read, on the disk (encrypted) and in memory.
 * See [Assistant.caches], [Conversations.caches] and [WhimbrelClient.caches]. Without them everything works as before,
 * only slower. Every call fails with [WhimbrelException.Closed] after the assistant or the store was closed, and with
 * [WhimbrelException.Ledger] if the store cannot be read or written.
 */
public class Caches internal constructor(
    private val core: suspend () -> CoreCaches,
) {
    /** What the caches take now. */
    public suspend fun usage(): CacheUse = awaited { core().usage().toPublic() }

    /** Empties all caches. Conversations stay as they are; their text is read again when they go on. */
    public suspend fun clear(): Unit = awaited { core().clear() }

    /** Sets what all caches together may take. What exceeds it is dropped at once. */
    public suspend fun setBudget(budget: CacheBudget): Unit = awaited { core().setBudget(budget.toCore()) }

    /**
     * Gives memory back, as much as the system wants; for `onTrimMemory`. Contexts of kept conversations are saved first,
     * except under [MemoryPressure.CRITICAL]. Nothing that is in use is dropped.
     */
    public suspend fun trim(pressure: MemoryPressure): Unit = awaited { core().trim(pressure.toCore()) }
}
