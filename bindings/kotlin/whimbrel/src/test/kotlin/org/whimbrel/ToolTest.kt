package org.whimbrel

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineName
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout
import kotlinx.serialization.KSerializer
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import kotlinx.serialization.serializer
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertTrue
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes

/** Tools through the real core. The tiny model calls one where it must. */
class ToolTest {
    @Serializable
    data class WeatherArguments(
        @Length(max = 40)
        val place: String,
    )

    /** The examples of docs/tools.md. */
    @Test
    fun `the weather is asked for`() =
        withConversation { _, conversation ->
            val asked = mutableListOf<PendingCall>()
            val shown = mutableListOf<String>()

            fun askThePerson(call: PendingCall) = asked.add(call)

            fun show(text: String) {
                shown += text
            }
            val weather =
                ToolFunction<WeatherArguments>("weather", "The weather at a place") { arguments ->
                    "18 degrees in ${arguments.place}"
                }
            val tools = Tools(weather, confirm = { call -> askThePerson(call) })
            val options = AskOptions(tools = ToolOptions(choice = ToolChoice.REQUIRED))
            conversation.ask("Is it warm in Lyon?", options, tools).collect { event ->
                when (event) {
                    is Event.Call -> show("calling ${event.call.name}")
                    is Event.Text -> show(event.text)
                    else -> Unit
                }
            }
            assertTrue(asked.isNotEmpty() && asked.all { it.name == "weather" })
            assertTrue("calling weather" in shown && shown.last() != "calling weather")
        }

    @Test
    fun `a tool that was called is told to the model`() =
        withConversation { _, conversation ->
            val places = mutableListOf<String>()

            suspend fun ask(result: String): List<Event> {
                conversation.reset()
                val weather = weather { result.also { _ -> places += it.place } }
                return conversation.ask(QUESTION, mustCall(), Tools(weather)).toList()
            }
            val events = ask("18 degrees")
            val call = events.calls.single()
            assertEquals("weather" to false, call.name to call.mustConfirm)
            assertEquals(listOf(Json.decodeFromString<WeatherArguments>(call.arguments).place), places)
            assertEquals(listOf(CallReport("weather", CallEnd.DONE, null)), events.report.calls)
            assertEquals(Outcome.ANSWERED, events.report.outcome)
            assertEquals(listOf(Role.USER to QUESTION, Role.ASSISTANT to events.answer), conversation.said())

            // The same call with a longer result makes a longer prompt for the answer.
            val more = ask("18 degrees, and no rain")
            val again = more.calls.single()
            assertEquals(call.name to call.arguments, again.name to again.arguments)
            assertTrue(again.id != call.id, "every call has a number of its own")
            assertTrue(more.statistics.promptTokens > events.statistics.promptTokens)
        }

    @Test
    fun `every round has a receipt`() =
        withAssistant { assistant, conversation ->
            val report = conversation.ask(QUESTION, mustCall(), Tools(weather())).toList().report
            val (last, first) = assistant.receipts()
            assertEquals(listOf(CallReport("weather", CallEnd.DONE, first.id)), report.calls)
            assertEquals(last.id, report.receipt)

            val messages = listOf(Message(Role.USER, QUESTION))
            val aside = assistant.answer(messages, mustCall(), Tools(weather())).toList().report
            assertEquals(listOf(CallEnd.DONE), aside.calls.map { it.end })
        }

    @Test
    fun `a person decides where one must be asked`() =
        withConversation { _, conversation ->
            suspend fun check(
                end: CallEnd,
                permission: ToolPermission,
                confirm: (suspend (PendingCall) -> Boolean)?,
            ) {
                var runs = 0
                val weather = weather(permission) { "18 degrees".also { runs++ } }
                val events = conversation.ask(QUESTION, mustCall(), Tools(weather, confirm = confirm)).toList()
                assertEquals(listOf(end), events.report.calls.map { it.end })
                assertEquals(if (end == CallEnd.DONE) 1 else 0, runs)
                val shown = if (permission == ToolPermission.NEVER) 0 else 1
                assertEquals(shown, events.calls.size)
                assertTrue(events.calls.all { it.mustConfirm == (permission == ToolPermission.CONFIRM) })
                conversation.reset()
            }
            check(CallEnd.DONE, ToolPermission.CONFIRM) { it.name == "weather" }
            check(CallEnd.REFUSED, ToolPermission.CONFIRM) { false }
            check(CallEnd.REFUSED, ToolPermission.CONFIRM, null)
            check(CallEnd.FAILED, ToolPermission.CONFIRM) { error("no screen") }
            check(CallEnd.DONE, ToolPermission.ALWAYS) { false }
            check(CallEnd.NOT_ALLOWED, ToolPermission.NEVER) { true }
        }

