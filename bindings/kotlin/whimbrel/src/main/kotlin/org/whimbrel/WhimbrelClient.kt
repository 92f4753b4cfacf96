package org.whimbrel

import org.whimbrel.ffi.Client

/**
 * Opens models. All computing happens on one background thread that this object owns. No function blocks its caller, so
 * every function may be called from the main thread.
 *
 * @throws WhimbrelException.Internal if the system cannot start a thread.
 */
public class WhimbrelClient : AutoCloseable {
    private val core: Client = translated { Client() }

    /** The number of answers in progress in all conversations. A cancelled answer counts until it has ended. */
    public val activeAnswers: Int
        get() = core.activeAnswers().toInt()

    /**
     * Opens the bundle in the folder [path]. Answers in progress pause until it is open.
     *
     * @throws WhimbrelException with what is wrong with the bundle or the options.
     */
    public suspend fun openModel(
        path: String,
        options: OpenOptions = OpenOptions(),
    ): LanguageModel = translated { LanguageModel(core.openModel(path, options.toCore())) }

    /** Cancels all answers and closes all models. Returns at once, and may be called again. */
    override fun close(): Unit = core.release()

    /** Like [close], but waits until all memory is released. May be called again. */
    public suspend fun shutdown(): Unit = core.shutdown()
}
