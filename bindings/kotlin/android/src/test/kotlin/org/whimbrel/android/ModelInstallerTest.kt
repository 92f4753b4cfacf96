package org.whimbrel.android

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.Rule
import org.junit.rules.TemporaryFolder
import java.io.ByteArrayInputStream
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.nio.file.Files
import java.util.concurrent.CountDownLatch
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNull
import kotlin.test.assertTrue

class ModelInstallerTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private val folder by lazy { File(temporary.root, "models") }
    private val installer by lazy { ModelInstaller(folder) }

    /** A bundle in memory; [listed] changes what it says of its files. */
    private class Source(
        private val contents: Map<String, ByteArray>,
        private val listed: (ModelFile) -> ModelFile = { it },
        private val onOpen: (String) -> Unit = {},
    ) : ModelSource {
        override fun files() = contents.map { (path, bytes) -> listed(ModelFile(path, bytes.size.toLong())) }

        override fun open(file: ModelFile): InputStream {
            onOpen(file.path)
            return ByteArrayInputStream(contents.getValue(file.path))
        }
    }

    private val bundle =
        mapOf(
            "manifest.json" to "{}".toByteArray(),
            "q4_1/weights.bin" to ByteArray(700_000) { it.toByte() },
        )

    private fun files() =
        folder
            .walk()
            .filter { it.isFile }
            .map { it.relativeTo(folder).invariantSeparatorsPath }
            .toSet()

    private val installedFiles = bundle.keys.map { "installed/$it" }.toSet() + "installed/.installed-files"

    @Test
    fun `a bundle is copied with progress and found afterwards`() =
        runBlocking {
            assertNull(installer.installed())
            val progress = installer.install(Source(bundle)).toList()
            assertEquals(InstallProgress(700_002, 700_002), progress.last())
            assertEquals(progress.sortedBy { it.doneBytes }, progress)
            val installed = assertInstalled()
            assertTrue(
                bundle.getValue("q4_1/weights.bin").contentEquals(File(installed, "q4_1/weights.bin").readBytes()),
            )
        }

    private suspend fun assertInstalled(): File {
        assertEquals(installedFiles, files())
        return requireNotNull(ModelInstaller(folder).installed())
    }

    @Test
    fun `a source that does not know sizes`() =
        runBlocking {
            val progress = installer.install(Source(bundle, { it.copy(bytes = null) })).toList()
            assertEquals(InstallProgress(700_002, null), progress.last())
            assertInstalled()
            Unit
        }

    @Test
    fun `what fails leaves the model before in its place`() =
        runBlocking {
            installer.install(Source(bundle)).toList()
            val cases =
                mapOf<ModelSource, Class<out InstallException>>(
                    Source(bundle - "manifest.json") to InstallException.NotAModel::class.java,
                    Source(bundle, { it.copy(bytes = 5) }) to InstallException.SourceUnreadable::class.java,
                    Source(bundle, onOpen = { if (it != "manifest.json") throw IOException() }) to
                        InstallException.SourceUnreadable::class.java,
                    Source(bundle, onOpen = { throw SecurityException() }) to
                        InstallException.SourceUnreadable::class.java,
                    Source(bundle + ("../escape" to ByteArray(1))) to InstallException.SourceUnreadable::class.java,
                    Source(bundle + ("a//b" to ByteArray(1))) to InstallException.SourceUnreadable::class.java,
                    Source(bundle + ("a\nb" to ByteArray(1))) to InstallException.SourceUnreadable::class.java,
                    Source(bundle, { it.copy(bytes = Long.MAX_VALUE / 4) }) to InstallException.NoSpace::class.java,
                )
            for ((source, error) in cases) {
                assertEquals(error, assertFailsWith<InstallException> { installer.install(source).toList() }.javaClass)
                assertInstalled()
            }
        }

    @Test
    fun `as many files as the limit, and one more`() =
        runBlocking {
            val many = (1 until ModelInstaller.FILES_MAX).associate { "file$it" to ByteArray(1) }
            installer.install(Source(many + ("manifest.json" to ByteArray(1)))).toList()
            assertEquals(ModelInstaller.FILES_MAX + 1, files().size, "and the list of them")
            val error =
                assertFailsWith<InstallException.TooManyFiles> { installer.install(Source(many + bundle)).toList() }
            assertEquals(ModelInstaller.FILES_MAX, error.limit)
        }

    @Test
    fun `just enough space, and a byte less`() =
        runBlocking {
            val needed = 700_002 + ModelInstaller.SPARE_BYTES
            ModelInstaller(folder, freeBytes = { needed }).install(Source(bundle)).toList()
            val tight = ModelInstaller(folder, freeBytes = { needed - 1 })
            val error = assertFailsWith<InstallException.NoSpace> { tight.install(Source(bundle)).toList() }
            assertEquals(needed to needed - 1, error.neededBytes to error.freeBytes)
        }

    @Test
    fun `a cancelled installation leaves nothing`() =
        runBlocking {
            val reached = CompletableDeferred<Unit>()
            val cancelled = CountDownLatch(1)
            val source =
                Source(bundle, onOpen = {
                    reached.complete(Unit)
                    cancelled.await()
                })
            val installation = launch { installer.install(source).collect() }
            reached.await()
            installation.cancel()
            cancelled.countDown()
            installation.join()
            assertEquals(emptySet(), files())
            assertNull(installer.installed())
        }

    @Test
    fun `what a dead process left is tidied up`() =
        runBlocking {
            val work = File(folder, ".installed.whimbrel")
            File(work, "new").mkdirs()
            File(work, "new/manifest.json").writeText("{}")
            assertNull(installer.installed())
            assertFalse(work.exists())

            installer.install(Source(bundle)).toList()
            val installed = File(folder, "installed")
            // Between the renames of an exchange.
            work.mkdirs()
            installed.renameTo(File(work, "aside"))
            assertInstalledAfterTidying()
            // Before the old model was deleted.
            installed.copyRecursively(File(work, "aside"))
            assertInstalledAfterTidying()
            // While it was deleted, or while the model was removed.
            installed.copyRecursively(File(work, "gone"))
            File(work, "gone/manifest.json").delete()
            assertInstalledAfterTidying()
            // Before a folder was filled.
            installer.remove()
            installed.mkdirs()
            installer.install(Source(bundle)).toList()
            assertInstalledAfterTidying()
        }

    private suspend fun assertInstalledAfterTidying() {
        requireNotNull(installer.installed())
        assertEquals(installedFiles, files())
        assertEquals(listOf("installed"), folder.list()?.toList())
    }

    @Test
    fun `what the installer did not make is neither replaced nor removed`() =
        runBlocking {
            for (what in listOf("a folder", "a model", "a file", "a link")) {
                val place = File(folder, "installed")
                appear(what, place)
                assertFailsWith<InstallException.Occupied>(what) { installer.install(Source(bundle)).toList() }
                assertFailsWith<InstallException.Occupied>(what) { installer.remove() }
                assertMine(what, place)
                assertEquals(listOf("installed"), folder.list()?.toList(), what)
                folder.deleteRecursively()
            }
        }

    /** Somebody else's thing, in place of what may be there. */
    private fun appear(
        what: String,
        place: File,
    ) {
        place.parentFile.mkdirs()
        when (what) {
            "a file" -> place.writeText("mine")
            "a link" -> Files.createSymbolicLink(place.toPath(), File(temporary.root, "nowhere").toPath())
            else -> File(place.apply { mkdirs() }, "mine").writeText("mine")
        }
        if (what == "a model") File(place, "manifest.json").writeText("{}")
    }

    private fun assertMine(
        what: String,
        place: File,
    ) = when (what) {
        "a file" -> assertEquals("mine", place.readText())
        "a link" -> assertTrue(Files.isSymbolicLink(place.toPath()))
        else -> assertEquals("mine", File(place, "mine").readText())
    }

    @Test
    fun `what appears in the model's place at any step stays`() =
        runBlocking {
            val place = File(folder, "installed")
            for (what in listOf("a folder", "a file", "a link")) {
                for (step in ModelInstaller.Step.entries) {
                    for (hasOld in listOf(false, true)) {
                        // Only a model is looked at and then moved.
                        if (step == ModelInstaller.Step.CHECKED && !hasOld) continue
                        val case = "$what at $step, model before: $hasOld"
                        if (hasOld) ModelInstaller(folder).install(Source(bundle)).toList()
                        val moved = File(temporary.root, "moved away")
                        val installer = ModelInstaller(folder)
                        installer.onStep = { now ->
                            if (now == step) {
                                place.renameTo(moved)
                                appear(what, place)
                            }
                        }
                        assertFailsWith<InstallException.Occupied>(case) { installer.install(Source(bundle)).toList() }
                        assertMine(what, place)
                        // A model that had to go is back as soon as its place is free.
                        if (step == ModelInstaller.Step.ASIDE && hasOld) {
                            place.renameTo(moved)
                            assertEquals(place, ModelInstaller(folder).installed(), case)
                        }
                        folder.deleteRecursively()
                        moved.deleteRecursively()
                    }
                }
            }
        }

    @Test
    fun `a file that was added to the model is kept`() =
        runBlocking {
            repeat(2) { round ->
                installer.install(Source(bundle)).toList()
                File(folder, "installed/q4_1/notes.txt").writeText("mine $round")
                File(folder, "installed/.verified.json").writeText("{}")
                if (round == 0) installer.install(Source(bundle)).toList() else installer.remove()
            }
            assertEquals(setOf("installed.kept/q4_1/notes.txt", "installed.kept2/q4_1/notes.txt"), files())
            assertEquals("mine 1", File(folder, "installed.kept2/q4_1/notes.txt").readText())
        }

    @Test
    fun `a model takes the place of another, and is removed`() =
        runBlocking {
            installer.install(Source(bundle + ("old" to ByteArray(1)))).toList()
            installer.install(Source(bundle)).toList()
            assertInstalled()
            installer.remove()
            assertEquals(emptySet(), files())
            installer.remove()
            assertNull(installer.installed())
        }

    @Test
    fun `a folder is a source`() {
        val source = temporary.newFolder("source")
        bundle.forEach { (path, bytes) -> File(source, path).apply { parentFile.mkdirs() }.writeBytes(bytes) }
        runBlocking { FolderModelSource(source).let { installer.install(it).toList() } }
        assertEquals(installedFiles, files())
    }
}