    @Test
    fun `a policy decides too`() {
        fun check(
            use: String,
            end: CallEnd,
        ) {
            val rule = "[[tools]]\nid = \"rule\"\nuse = \"$use\""
            withAssistant(policy("\"on_device\"", rule)) { _, conversation ->
                var runs = 0
                val weather = weather { "18 degrees".also { runs++ } }
                val events = conversation.ask(QUESTION, mustCall(), Tools(weather)).toList()
                assertEquals(listOf(end), events.report.calls.map { it.end })
                assertEquals(if (end == CallEnd.DONE) 1 else 0, runs)
                assertEquals(Outcome.ANSWERED, events.report.outcome)
            }
        }
        check("never", CallEnd.NOT_ALLOWED)
        check("confirm", CallEnd.REFUSED)
        check("always", CallEnd.DONE)
    }

    @Test
    fun `a function that fails does not end the answer`() =
        withConversation { _, conversation ->
            suspend fun check(function: suspend (WeatherArguments) -> String) {
                val tools = Tools(weather(function = function))
                val report = conversation.ask(QUESTION, mustCall(), tools).toList().report
                assertEquals(listOf(CallEnd.FAILED), report.calls.map { it.end })
                assertEquals(Outcome.ANSWERED, report.outcome)
                conversation.reset()
            }
            check { error("no network") }
            check { throw IllegalStateException() }
            check { throw IllegalStateException("long ".repeat(100_000)) }
            check { withTimeout(1.milliseconds) { awaitCancellation() } }
            check { "too much".repeat(10_000) }
            val refuses = ToolFunction<TypedTest.Stubborn>("digit", "A digit", ToolPermission.ALWAYS) { "one" }
            val report = conversation.ask(QUESTION, mustCall(), Tools(refuses)).toList().report
            assertEquals(listOf(CallReport("digit", CallEnd.FAILED, null)), report.calls)

            // What is no exception is a mistake of the app, as everywhere.
            assertFailsWith<NotImplementedError> {
                conversation.ask(QUESTION, mustCall(), Tools(weather { throw NotImplementedError() })).toList()
            }
            conversation.settled()
        }

    @Test
    fun `functions run in the collector's context, one after another`() =
        withConversation { _, conversation ->
            val running = mutableListOf<String?>()
            val weather =
                weather {
                    running += currentCoroutineContext()[CoroutineName]?.name
                    "18 degrees"
                }
            withContext(CoroutineName("reader")) {
                conversation.ask(QUESTION, mustCall(), Tools(weather)).collect {
                    if (it is Event.Call) assertTrue(running.isEmpty(), "the function runs before its event is read")
                }
            }
            assertEquals(listOf<String?>("reader"), running)
        }

    @Test
    fun `cancelling the coroutine cancels the function`() =
        withConversation { client, conversation ->
            coroutineScope {
                val slow = Slow()
                val reader = launch { conversation.ask(QUESTION, mustCall(), Tools(slow.weather)).collect {} }
                slow.begun.await()
                reader.cancelAndJoin()
                assertTrue(slow.isCancelled)
            }
            conversation.settled()
            assertEquals(0, client.activeAnswers)

            // Whoever leaves at the call has no function run.
            val unused = weather { error("it runs") }
            conversation.ask(QUESTION, mustCall(), Tools(unused)).first { it is Event.Call }
            conversation.settled()
            assertEquals(0, client.activeAnswers)
        }

