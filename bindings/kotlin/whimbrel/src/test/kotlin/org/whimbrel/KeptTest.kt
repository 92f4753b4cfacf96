package org.whimbrel

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.takeWhile
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import java.io.BufferedReader
import java.io.File
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNotEquals
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.minutes

/** Conversations that are kept, and questions that wait in the outbox: over the ends of processes, lost networks and lost keys. */
class KeptTest {
    @Test
    fun `a question that was queued offline is answered once, though its process ended`() =
        onPhone(ChatServer("In Africa.")) { phone, server ->
            val (id, said) = probe("queue", phone).use { it.readLines() }
            assertEquals("DEFERRED 1 true", said)
            assertTrue(server.requests.isEmpty() && !phone.has("waders"))

            val assistant = phone.start(Network.OFFLINE)
            assertEquals(OutboxRun(0, 1, null, NETWORK), assistant.outbox.runDue().copy(nextMs = null))
            val queued = assistant.outbox.list().single()
            assertEquals(listOf(1L, id, QUESTION), listOf(queued.id, queued.conversation, queued.text))
            assertEquals(NETWORK to QueueState.Waiting, queued.needs to queued.state)
            assistant.updateDevice(DeviceUpdate(network = Network.UNMETERED))
            val run = assistant.outbox.runDue(RunBudget(attempts = 5, within = 1.minutes))
            assertEquals(OutboxRun(1, 0, null, NOTHING), run)
            assertEquals(0, assistant.outbox.runDue().answered)

            val conversation = assistant.conversations.open(id)
            assertEquals(listOf(Role.USER to QUESTION, Role.ASSISTANT to "In Africa. "), conversation.said())
            assertEquals(1, server.requests.size)
            val receipt = assertNotNull(conversation.messages().last().receipt)
            assertEquals(Outcome.ANSWERED, assistant.receipt(receipt).outcome)
            assertEquals(listOf(QUESTION), assistant.conversations.titles())
            assertFalse(phone.has("Africa"))
            assistant.shutdown()
        }

    @Test
    fun `an answer whose process ends is marked`() =
        onPhone(ChatServer("In Africa.", stalls = true)) { phone, _ ->
            val child = process("answer", phone)
            val output = child.inputStream.bufferedReader()
            val id = output.readLine()
            assertEquals("IN_PROGRESS", output.readLine())
            child.destroyForcibly().waitFor()

            val assistant = phone.start(Network.OFFLINE)
            val kept = assistant.conversations.show(id).messages
            assertEquals(listOf(MessageState.COMPLETE, MessageState.INTERRUPTED), kept.map { it.state })
            val messages = assistant.conversations.open(id).messages()
            assertEquals(listOf(QUESTION to false, "In " to true), messages.map { it.content to it.isInterrupted })
            assertEquals(Outcome.INTERRUPTED, assistant.receipt(assertNotNull(messages.last().receipt)).outcome)
            assistant.shutdown()
        }

    @Test
    fun `the same question gets the answer that is remembered, until the caches are cleared`() =
        onPhone(ChatServer("In Africa.")) { phone, server ->
            val assistant = phone.start(Network.UNMETERED)
            val first = assistant.conversation().reportOf(QUESTION)
            val again = assistant.conversation().reportOf(QUESTION)
            assertEquals(first.receipt, assertNotNull(again.answeredBefore).receipt)
            assertEquals(0 to 0L, again.attempts.size to again.bytesOut)
            assertEquals(first.receipt, assistant.receipt(assertNotNull(again.receipt)).answeredBefore)
            assertEquals(1, server.requests.size)
            assertEquals(1L, assistant.stats().answersGivenAgain)
            val fresh = assistant.conversation().ask(QUESTION, AskOptions(fresh = true)).toList()
            assertNull(fresh.report.answeredBefore)

            val used = assistant.caches.usage()
            assertTrue(used.answers == 1L && used.answerBytes > 0)
            assistant.caches.trim(MemoryPressure.CRITICAL)
            assistant.caches.setBudget(CacheBudget(diskBytes = 0))
            assertEquals(0L, assistant.caches.usage().answers)
            assertNull(assistant.conversation().reportOf(QUESTION).answeredBefore)
            assistant.caches.clear()
            assertEquals(CacheUse(0, 0, 0, 0, 0, 0), assistant.caches.usage())
            assistant.shutdown()
            assertFailsWith<WhimbrelException.Closed> { assistant.caches.usage() }
        }

