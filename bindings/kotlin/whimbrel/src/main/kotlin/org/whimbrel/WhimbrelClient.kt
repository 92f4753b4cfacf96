package org.whimbrel

import kotlinx.coroutines.Deferred
import kotlinx.coroutines.ExperimentalCoroutinesApi
import org.whimbrel.ffi.Client

/**
 * Opens models. All computing happens on one background thread that this object owns; nothing here blocks its caller, so
 * every function may be called from the main thread. The constructor too returns at once: the native library is loaded
 * in the background, and [openModel] says when that failed.
 */
public class WhimbrelClient : AutoCloseable {
    private val opening: Deferred<Client> = CoreLibrary.begin { translated { Client() } }

    /** The number of answers in progress in all conversations. A cancelled answer counts until it has ended. */
    public val activeAnswers: Int
        get() = opened?.activeAnswers()?.toInt() ?: 0

    /** The core's client; null while it is being opened, and when it could not be. */
    @OptIn(ExperimentalCoroutinesApi::class)
    private val opened: Client?
        get() = if (opening.isCompleted && !opening.isCancelled) opening.getCompleted() else null

    /**
     * Opens the bundle in the folder [path]. Answers in progress pause until it is open.
     *
     * @throws WhimbrelException.Library when the native library is missing or cannot be used.
     * @throws WhimbrelException.Internal when the system gives no thread.
     * @throws WhimbrelException with what is wrong with the bundle or the options.
     */
    public suspend fun openModel(
        path: String,
        options: OpenOptions = OpenOptions(),
    ): LanguageModel = awaited { LanguageModel(opening.await().openModel(path, options.toCore())) }

    /** Cancels all answers and closes all models. Returns at once; safe to call again. */
    override fun close() {
        // What is not open yet closes as soon as it is.
        opening.invokeOnCompletion { opened?.release() }
    }

    /** Like [close], and waits until all memory is given back. Safe to call again. */
    public suspend fun shutdown() {
        // Also where the caller is cancelled and cannot wait.
        close()
        opening.join()
        opened?.let { client -> awaited { client.shutdown() } }
    }
}