    @Test
    fun `an answer that goes on cancels the function`() =
        withConversation { _, conversation ->
            val late = Slow()
            val timed = conversation.ask(QUESTION, mustCall(within = 1.milliseconds), Tools(late.weather)).toList()
            assertEquals(listOf(CallEnd.TIMED_OUT), timed.report.calls.map { it.end })
            assertEquals(Outcome.ANSWERED, timed.report.outcome)
            conversation.reset()

            val stopped = Slow(whenBegun = { conversation.stop() })
            val events = conversation.ask(QUESTION, mustCall(), Tools(stopped.weather)).toList()
            assertEquals(Outcome.CANCELLED, events.report.outcome)
            assertEquals(listOf(CallEnd.DROPPED), events.report.calls.map { it.end })
            assertTrue(stopped.isCancelled)
        }

    @Test
    fun `a question that is asked again has its tools`() =
        withConversation { _, conversation ->
            var runs = 0
            val weather = weather { "18 degrees".also { runs++ } }
            conversation.ask(QUESTION, mustCall(), Tools(weather)).toList()
            val report = conversation.regenerate(mustCall().generation).toList().report
            assertEquals(listOf(CallEnd.DONE), report.calls.map { it.end })
            assertEquals(2, runs)
        }

    @Test
    fun `an app may give results itself`() =
        withConversation { _, conversation ->
            val done = ToolResult.Done("18 degrees")
            assertFailsWith<WhimbrelException.UnknownCall> { conversation.giveResult(0, done) }

            suspend fun check(
                result: ToolResult,
                end: CallEnd,
            ) {
                val options = mustCall()
                val given = options.copy(tools = options.tools.copy(tools = listOf(tool())))
                val events =
                    conversation
                        .ask(QUESTION, given)
                        .onEach { if (it is Event.Call) conversation.giveResult(it.call.id, result) }
                        .toList()
                assertEquals(listOf(CallReport("weather", end, null)), events.report.calls)
                assertEquals(true, events.calls.single().mustConfirm)
                assertEquals(Outcome.ANSWERED, events.report.outcome)
                conversation.reset()
            }
            check(done, CallEnd.DONE)
            check(ToolResult.Failed("no network"), CallEnd.FAILED)
            check(ToolResult.Refused, CallEnd.REFUSED)

            val options = mustCall()
            conversation.ask(QUESTION, options.copy(tools = options.tools.copy(tools = listOf(tool())))).collect {
                if (it !is Event.Call) return@collect
                val other = it.call.id + 1_000
                val wrong = assertFailsWith<WhimbrelException.UnknownCall> { conversation.giveResult(other, done) }
                assertEquals(other to "unknown_call", wrong.id to wrong.code)
                val long = ToolResult.Done("a".repeat(RESULT_BYTES_MAX + 1))
                val error =
                    assertFailsWith<WhimbrelException.LimitExceeded> { conversation.giveResult(it.call.id, long) }
                assertEquals(RESULT_BYTES_MAX.toLong(), error.limit)
                conversation.giveResult(it.call.id, done)
                assertFailsWith<WhimbrelException.UnknownCall> { conversation.giveResult(it.call.id, done) }
            }
            assertFailsWith<WhimbrelException.UnknownCall> { conversation.giveResult(0, done) }
        }

    @Test
    fun `tools that cannot be offered are refused`() =
        withConversation { _, conversation ->
            suspend fun check(
                reason: String,
                options: AskOptions = AskOptions(),
                vararg tools: Tool,
            ) {
                val functions = Tools(*tools.map { tool -> ToolFunction(tool) { "" } }.toTypedArray())
                val error =
                    assertFailsWith<WhimbrelException.InvalidOption> {
                        conversation.ask(QUESTION, options, functions).toList()
                    }
                assertEquals("tools", error.option)
                assertTrue(reason in error.message.orEmpty(), error.message)
            }
            val spaced = tool().copy(name = "the weather")
            val listed = tool().copy(parameters = """{"type": "array"}""")
            val twice = tool().copy(parameters = """{"type": "object", "not": {}}""")
            check("its name must have", tools = arrayOf(spaced))
            check("its parameters must be", tools = arrayOf(listed))
            check("not", tools = arrayOf(twice))
            check("another tool has the same name", tools = arrayOf(tool(), tool()))
            check("form", AskOptions(generation = GenerationOptions(form = Form.Regex("a"))), tool())
            check("other tools", AskOptions(tools = ToolOptions(listOf(tool()))), tool())
            for (wrong in listOf(spaced, listed, twice)) {
                assertEquals("tools", assertFailsWith<WhimbrelException.InvalidOption> { wrong.validate() }.option)
            }
            tool().validate()
            assertFailsWith<WhimbrelException.LimitExceeded> {
                conversation.ask(QUESTION, AskOptions(tools = ToolOptions(callsMax = 65)), Tools(weather())).toList()
            }
            assertTrue(conversation.messages().isEmpty())
        }