    @Test
    fun `conversations are listed, found, renamed, pinned and deleted`() =
        onPhone(ChatServer("In Africa.")) { phone, _ ->
            val assistant = phone.start(Network.UNMETERED)
            val conversations = assistant.conversations
            val ids = listOf("Birds", "Trees", "Stars").map { assertNotNull(conversations.create(it).id) }
            val birds = conversations.open(ids[0])
            assertEquals(true, birds.reportOf("Größe: where do WADERS winter?").isKept)
            assertEquals(listOf("Birds", "Stars", "Trees"), conversations.titles())
            conversations.rename(ids[1], "Oaks")
            conversations.pin(ids[1])
            assertEquals(listOf("Oaks", "Birds", "Stars"), conversations.titles())
            val first = conversations.list(max = 1).single()
            assertTrue(first.isPinned && first.messages == 0)
            assertEquals(listOf("Birds", "Stars"), conversations.list(after = first, max = 2).map { it.title })
            conversations.pin(ids[1], isPinned = false)
            assertEquals("Oaks", conversations.titles().last { it == "Oaks" })
            assertEquals(ids[1] to null, conversations.findTitle("Oaks") to conversations.findTitle("Trees"))

            val hit = conversations.search("waders").single()
            assertEquals(ids[0] to 0, hit.conversation to hit.message)
            assertEquals("WADERS", hit.text.substring(hit.start, hit.end))
            assertNull(conversations.search("oaks").single().message)
            assertEquals(1, conversations.search("a", max = 1).size)

            conversations.delete(ids[0])
            assertFailsWith<WhimbrelException.Closed> { birds.ask("And then?").toList() }
            val error = assertFailsWith<WhimbrelException.NotFound> { conversations.show(ids[0]) }
            assertEquals(listOf("not_found", "conversation", ids[0]), listOf(error.code, error.what, error.id))
            assertFailsWith<WhimbrelException.InvalidOption> { conversations.show("Birds") }
            assertEquals(1, conversations.retain(Retention(conversationsMax = 1)).size)
            assertEquals(1, conversations.list().size)
            assistant.shutdown()
            assertFailsWith<WhimbrelException.Closed> { conversations.list() }
        }

    @Test
    fun `a document takes conversations to another phone, from which they do not leave`() =
        onPhone(ChatServer("In Africa.")) { phone, server ->
            val assistant = phone.start(Network.UNMETERED)
            val conversation = assistant.conversations.create("Birds")
            val id = assertNotNull(conversation.id)
            conversation.ask("Where do waders winter?").toList()
            val document = phone.folder.resolve("document").path
            assistant.conversations.export(document, listOf(id))
            assertTrue("waders" in File(document).readText())
            assertFailsWith<WhimbrelException.Ledger> { assistant.conversations.export(document) }
            assertEquals(ImportedConversations(emptyList(), 1), assistant.conversations.import(document))
            assistant.shutdown()

            val other = Phone(phone.folder.resolve("other").apply { mkdirs() }, phone.url)
            val there = other.start(Network.UNMETERED)
            assertEquals(ImportedConversations(listOf(id), 0), there.conversations.import(document))
            val imported = there.conversations.open(id)
            assertEquals(conversation.said(), imported.said())
            // The receipts are those of another ledger.
            assertTrue(imported.messages().all { it.receipt == null })
            val broken = other.folder.resolve("broken").apply { writeText("{\n \"no\": 1}") }
            val error = assertFailsWith<WhimbrelException.Document> { there.conversations.import(broken.path) }
            assertEquals("malformed" to 2, error.problem to error.line)
            there.shutdown()
            assertEquals(1, server.requests.size)
        }

