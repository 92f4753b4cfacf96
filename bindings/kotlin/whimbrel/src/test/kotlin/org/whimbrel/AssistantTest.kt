package org.whimbrel

import kotlinx.coroutines.flow.last
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import java.io.File
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue

class AssistantTest {
    @Test
    fun `the private preset answers on this device and leaves a receipt`() =
        withAssistant { assistant, conversation ->
            val question = "Write to ada@example.com"
            val events = conversation.ask(question, shortAnswer).toList()
            val started = assertIs<Event.Started>(events.first())
            assertIs<Place.OnDevice>(started.place)
            assertNull(started.release)
            val report = events.report
            assertEquals(Outcome.ANSWERED, report.outcome)
            assertEquals(0, report.bytesOut)
            assertEquals(8, report.tokensOut)
            assertTrue("on this device" in report.summary)
            assertEquals(
                listOf(Role.USER to question, Role.ASSISTANT to events.text),
                conversation.said(),
            )
            val receipt = assistant.receipt(report.written)
            assertEquals(Outcome.ANSWERED, receipt.outcome)
            assertEquals(started.place, receipt.place)
            assertEquals(PrivacyClass.PERSONAL, receipt.privacyClass)
            assertEquals(mapOf("email" to 1L), receipt.findings)
            assertFalse("ada@" in receipt.json || "ada@" in report.json)
            assertEquals(listOf(receipt), assistant.receipts(ReceiptFilter(place = PlaceKind.ON_DEVICE)))
            assertEquals(emptyList(), assistant.receipts(ReceiptFilter(outcome = Outcome.DENIED)))
            val stats = assistant.stats()
            assertEquals(mapOf(PlaceKind.ON_DEVICE to 1L), stats.answers)
            assertTrue("1 answer on this phone" in stats.summary)
        }

    @Test
    fun `a denied request leaves a receipt and names the rule`() {
        val rule = "[[rules]]\nid = \"mine\"\nwhen = { class = { min = \"personal\" } }\ndeny = [\"on_device\"]"
        withAssistant(policy("\"on_device\"", rule)) { assistant, conversation ->
            val options = shortAnswer.copy(privacyClass = PrivacyClass.SENSITIVE)
            val report = conversation.ask("Hello", options).toList().report
            assertEquals(Outcome.DENIED, report.outcome)
            assertEquals(listOf("mine"), report.rules)
            assertEquals(
                "on_device",
                report.refused
                    .single()
                    .name
                    .substringBefore(':'),
            )
            val receipt = assistant.receipt(report.written)
            assertEquals(Outcome.DENIED, receipt.outcome)
            assertEquals(listOf("mine"), receipt.rules)
            val explanation = conversation.explain("Hello", options)
            assertEquals(Decision.DENIED, explanation.decision)
            assertTrue("mine" in explanation.text)
            assertEquals(1, assistant.receipts().size)
            assertEquals(
                Outcome.ANSWERED,
                conversation
                    .ask("Hello", shortAnswer)
                    .toList()
                    .report.outcome,
            )
        }
    }

    @Test
    fun `a policy is refused with its place, and the one before stays`() =
        withAssistant { assistant, conversation ->
            val error = assertFailsWith<WhimbrelException.Policy> { assistant.setPolicies(policy("\"everywhere\"")) }
            assertEquals("policy", error.code)
            assertEquals(3, error.line)
            assertEquals("otherwise[0]", error.path)
            assertFailsWith<WhimbrelException.Policy> { assistant.setUserPolicy(policy("\"on_device\"")) }
            assertEquals(
                Outcome.ANSWERED,
                conversation
                    .ask("Hello", shortAnswer)
                    .toList()
                    .report.outcome,
            )
            val rule = "[[rules]]\nid = \"never\"\ndeny = [\"on_device\"]"
            val never = "version = 1\nname = \"none\"\nrole = \"user\"\n$rule"
            assistant.setUserPolicy(PolicyDocument.Toml(never))
            assertEquals(
                listOf("never-leave", "never"),
                conversation
                    .ask("Hello", shortAnswer)
                    .toList()
                    .report.rules,
            )
            assistant.setUserPolicy(null)
            assertEquals(
                Outcome.ANSWERED,
                conversation
                    .ask("Hello", shortAnswer)
                    .toList()
                    .report.outcome,
            )
        }

    @Test
    fun `the state of the device decides`() {
        val limits = "[limits]\nbattery_percent_min = 30"
        withAssistant(policy("\"on_device\"", limits)) { assistant, conversation ->
            val decision: suspend () -> Decision = { conversation.explain("Hello").decision }
            assertEquals(Decision.RUN, decision())
            assistant.updateDevice(DeviceUpdate(batteryPercent = 10, charging = false))
            assertEquals(Decision.UNAVAILABLE, decision())
            val report = conversation.ask("Hello", shortAnswer).toList().report
            assertEquals(Outcome.FAILED, report.outcome)
            assertEquals("unavailable", report.code)
            assertTrue("battery" in report.refused.single().reason)
            // What is not given stays as it was.
            assistant.updateDevice(DeviceUpdate(network = Network.OFFLINE))
            assertEquals(Decision.UNAVAILABLE, decision())
            assistant.updateDevice(DeviceUpdate(unknown = listOf(DeviceFact.BATTERY_PERCENT)))
            assertEquals(Decision.RUN, decision())
            assertFailsWith<WhimbrelException.InvalidOption> { assistant.updateDevice(DeviceUpdate(lossPercent = 101)) }
        }
    }

