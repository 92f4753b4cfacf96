package org.whimbrel.android

import org.junit.Rule
import org.junit.rules.TemporaryFolder
import java.io.File
import java.io.IOException
import java.nio.file.FileAlreadyExistsException
import java.nio.file.Files
import java.util.concurrent.CountDownLatch
import kotlin.concurrent.thread
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertTrue

class FileMovesTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private fun file(name: String) = File(temporary.root, name)

    private fun makeFile(
        name: String,
        text: String = name,
    ) = file(name).apply { writeText(text) }

    private fun makeFolder(name: String) = file(name).apply { mkdirs() }.also { makeFile("$name/part") }

    @Test
    fun `a file replaces a file and never a folder`() {
        FileMoves.replace(makeFile("new"), makeFile("old"))
        assertEquals("new", file("old").readText())
        assertFalse(file("new").exists())
        makeFolder("folder")
        assertFailsWith<IOException> { FileMoves.replace(file("old"), file("folder")) }
        assertEquals("folder/part", file("folder/part").readText())
        assertEquals("new", file("old").readText())
    }

    @Test
    fun `what has the name stays`() {
        val things =
            mapOf<String, (File) -> Unit>(
                "file" to { it.writeText("mine") },
                "folder" to { File(it.apply { mkdirs() }, "mine").writeText("mine") },
                "link to nothing" to { Files.createSymbolicLink(it.toPath(), file("nowhere").toPath()) },
            )
        for ((thing, make) in things) {
            for (isFolder in listOf(false, true)) {
                val case = "$thing, folder $isFolder"
                val from = if (isFolder) makeFolder("from $case") else makeFile("from $case")
                val to = file("to $case").also(make)
                assertFailsWith<FileAlreadyExistsException>(case) { FileMoves.moveNew(from, to) }
                assertTrue(from.exists() && to.isThere(), case)
                assertEquals(thing == "folder", to.isFolder(), case)
                if (thing == "file") assertEquals("mine", to.readText(), case)
                assertEquals(file("to ${case}2"), FileMoves.moveAside(from, to), case)
                assertFalse(from.exists(), case)
            }
        }
    }

    @Test
    fun `a free name is taken`() {
        FileMoves.moveNew(makeFile("a"), file("b"))
        assertEquals("a", file("b").readText())
        FileMoves.moveNew(makeFolder("c"), file("d"))
        assertEquals("c/part", file("d/part").readText())
        // As a process leaves it that died between making and filling a folder.
        file("empty").mkdirs()
        FileMoves.moveNew(file("d"), file("empty"))
        assertEquals(file("moved"), FileMoves.moveAside(file("empty"), file("moved")))
        assertFailsWith<IOException> { FileMoves.moveNew(file("missing"), file("e")) }
        assertFalse(file("e").exists())
    }

    @Test
    fun `of many threads one gets the name`() {
        for (isFolder in listOf(false, true)) {
            repeat(20) { round ->
                val sources = List(4) { "$isFolder $round from $it" }
                for (name in sources) if (isFolder) makeFolder(name) else makeFile(name)
                val to = file("$isFolder $round to")
                val start = CountDownLatch(1)
                val threads =
                    sources.map { name ->
                        thread {
                            start.await()
                            try {
                                FileMoves.moveNew(file(name), to)
                            } catch (error: FileAlreadyExistsException) {
                                return@thread
                            }
                        }
                    }
                start.countDown()
                threads.forEach { it.join() }
                val gone = sources.filterNot { file(it).exists() }
                assertEquals(1, gone.size, "$isFolder $round")
                val expected = if (isFolder) "${gone.single()}/part" else gone.single()
                assertEquals(expected, (if (isFolder) File(to, "part") else to).readText())
            }
        }
    }

    @Test
    fun `only what was named is deleted, and no link is followed`() {
        makeFolder("mine")
        val folder = makeFolder("folder")
        makeFile("folder/kept")
        Files.createSymbolicLink(File(folder, "link").toPath(), file("mine").toPath())
        FileMoves.delete(folder) { it == "part" || it == "link/part" }
        assertEquals(setOf("kept", "link"), folder.list()?.toSet())
        FileMoves.delete(folder) { true }
        assertFalse(folder.exists())
        assertEquals("mine/part", file("mine/part").readText())
    }
}