    @Test
    fun `texts that a conversation begins with do not leave, unless they say so`() =
        onPhone(ChatServer("In Africa."), "\"remote:house\"") { phone, server ->
            val assistant = phone.start(Network.UNMETERED)
            val said = listOf(Message(Role.USER, "Where do waders winter?"), Message(Role.ASSISTANT, "In Africa."))
            val begun =
                listOf(
                    assistant.conversation(ConversationOptions(initialMessages = said)),
                    assistant.conversations.create(options = ConversationOptions(initialMessages = said)),
                )
            for (conversation in begun) {
                assertTrue(conversation.messages().all { it.recipients == emptyList<String>() })
                assertEquals(0, conversation.reportOf("And in summer?").bytesOut)
            }
            val kept = assistant.conversations.show(assertNotNull(begun[1].id))
            assertEquals("Where do waders winter?", kept.summary.title)
            assertEquals(said.map { it.content }, kept.messages.take(2).map { it.content })
            assertTrue(server.requests.isEmpty())

            val public = said.map { it.copy(privacyClass = PrivacyClass.PUBLIC, recipients = listOf("any")) }
            val open = assistant.conversation(ConversationOptions(initialMessages = public))
            assertEquals(Outcome.ANSWERED, open.reportOf("And in summer?").outcome)
            assertTrue("waders" in server.requests.single())
            val long = ConversationOptions(initialMessages = List(MESSAGES_MAX + 1) { said[0] })
            assertFailsWith<WhimbrelException.LimitExceeded> { assistant.conversation(long) }
            assertFailsWith<WhimbrelException.LimitExceeded> { assistant.conversations.create("long", long) }
            assertNull(assistant.conversations.findTitle("long"))
            assistant.shutdown()
        }

    @Test
    fun `one model alone keeps conversations`() =
        withClient { client ->
            withFolder { folder ->
                val vault = FolderVault(folder.resolve("vault"))
                val path = folder.resolve("store").path
                val store = client.conversations(path, vault)
                assertFailsWith<WhimbrelException.NoModel> { store.create() }
                val options = ConversationOptions(contextLength = TEST_CONTEXT_LENGTH)
                val conversations = store.answeredBy(client.openModel(Models.tiny))
                val conversation = conversations.create("", options)
                val report = conversation.ask("Hello", shortAnswer).toList().report
                assertEquals(true to null, report.isKept to report.queued)
                val stopped = conversation.ask("More", longAnswer).onEach { if (it is Event.Text) conversation.stop() }
                assertEquals(Outcome.CANCELLED, stopped.toList().report.outcome)
                val said = conversation.messages()
                assertEquals(listOf(false, false, false, true), said.map { it.isInterrupted })
                val error = assertFailsWith<WhimbrelException.Ledger> { client.conversations(path, vault) }
                assertEquals("in_use", error.problem)
                repeat(2) { store.shutdown() }
                assertEquals("store", assertFailsWith<WhimbrelException.Closed> { conversations.list() }.what)
                assertFailsWith<WhimbrelException.Closed> { conversation.ask("Hello").toList() }

                val again = client.conversations(path, vault).answeredBy(client.openModel(Models.tiny))
                val listed = again.list().single()
                assertEquals("Hello" to conversation.id, listed.title to listed.id)
                assertEquals(said, again.open(listed.id, options).messages())
                again.shutdown()
            }
        }

    @Test
    fun `a queued question can be edited, put first and removed`() =
        onPhone(ChatServer("In Africa.")) { phone, server ->
            val assistant = phone.start(Network.OFFLINE)
            val outbox = assistant.outbox
            val conversation = assistant.conversations.create("Tunnel")
            val (first, second) = List(2) { assertNotNull(conversation.reportOf("Question $it").queued) }
            assertTrue(conversation.messages().isEmpty())
            outbox.edit(first, "Another question")
            outbox.prioritise(second, QueuePriority.HIGH)
            outbox.retry(first)
            assertEquals("not_asked", assertFailsWith<WhimbrelException.Outbox> { outbox.confirm(first) }.problem)
            outbox.cancel(second)
            val error = assertFailsWith<WhimbrelException.NotFound> { outbox.cancel(second) }
            assertEquals("queued question" to "$second", error.what to error.id)
            val left = outbox.list().single()
            assertEquals("Another question" to QueuePriority.NORMAL, left.text to left.priority)

            coroutineScope {
                val isListening = CompletableDeferred<Unit>()
                val states =
                    async {
                        val events = outbox.events.onEach { isListening.complete(Unit) }
                        events
                            .takeWhile { it != OutboxEvent.Changed(first, left.conversation, QueueState.Answered) }
                            .toList()
                            .also { assertEquals(OutboxEvent.Missed(0), it.first()) }
                            .filterIsInstance<OutboxEvent.Changed>()
                            .map { it.state }
                    }
                // It hears of everything from its first event on.
                isListening.await()
                outbox.start()
                assistant.updateDevice(DeviceUpdate(network = Network.UNMETERED))
                assertTrue(QueueState.Sending(QueueDecision.AS_IS) in states.await())
            }
            assertEquals(listOf(Role.USER to "Another question", Role.ASSISTANT to "In Africa. "), conversation.said())
            assertEquals(1, server.requests.size)
            val hasBegun = CompletableDeferred<Unit>()
            coroutineScope {
                val changes = async { assistant.conversations.changes.collect { hasBegun.complete(Unit) } }
                hasBegun.await()
                assistant.shutdown()
                // The flow ends with the assistant.
                changes.await()
            }
            assertFailsWith<WhimbrelException.Closed> { outbox.events.collect {} }
        }

