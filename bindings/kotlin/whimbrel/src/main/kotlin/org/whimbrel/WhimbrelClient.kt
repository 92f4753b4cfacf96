package org.whimbrel

import org.whimbrel.ffi.Client

/**
 * Opens models. All computing happens on one background thread that this object owns; nothing here blocks its caller, so
 * every function may be called from the main thread.
 *
 * @throws WhimbrelException.Internal when the system gives no thread.
 */
public class WhimbrelClient : AutoCloseable {
    private val core: Client = translated { Client() }

    /** Answers in the making, in all conversations. A cancelled answer counts until it has really ended. */
    public val activeAnswers: Int
        get() = core.activeAnswers().toInt()

    /**
     * Opens the bundle in the folder [path]. Answers in the making pause meanwhile.
     *
     * @throws WhimbrelException with what is wrong with the bundle or the options.
     */
    public suspend fun openModel(
        path: String,
        options: OpenOptions = OpenOptions(),
    ): LanguageModel = translated { LanguageModel(core.openModel(path, options.toCore())) }

    /** Cancels all answers and closes all models. Returns at once; safe to call again. */
    override fun close(): Unit = core.release()

    /** Like [close], and waits until all memory is given back. Safe to call again. */
    public suspend fun shutdown(): Unit = core.shutdown()
}