    @Test
    fun `feedback, learning and a verified ledger`() =
        withAssistant { assistant, conversation ->
            assertFailsWith<WhimbrelException.NothingToRepeat> { conversation.regenerate().toList() }
            val report = conversation.ask("Hello", shortAnswer).toList().report
            assistant.feedback(report.written, Signal.Kept(editedPermille = 250))
            assertTrue("\"edited_permille\":250" in assistant.receipt(report.written).json)
            val error = assertFailsWith<WhimbrelException.Ledger> { assistant.feedback(99, Signal.ThumbsUp) }
            assertEquals("unknown_receipt", error.problem)
            assistant.setLearning(LearningMode.FROZEN)
            assertEquals(LearningMode.FROZEN, assistant.learning())
            assistant.resetLearning()
            conversation.regenerate(shortAnswer.generation).toList()
            assertEquals(2, conversation.messages().size)
            val verified = assistant.verifyLedger()
            assertTrue(verified.isIntact)
            assertEquals(2, verified.receipts)
            withFolder { folder ->
                val file = folder.resolve("export")
                assistant.exportLedger(file.path)
                assertTrue(file.readLines().size > verified.entries)
                val again = assertFailsWith<WhimbrelException.Ledger> { assistant.exportLedger(file.path) }
                assertEquals("file", again.problem)
            }
        }

    @Test
    fun `old receipts are removed`() =
        withAssistant { assistant, conversation ->
            repeat(3) { conversation.ask("Hello", shortAnswer).toList() }
            assertFalse(assistant.isLedgerFloorBehind())
            assertNull(assistant.pruneLedger(Prune(receiptsMax = 3)))
            assertEquals(2, assertNotNull(assistant.pruneLedger(Prune(receiptsMax = 1))).receipts)
            assertEquals(1, assistant.receipts().size)
            assertTrue(assistant.verifyLedger().isIntact)
        }

    @Test
    fun `a class that was declared holds for the conversation and for its messages`() =
        withAssistant { assistant, conversation ->
            conversation.ask("Hello", shortAnswer.copy(privacyClass = PrivacyClass.SECRET)).toList()
            val kept = conversation.messages()
            assertTrue(kept.all { it.privacyClass == PrivacyClass.SECRET && it.recipients != null })
            val other = assistant.conversation(ConversationOptions(contextLength = TEST_CONTEXT_LENGTH))
            other.setMessages(kept)
            assertEquals(kept, other.messages())
            val report = other.ask("And then?", shortAnswer).toList().report
            assertEquals(PrivacyClass.SECRET, assistant.receipt(report.written).privacyClass)
            val raised = assistant.conversation(ConversationOptions(contextLength = TEST_CONTEXT_LENGTH))
            raised.raiseClass(PrivacyClass.SENSITIVE)
            val later = raised.ask("Hello", shortAnswer).toList().report
            assertEquals(PrivacyClass.SENSITIVE, assistant.receipt(later.written).privacyClass)
        }

    @Test
    fun `messages without a conversation are answered`() =
        withAssistant { assistant, _ ->
            val report = assistant.answer(listOf(Message(Role.USER, "Hello")), shortAnswer).toList().report
            assertEquals(Outcome.ANSWERED, report.outcome)
            assertEquals(Outcome.ANSWERED, assistant.receipt(report.written).outcome)
        }

    @Test
    fun `a task is known to receipts by its name`() =
        withAssistant { assistant, _ ->
            val options = TaskOptions(privacyClass = PrivacyClass.SENSITIVE)
            val report = assistant.task(Tasks.tone, "Nice!", options).toList().report
            val receipt = assistant.receipt(report.written)
            assertEquals("tone" to PrivacyClass.SENSITIVE, receipt.task to receipt.privacyClass)
        }

    @Test
    fun `redaction shows what an endpoint would get`() =
        withAssistant { assistant, _ ->
            assistant.setUserWords(listOf("Whimsical"))
            val redacted = assistant.redact("Whimsical, ada@example.com")
            assertEquals("⟨WORD_1⟩, ⟨EMAIL_1⟩", redacted.text)
            assertEquals(listOf("user_word", "email"), redacted.findings.map { it.kind })
            assertEquals(11 to 26, redacted.findings.last().run { start to end })
            assertEquals(listOf("⟨WORD_1⟩", "⟨EMAIL_1⟩"), redacted.findings.map { it.placeholder })
            assertEquals(emptyList<Guess>(), redacted.guesses)
        }

