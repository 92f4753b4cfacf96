package org.whimbrel

import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import org.whimbrel.ffi.Client
import org.whimbrel.ffi.ModelImport

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

    /**
     * Opens the conversations of the store at [path] without a policy or a ledger; the file is created if it does not
     * exist. Choose the model that answers with [Conversations.answeredBy]. Only one assistant or client can have a store
     * open, until [Conversations.shutdown].
     *
     * @throws WhimbrelException.Ledger when the store is in use, damaged or was tampered with.
     * @throws WhimbrelException.Vault when the key vault fails.
     */
    public suspend fun conversations(
        path: String,
        vault: KeyVault,
    ): Conversations = awaited { Conversations(opening.await().conversations(path, ForeignVault(vault))) }

    /**
     * Makes a bundle of the GGUF file [file], or of all parts of a split file of which one is named, for [openModel].
     * The bundle is kept in [folder], by the file's content: a file that was imported before is ready at once. The
     * last event is [ImportEvent.Finished] with the bundle's path. Collecting the flow starts the import, and leaving
     * it early cancels it; nothing is left of a cancelled or failed import.
     *
     * The flow throws [WhimbrelException.Import] with what is wrong with the file.
     */
    public fun importModel(
        file: String,
        folder: String,
    ): Flow<ImportEvent> =
        flow {
            opening.await()
            val import = translated { ModelImport.start(file, folder) }
            try {
                do {
                    val event = translated { import.next() }
                    event?.let { emit(it.toPublic()) }
                } while (event != null)
            } finally {
                import.cancel()
                import.close()
            }
        }.flowOn(Dispatchers.Default) // a collector without a dispatcher would run on the core's own thread

    /** What models have read in conversations without a policy, in memory. */
    public val caches: Caches = Caches { opening.await().caches() }

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
