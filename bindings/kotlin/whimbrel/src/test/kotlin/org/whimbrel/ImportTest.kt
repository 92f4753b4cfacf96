package org.whimbrel

import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import java.io.File
import java.nio.file.Files
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertTrue

class ImportTest {
    private val file = Models.variable("WHIMBREL_TINY_GGUF")

    private fun withFolder(test: suspend (WhimbrelClient, File) -> Unit) {
        val folder = Files.createTempDirectory("whimbrel").toFile()
        try {
            withClient { client -> test(client, folder) }
        } finally {
            folder.deleteRecursively()
        }
    }

    private fun bundles(folder: File): List<String> = folder.list().orEmpty().filter { it != "files" }

    @Test
    fun `a file is imported once and answers`() =
        withFolder { client, folder ->
            val events = client.importModel(file, folder.path).toList()
            val path = assertIs<ImportEvent.Finished>(events.last()).path
            assertEquals(folder.path, File(path).parent)
            val phases = events.filterIsInstance<ImportEvent.Progress>()
            assertEquals(setOf(ImportPhase.HASHING, ImportPhase.WRITING), phases.map { it.phase }.toSet())
            assertTrue(phases.all { it.done <= it.total })
            val model = client.openModel(path)
            val steps = model.complete("Light is", GenerationOptions(maxTokens = 4)).toList()
            assertTrue(steps.text.isNotEmpty())

            val again = client.importModel(file, folder.path).toList()
            assertEquals(ImportEvent.Finished(path), again.last())
            assertTrue(again.none { it is ImportEvent.Progress && it.phase == ImportPhase.WRITING })
            assertEquals(1, bundles(folder).size)
        }

    @Test
    fun `what cannot be imported leaves nothing`() =
        withFolder { client, folder ->
            val bytes = File(file).readBytes()
            val truncated = File(folder, "truncated.gguf").apply { writeBytes(bytes.copyOf(bytes.size / 2)) }
            val foreign = File(folder, "foreign.gguf").apply { writeText("not a model") }
            val cache = File(folder, "cache")
            for ((source, problem) in listOf(
                truncated.path to "invalid",
                foreign.path to "invalid",
                "/no/such/file.gguf" to "missing",
            )) {
                val error =
                    assertFailsWith<WhimbrelException.Import> { client.importModel(source, cache.path).toList() }
                assertEquals(problem, error.problem)
                assertEquals("import", error.code)
                assertEquals(emptyList(), cache.list().orEmpty().toList())
            }
        }

    @Test
    fun `leaving early cancels`() =
        withFolder { client, folder ->
            client.importModel(file, folder.path).first()
            // The next import does not meet an unfinished one.
            val end = client.importModel(file, folder.path).toList().last()
            assertIs<ImportEvent.Finished>(end)
            assertEquals(1, bundles(folder).size)
        }
}
