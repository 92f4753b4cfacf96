package org.whimbrel.app

import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.runTest
import org.junit.Test
import org.whimbrel.Message
import org.whimbrel.Role
import org.whimbrel.SearchHit
import kotlin.test.assertEquals
import kotlin.test.assertNull

/** The list and its search without a screen, in virtual time. */
@OptIn(ExperimentalCoroutinesApi::class)
class ConversationListModelTest {
    private val shelf = ScriptedShelf()
    private val gateway = ScriptedGateway(shelf)

    private fun withModel(test: suspend TestScope.(ConversationListModel) -> Unit) =
        runTest {
            val model = ConversationListModel(backgroundScope, gateway::kept, { shelf.nowMs })
            model.open()
            settle()
            test(model)
        }

    private fun TestScope.settle() {
        testScheduler.advanceTimeBy(1_000)
        testScheduler.runCurrent()
    }

    private fun keep(
        title: String,
        last: String,
        updatedMs: Long,
        isPinned: Boolean = false,
    ) = shelf.keep(title, listOf(Message(Role.USER, "?"), Message(Role.ASSISTANT, last)), updatedMs, isPinned)

    private val ConversationListModel.titles get() =
        state.value.rows
            .orEmpty()
            .map { it.title }

    @Test
    fun `pinned ones first, then the newest, with the beginning of the last message`() {
        keep("a", "first", 1)
        keep("b", "second\n\nline", 2)
        keep("c", "third", 0, isPinned = true)
        withModel { model ->
            assertEquals(listOf("c", "b", "a"), model.titles)
            val rows =
                model.state.value.rows
                    .orEmpty()
            assertEquals(listOf("third", "second line", "first"), rows.map { it.text })
            assertEquals(listOf(true, false, false), rows.map { it.isPinned })
        }
    }

    @Test
    fun `the list follows what changes`() {
        val id = keep("a", "first", 1).summary.id
        keep("b", "second", 2)
        withModel { model ->
            model.pin(id, true)
            settle()
            assertEquals(listOf("a", "b"), model.titles)
            model.rename(id, " renamed ")
            settle()
            assertEquals(listOf("renamed", "b"), model.titles)
            var deleted = false
            model.delete(id) { deleted = true }
            settle()
            assertEquals(true to listOf("b"), deleted to model.titles)
            shelf.nowMs = 9
            shelf.conversations.single().add(Message(Role.USER, "newer"))
            settle()
            assertEquals(
                listOf("newer"),
                model.state.value.rows
                    ?.map { it.text },
            )
            assertEquals(9, model.state.value.nowMs)
            model.close()
            keep("c", "third", 3)
            settle()
            assertNull(model.state.value.rows, "nothing is read while the list is closed")
        }
    }

    @Test
    fun `a conversation whose first question waits is called like it, one without anything is left out`() {
        val waiting = shelf.keep("", emptyList(), 2).summary.id
        shelf.keep("", emptyList(), 1)
        shelf.enqueue(waiting, "first question")
        shelf.enqueue(waiting, "second question")
        withModel { model ->
            val rows =
                model.state.value.rows
                    .orEmpty()
            assertEquals(listOf("first question" to "first question"), rows.map { it.title to it.text })
        }
    }

    @Test
    fun `a long list is read page by page`() {
        val page = ConversationListModel.PAGE
        repeat(page + 10) { keep("$it", "x", it.toLong()) }
        withModel { model ->
            assertEquals(page, model.titles.size)
            model.more()
            settle()
            assertEquals(List(page + 10) { "${page + 9 - it}" }, model.titles)
            model.more()
            settle()
            assertEquals(page + 10, model.titles.size)
        }
    }

    @Test
    fun `a search shows hits with their conversations, an empty one the list again`() {
        repeat(ConversationListModel.PAGE) { keep("$it", "x", it + 10L) }
        keep("Birds", "A whimbrel is a wader", 1)
        keep("Whimbrels", "y", 2)
        withModel { model ->
            model.find("WHIM")
            assertEquals("WHIM", model.state.value.query)
            settle()
            val rows =
                model.state.value.rows
                    .orEmpty()
            assertEquals(
                listOf("Birds" to "A whimbrel is a wader", "Whimbrels" to "Whimbrels"),
                rows.map {
                    it.title to
                        it.text
                },
            )
            assertEquals(listOf(2..5, 0..3), rows.map { it.hit })
            assertEquals(rows.size, rows.map { it.key }.distinct().size)
            model.find("nowhere")
            settle()
            assertEquals(emptyList(), model.state.value.rows)
            model.find(" ")
            settle()
            assertEquals(ConversationListModel.PAGE, model.titles.size)
            model.find("x".repeat(1_000))
            assertEquals(ConversationListModel.QUERY_CHARACTERS_MAX, model.state.value.query.length)
        }
    }

    @Test
    fun `what cannot be read is said`() {
        gateway.conversations.failure = IllegalStateException()
        withModel { model -> assertEquals(Problem.Internal(100), model.state.value.problem) }
    }

    @Test
    fun `a row has the beginning of a text, or what surrounds a hit`() {
        assertEquals("a b", " a\n\tb ".beginning())
        assertEquals("x".repeat(90), "x".repeat(90).beginning())
        assertEquals("x".repeat(90) + "…", "x".repeat(91).beginning())
        assertEquals("x".repeat(80) + "…", ("x".repeat(80) + " " + "y".repeat(20)).beginning(), "no half words")
        assertEquals("x".repeat(89) + "…", ("x".repeat(89) + "🐦🐦").beginning(), "no half characters")

        fun around(
            text: String,
            hit: String,
        ): Pair<String, String> {
            val place = text.indexOf(hit)
            val start = text.codePointCount(0, place)
            val found = SearchHit("c", 0, 0, text, start, start + hit.codePointCount(0, hit.length))
            return found.around().let { (row, range) -> row to row.substring(range) }
        }
        assertEquals("🐦 the bird\u00a0sings" to "bird\u00a0sings", around("🐦 the bird\u00a0sings", "bird\u00a0sings"))
        assertEquals("a b c" to "b", around("a\n\nb\nc", "b"))
        val long = around("x".repeat(100) + " bird " + "y".repeat(100), "bird")
        assertEquals("…" + "x".repeat(29) + " bird " + "y".repeat(54) + "…" to "bird", long)
        assertEquals("…" + "🐦".repeat(15) + "b" to "b", around("🐦".repeat(40) + "b", "b"))
    }
}