    @Test
    fun `redaction shows what may be personal and is not replaced`() =
        withAssistant { assistant, _ ->
            val text = "Did Benhaddou sign the lease? About my HIV test:"
            val redacted = assistant.redact(text)
            assertEquals(text, redacted.text)
            assertEquals(listOf(Guess("person_name", 4, 13)), redacted.guesses)
            assertEquals(listOf("health" to null), redacted.findings.map { it.kind to it.placeholder })
        }

    @Test
    fun `a stopped answer ends with a report`() =
        withAssistant { assistant, conversation ->
            val report =
                conversation
                    .ask("Hello", longAnswer)
                    .onEach { if (it is Event.Text) conversation.stop() }
                    .toList()
                    .report
            assertEquals(Outcome.CANCELLED, report.outcome)
            assertTrue(report.isPartial)
            assertEquals(Outcome.CANCELLED, assistant.receipt(report.written).outcome)
            val text = conversation.ask("Hello", shortAnswer).textSoFar().last()
            assertEquals(text, conversation.messages().last().content)
        }

    @Test
    fun `keys and endpoints`() {
        val endpoint =
            """
            [[endpoints]]
            id = "cloud"
            base_url = "https://llm.example.org/v1"
            model = "m"
            trust = "public_cloud"
            cost_per_1k_tokens = 1
            """.trimIndent()
        withAssistant(policy("\"on_device\"", endpoint)) { assistant, _ ->
            assistant.setKey("cloud", "secret")
            assistant.setKey("cloud", null)
            assistant.setEndpoint("cloud", EndpointExtras(timeouts = Timeouts(), keyHeader = "api-key"))
            val broken = EndpointExtras(authoritiesPem = "no certificate")
            val error = assertFailsWith<WhimbrelException.InvalidOption> { assistant.setEndpoint("cloud", broken) }
            assertEquals("endpoint", error.option)
            val key = assertFailsWith<WhimbrelException.InvalidOption> { assistant.setKey("cloud", "SECRET\n") }
            assertFalse("SECRET" in key.toString())
        }
    }

    @Test
    fun `a ledger is opened once at a time, and goes on`() =
        withClient { client ->
            withFolder { folder ->
                val private = PolicyDocument.OfPreset(Preset.PRIVATE)
                val options = AssistantOptions(folder.resolve("ledger").path, MemoryKeyVault(), private)
                val first = Assistant.open(options)
                first.setModel(client.openModel(Models.tiny))
                val conversation = first.conversation(ConversationOptions(contextLength = TEST_CONTEXT_LENGTH))
                val error = assertFailsWith<WhimbrelException.Ledger> { Assistant.open(options) }
                assertEquals("in_use", error.problem)
                val report =
                    conversation
                        .ask(
                            "Hello",
                            longAnswer,
                        ).onEach { first.close() }
                        .toList()
                        .report
                assertEquals(Outcome.CANCELLED, report.outcome)
                repeat(2) { first.close() }
                assertEquals("assistant", assertFailsWith<WhimbrelException.Closed> { first.receipts() }.what)
                assertFailsWith<WhimbrelException.Closed> { conversation.ask("Hello").toList() }
                first.shutdown()
            }
        }

    @Test
    fun `after a shutdown the ledger goes on`() =
        runBlocking {
            withFolder { folder ->
                val options = AssistantOptions(folder.resolve("ledger").path, MemoryKeyVault(), policy("\"on_device\""))
                repeat(2) { earlier ->
                    val assistant = Assistant.open(options)
                    assertEquals(earlier, assistant.receipts().size)
                    assistant.conversation().ask("Hello").toList()
                    repeat(2) { assistant.shutdown() }
                }
                // Another vault does not have the key.
                val foreign = AssistantOptions(options.store, MemoryKeyVault(), policy("\"on_device\""))
                assertEquals("foreign", assertFailsWith<WhimbrelException.Ledger> { Assistant.open(foreign) }.problem)
                val old = Assistant.restartLedger(options.store, foreign.vault)
                assertTrue(File(assertNotNull(old)).exists())
                val assistant = Assistant.open(foreign)
                assertEquals(0, assistant.receipts().size)
                assistant.shutdown()
            }
        }

    @Test
    fun `a vault that fails keeps the ledger shut`() =
        runBlocking {
            withFolder { folder ->
                checkVault(folder, true) { throw KeyVaultException("locked", isLocked = true) }
                checkVault(folder, false) { error("SECRET") }
                checkVault(folder, false) { ByteArray(SECRET_BYTES_MAX + 1) }
            }
        }

    private suspend fun checkVault(
        folder: File,
        isLocked: Boolean,
        get: () -> ByteArray?,
    ) {
        val vault =
            object : KeyVault by MemoryKeyVault() {
                override fun get(name: String): ByteArray? = get()
            }
        val options = AssistantOptions(folder.resolve("ledger").path, vault, policy("\"on_device\""))
        val error = assertFailsWith<WhimbrelException.Vault> { Assistant.open(options) }
        assertEquals(isLocked, error.isLocked)
        assertFalse("SECRET" in error.toString())
    }

    private companion object {
        const val SECRET_BYTES_MAX = 16 * 1024
    }
}
