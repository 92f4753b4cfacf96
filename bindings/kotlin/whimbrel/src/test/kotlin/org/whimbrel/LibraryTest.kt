package org.whimbrel

import com.sun.jna.Native
import com.sun.jna.Platform
import java.io.File
import java.lang.reflect.Modifier
import java.nio.file.Files
import java.util.concurrent.CompletableFuture
import kotlin.coroutines.Continuation
import kotlin.coroutines.EmptyCoroutineContext
import kotlin.coroutines.startCoroutine
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** How the native library is loaded, and what an app is told when it cannot be. */
class LibraryTest {
    @Test
    fun `the tests run on the oldest standard library that apps may have`() {
        assertEquals(KotlinVersion(2, 1, 0), KotlinVersion.CURRENT)
    }

    @Test
    fun `a library that is missing`() =
        checkErrors("missing", "${Platform.RESOURCE_PREFIX}/$file", "jna.library.path", "make packages") {}

    @Test
    fun `a library that the system cannot load`() =
        checkErrors("unloadable", "damaged", "make packages") { library -> library.writeText("no library") }

    @Test
    fun `a library without what the package calls`() =
        checkErrors("other_version", "older copies") { library ->
            val other = "/com/sun/jna/${Platform.RESOURCE_PREFIX}/${System.mapLibraryName("jnidispatch")}"
            library.writeBytes(Native::class.java.getResourceAsStream(other)!!.readAllBytes())
        }

    @Test
    fun `a library with another contract`() =
        checkErrors("other_version", "older copies") { library -> compile(library, nativeFunctions()) }

    @Test
    fun `the library is not loaded on the caller's thread`() {
        for (entry in listOf("client", "assistant", "restart")) {
            val said = probe(System.getProperty("jna.library.path"), "threads", entry)
            assertEquals(listOf("the caller went on", "loaded by another thread"), said, entry)
        }
    }

    @Test
    fun `an app without a dispatcher does not go on in the core's thread`() {
        val thread = CompletableFuture<String>()
        val main = suspend { WhimbrelClient().use { it.openModel(Models.tiny).close() } }
        main.startCoroutine(Continuation(EmptyCoroutineContext) { thread.complete(Thread.currentThread().name) })
        assertTrue("DefaultDispatcher" in thread.get(), thread.get())
    }

    /** Every way in fails with [problem] and with advice in these [words], as often as it is tried. */
    private fun checkErrors(
        problem: String,
        vararg words: String,
        prepare: (File) -> Unit,
    ) {
        val folder = Files.createTempDirectory("whimbrel").toFile()
        try {
            prepare(File(folder, file))
            val said = probe(folder.path, "error")
            val entries = listOf("client", "assistant", "restart", "preset")
            assertEquals(entries + entries + "closed", said.map { it.substringBefore(": ") })
            for (line in said.dropLast(1)) {
                assertTrue("library: $problem: " in line, line)
                for (word in words) assertTrue(word in line, line)
            }
        } finally {
            folder.deleteRecursively()
        }
    }

    /** What LibraryProbe prints in a process whose library is looked for in [libraries]. */
    private fun probe(
        libraries: String,
        vararg arguments: String,
    ): List<String> {
        val java = File(System.getProperty("java.home"), "bin/java").path
        val classPath = System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")
        val options = listOf("-XX:TieredStopAtLevel=1", "-Djna.library.path=$libraries")
        return run(listOf(java) + options + listOf("-cp", classPath, "org.whimbrel.LibraryProbeKt") + arguments)
    }

    private fun compile(
        library: File,
        functions: List<String>,
    ) {
        val source = File.createTempFile("whimbrel", ".c")
        source.writeText(functions.joinToString("\n") { "long $it(void) { return 0; }" })
        run(listOf("cc", "-shared", "-fPIC", "-o", library.path, source.path))
        source.delete()
    }

    /** The functions of the core that the generated code binds. */
    private fun nativeFunctions(): List<String> =
        listOf("IntegrityCheckingUniffiLib", "UniffiLib")
            .flatMap { Class.forName("org.whimbrel.ffi.$it", false, javaClass.classLoader).declaredMethods.toList() }
            .filter { Modifier.isNative(it.modifiers) }
            .map { it.name }
            .distinct()

    private fun run(command: List<String>): List<String> {
        val process = ProcessBuilder(command).redirectErrorStream(true).start()
        val lines = process.inputStream.bufferedReader().readLines()
        assertEquals(0, process.waitFor(), lines.joinToString("\n"))
        return lines
    }

    private companion object {
        val file: String = System.mapLibraryName("whimbrel")
    }
}