    @Test
    fun `a list hears of changes`() =
        onPhone(ChatServer("In Africa.")) { phone, _ ->
            val assistant = phone.start(Network.UNMETERED)
            val conversations = assistant.conversations
            conversations.changes.first()
            val conversation = conversations.create("")
            val id = assertNotNull(conversation.id)
            val changes =
                listOf<suspend () -> Unit>(
                    { conversation.ask("Hello").toList() },
                    { conversations.rename(id, "Another") },
                    { conversations.pin(id) },
                    { conversations.delete(id) },
                )
            for (change in changes) {
                var hasBegun = false
                val heard =
                    conversations.changes.take(2).onEach {
                        if (!hasBegun) {
                            hasBegun = true
                            change()
                        }
                    }
                assertEquals(2, heard.toList().size)
            }
            assistant.shutdown()
        }

    @Test
    fun `a locked vault keeps everything shut, until it is unlocked`() =
        onPhone { phone, _ ->
            phone.keepOne()
            phone.vault.failure = KeyVaultException("locked", isLocked = true)
            val error = assertFailsWith<WhimbrelException.Vault> { phone.start(Network.OFFLINE) }
            assertTrue(error.isLocked && !error.isInvalidated)
            phone.vault.failure = null
            val assistant = phone.start(Network.OFFLINE)
            assertEquals(listOf("Birds"), assistant.conversations.titles())
            assistant.shutdown()
        }

    @Test
    fun `what was sealed with a lost key is given up, and the ledger stays`() =
        onPhone(ChatServer("In Africa.")) { phone, _ ->
            phone.keepOne()
            val keys = File(phone.vault.path, DATA_KEYS)
            val other = Phone(phone.folder.resolve("other").apply { mkdirs() }).apply { keepOne() }
            val cases =
                listOf<Pair<String, () -> Unit>>(
                    "wrong_key" to { File(other.vault.path, DATA_KEYS).copyTo(keys, overwrite = true) },
                    "keys_unreadable" to { keys.writeText("SECRET") },
                    "key_lost" to { keys.delete() },
                )
            for ((problem, lose) in cases) {
                lose()
                val assistant = phone.start(Network.UNMETERED)
                val calls = listOf<suspend () -> Any>({ assistant.conversations.list() }, { assistant.outbox.list() })
                for (call in calls) {
                    val error = assertFailsWith<WhimbrelException.Sealed> { call() }
                    assertEquals("sealed" to problem, error.code to error.problem)
                    assertFalse("SECRET" in error.toString())
                }
                assertEquals(1, assistant.receipts().size)
                assistant.shutdown()
            }
            repeat(2) { assertNull(Assistant.startEmpty(phone.store, phone.vault)) }
            val assistant = phone.start(Network.UNMETERED)
            assertEquals(emptyList(), assistant.conversations.titles())
            assertEquals(1, assistant.receipts().size)
            assistant.conversations.create("Again")
            assistant.shutdown()
        }

