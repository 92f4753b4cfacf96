package org.whimbrel

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import java.io.File
import java.nio.file.Files
import java.util.Properties
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit

// A program for LibraryTest: the native library is loaded once in a process, so each case has a process of its own.

/** What an app asks first of the package, by name. */
private val entries: Map<String, suspend () -> Unit> =
    mapOf(
        "client" to { WhimbrelClient().openModel(Models.tiny).close() },
        "assistant" to { Assistant.open(assistantOptions()).close() },
        "restart" to { Assistant.restartLedger(assistantOptions().store, MemoryKeyVault()) },
        "preset" to { Preset.PRIVATE.text },
    )

private fun assistantOptions(): AssistantOptions {
    val folder = Files.createTempDirectory("whimbrel").toFile().apply { deleteOnExit() }
    return AssistantOptions(File(folder, "ledger").path, MemoryKeyVault(), PolicyDocument.OfPreset(Preset.PRIVATE))
}

/** `error` prints what each entry fails with, twice; `threads ENTRY` prints which thread loads the library. */
fun main(arguments: Array<String>): Unit =
    runBlocking {
        when (arguments[0]) {
            "error" -> printErrors()
            "threads" -> printThreads(entries.getValue(arguments[1]))
        }
    }

private suspend fun printErrors() {
    WhimbrelLog.setLevel(LogLevel.ERROR)
    repeat(2) {
        for ((name, call) in entries) println("$name: ${errorOf(call)}")
    }
    // What never opened can still be closed.
    WhimbrelClient().use { client ->
        check(client.activeAnswers == 0)
        client.close()
        client.shutdown()
    }
    println("closed")
}

private suspend fun errorOf(call: suspend () -> Unit): String =
    try {
        call()
        "no error"
    } catch (error: WhimbrelException.Library) {
        error.message.orEmpty()
    } catch (error: Throwable) {
        error.toString()
    }

private suspend fun printThreads(call: suspend () -> Unit): Unit =
    coroutineScope {
        val caller = Thread.currentThread()
        val hold = LoadingHold()
        System.setProperties(hold)
        val calling = launch(start = CoroutineStart.UNDISPATCHED) { call() }
        // Only a caller that was not held gets here before the library is loaded.
        hold.release()
        calling.join()
        println(if (hold.wasReleased) "the caller went on" else "the caller was held")
        println(if (hold.loader === caller) "loaded by the caller" else "loaded by another thread")
    }

/** Holds whoever loads the library until [release], by the property in which the generated code looks for its name. */
private class LoadingHold : Properties(System.getProperties()) {
    private val released = CountDownLatch(1)

    @Volatile var wasReleased: Boolean = false

    @Volatile var loader: Thread? = null

    fun release() = released.countDown()

    override fun getProperty(key: String?): String? {
        if (key == "uniffi.component.whimbrel.libraryOverride" && loader == null) {
            loader = Thread.currentThread()
            wasReleased = released.await(HELD_SECONDS_MAX, TimeUnit.SECONDS)
        }
        return super.getProperty(key)
    }

    private companion object {
        /** Only where the test fails does anybody wait that long. */
        const val HELD_SECONDS_MAX = 5L
    }
}
