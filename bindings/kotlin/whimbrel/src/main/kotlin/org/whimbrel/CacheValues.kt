// scripts/bindings-values.py writes this from bindings/ffi/src/caches.rs: change that, then run  make bindings.
package org.whimbrel

/**
 * What the caches take.
 *
 * @property answers remembered answers.
 * @property answerBytes their bytes on the disk.
 * @property savedContexts saved contexts: of system messages, and of conversations that are not open.
 * @property savedContextBytes their bytes on the disk.
 * @property contexts conversations with a context in memory that are not answering.
 * @property contextBytes bytes of keys and values in these contexts.
 */
public data class CacheUse(
    public val answers: Long,
    public val answerBytes: Long,
    public val savedContexts: Long,
    public val savedContextBytes: Long,
    public val contexts: Long,
    public val contextBytes: Long,
)

/**
 * What all caches together may take.
 *
 * @property diskBytes bytes on the disk. The default is 256 MiB.
 * @property memoryBytes bytes of contexts in memory that are not in use. The default is 256 MiB.
 */
public data class CacheBudget(
    public val diskBytes: Long = 268_435_456,
    public val memoryBytes: Long = 268_435_456,
)

/** How much the system wants memory back. */
public enum class MemoryPressure {
    /** Not at all: the budget applies. */
    NONE,

    /** Caches may keep half of their budget in memory. */
    MODERATE,

    /** Caches keep nothing in memory that is not in use. */
    CRITICAL,
}