    @Test
    fun `a vault that was invalidated begins again`() =
        onPhone { phone, _ ->
            phone.keepOne()
            phone.vault.failure = KeyVaultException("KeyPermanentlyInvalidatedException", isInvalidated = true)
            val error = assertFailsWith<WhimbrelException.Vault> { phone.start(Network.OFFLINE) }
            assertTrue(error.isInvalidated && !error.isLocked)
            // What such a vault is: it can only forget, and then store anew.
            val invalidated =
                object : KeyVault by phone.vault {
                    override fun get(name: String): ByteArray? {
                        if (File(phone.vault.path, name).exists()) phone.vault.get(name)
                        return null
                    }

                    override fun delete(name: String) {
                        phone.vault.delete(name)
                        val left = phone.vault.path.list()
                        if (left!!.isEmpty()) phone.vault.failure = null
                    }
                }
            val aside = assertNotNull(Assistant.startEmpty(phone.store, invalidated))
            assertTrue(File(aside).exists())
            val assistant = phone.start(Network.OFFLINE)
            assertEquals(emptyList(), assistant.conversations.titles())
            assistant.shutdown()
        }

    @Test
    fun `a wipe leaves nothing`() =
        onPhone { phone, _ ->
            phone.keepOne()
            val assistant = phone.start(Network.OFFLINE)
            val error = assertFailsWith<WhimbrelException.Ledger> { Assistant.wipe(phone.store, phone.vault) }
            assertEquals("in_use", error.problem)
            assistant.shutdown()
            repeat(2) { Assistant.wipe(phone.store, phone.vault) }
            assertFalse(File(phone.store).exists())
            assertContentEquals(emptyArray(), phone.vault.path.list())
            val again = phone.start(Network.OFFLINE)
            assertEquals(0 to 0, again.receipts().size to again.conversations.list().size)
            again.shutdown()
        }

    @Test
    fun `another key is made, and what is whole needs no repair`() =
        onPhone { phone, _ ->
            phone.keepOne()
            val assistant = phone.start(Network.OFFLINE)
            val before = File(phone.vault.path, DATA_KEYS).readBytes().toList()
            val rotation = assistant.conversations.rotateKey()
            assertTrue(rotation.rows > 0 && rotation.unreadable == 0L)
            assertFalse(assistant.conversations.isRotatingKey())
            assertNotEquals(before, File(phone.vault.path, DATA_KEYS).readBytes().toList())
            assertEquals(Repaired(0, 0, 0, 0, 0), assistant.conversations.repair())
            assertEquals(listOf("Birds"), assistant.conversations.titles())
            assertEquals(1, assistant.outbox.list().size)
            assistant.shutdown()
        }

    private fun onPhone(
        server: ChatServer = ChatServer(""),
        otherwise: String = "\"remote:house\", \"queue\"",
        test: suspend (Phone, ChatServer) -> Unit,
    ): Unit = runBlocking { server.use { withFolder { folder -> test(Phone(folder, server.url, otherwise), server) } } }

    /** Keeps a conversation with a queued question, and ends the app. */
    private suspend fun Phone.keepOne() {
        val assistant = start(Network.OFFLINE)
        assertNotNull(
            assistant.conversations
                .create("Birds")
                .reportOf(QUESTION)
                .queued,
        )
        assistant.shutdown()
    }

    private suspend fun Conversations.titles(): List<String> = list().map { it.title }

    private fun probe(
        command: String,
        phone: Phone,
    ): BufferedReader = process(command, phone).inputStream.bufferedReader()

    /** Another process of the app. */
    private fun process(
        command: String,
        phone: Phone,
    ): Process {
        val java = File(System.getProperty("java.home"), "bin/java").path
        val classPath = System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")
        val library = "-Djna.library.path=${System.getProperty("jna.library.path")}"
        val options = listOf("-XX:TieredStopAtLevel=1", library, "-cp", classPath)
        val arguments = listOf("org.whimbrel.KeptProbeKt", command, phone.folder.path, phone.url, QUESTION)
        val builder = ProcessBuilder(listOf(java) + options + arguments)
        return builder.redirectError(ProcessBuilder.Redirect.INHERIT).start()
    }

    private companion object {
        const val QUESTION = "Where do waders winter?"

        /** The core's limit on the messages of a conversation. */
        const val MESSAGES_MAX = 4_000
        val NETWORK = QueueNeeds(network = true, unmetered = false, charging = false)
        val NOTHING = QueueNeeds(network = false, unmetered = false, charging = false)
    }
}