    @Serializable
    private data class Node(
        val next: Node?,
        val place: WeatherArguments?,
    )

    @Test
    fun `the arguments are a class`() {
        fun check(
            type: KSerializer<*>,
            place: String,
        ) {
            val error =
                assertFailsWith<WhimbrelException.UnsupportedType> { ToolFunction("name", "text", type) { "" } }
            assertEquals(place, error.place)
        }
        check(serializer<String>(), "String")
        check(serializer<List<String>>(), "ArrayList")
        check(serializer<TypedTest.Shape>(), "Shape")
        check(serializer<TypedTest.Name>(), "Name")
        check(serializer<WeatherArguments?>(), "WeatherArguments")

        val place = """"properties":{"place":{"type":"string","minLength":0,"maxLength":40}},"required":["place"]"""
        val arguments = """{"type":"object",$place,"additionalProperties":false}"""
        assertEquals(arguments, weather().tool.parameters)
        val empty = ToolFunction<Unit>("now", "The time") { "noon" }.tool
        val nothing = """{"type":"object","properties":{},"required":[],"additionalProperties":false}"""
        assertEquals(nothing, empty.parameters)
        val nodes = ToolFunction<Node>("walk", "Walks") { "" }.tool
        assertTrue(nodes.parameters.startsWith("""{"type":"object","properties":{"next":{"anyOf":[{"${'$'}ref":"""))
        listOf(empty, nodes).forEach { it.validate() }
    }

    @Test
    fun `a question with tools does not wait behind others`() =
        withPhone { phone ->
            val assistant = phone.start(Network.OFFLINE)
            val conversation = assistant.conversations.create()
            assertEquals(Outcome.DEFERRED, conversation.reportOf("Hello").outcome)
            val error =
                assertFailsWith<WhimbrelException.ToolsCannotWait> {
                    conversation.ask(QUESTION, AskOptions(), Tools(weather())).toList()
                }
            assertEquals("tools_cannot_wait", error.code)
            assertFalse(conversation.said().any { it.second == QUESTION })
            assistant.shutdown()
        }

    /** A function that does not end by itself. */
    private class Slow(
        whenBegun: () -> Unit = {},
    ) {
        val begun = CompletableDeferred<Unit>()
        var isCancelled = false
        val weather =
            weather {
                try {
                    begun.complete(Unit)
                    whenBegun()
                    awaitCancellation()
                } finally {
                    isCancelled = true
                }
            }
    }

    private companion object {
        const val QUESTION = "Is it warm in Lyon?"

        /** The core's limit on one result. */
        const val RESULT_BYTES_MAX = 64 * 1024

        fun weather(
            permission: ToolPermission = ToolPermission.ALWAYS,
            function: suspend (WeatherArguments) -> String = { "18 degrees" },
        ): ToolFunction = ToolFunction("weather", "The weather at a place", permission, function = function)

        fun tool(): Tool = weather(ToolPermission.CONFIRM).tool

        /** One call, and then an answer. */
        fun mustCall(within: Duration = 1.minutes): AskOptions =
            atMost(100).copy(tools = ToolOptions(choice = ToolChoice.REQUIRED, callsMax = 1, resultTimeMax = within))

        fun withPhone(test: suspend (Phone) -> Unit): Unit = runBlocking { withFolder { test(Phone(it)) } }

        /** The text after the last restart. */
        val List<Event>.answer: String
            get() = takeLastWhile { it != Event.Restarted }.text

        val List<Event>.calls: List<PendingCall>
            get() = filterIsInstance<Event.Call>().map { it.call }
    }
}
