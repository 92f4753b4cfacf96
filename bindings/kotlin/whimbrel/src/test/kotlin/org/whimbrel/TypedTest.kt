package org.whimbrel

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.emptyFlow
import kotlinx.coroutines.flow.flowOf
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.serialization.Contextual
import kotlinx.serialization.KSerializer
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.serializer
import java.io.File
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNull
import kotlin.test.assertTrue

/** Answers that become values, through the real core. */
class TypedTest {
    @Serializable
    enum class Product {
        @SerialName("phone")
        PHONE,

        @SerialName("other")
        OTHER,
    }

    @Serializable
    data class Ticket(
        val product: Product,
        val urgent: Boolean,
        @Length(max = 60)
        @Description("what is wrong")
        val summary: String,
        @Items(max = 3)
        @Length(max = 8)
        val tags: List<String>,
        @Range(min = 0, max = 999)
        val floor: Int?,
        @Length(max = 20)
        val note: String = "",
    )

    @Serializable
    data class Stubborn(
        @Range(min = 0, max = 9)
        val digit: Int,
    ) {
        init {
            require(digit > 9) { "the secret $digit" }
        }
    }

    @Serializable
    data class Story(
        @Length(min = 5000, max = 9000)
        val text: String,
    )

    @Test
    fun `snapshots grow to the value`() =
        withConversation { client, conversation ->
            val snapshots = conversation.snapshots<Ticket>(QUESTION, atMost(256, speculation = false)).toList()
            val last = snapshots.last()
            assertTrue(last.isComplete && snapshots.size > 2)
            assertTrue(snapshots.dropLast(1).none { it.isComplete })
            assertNull(snapshots.first().value)
            val lengths = snapshots.dropLast(1).map { it.json.length }
            assertEquals(lengths.distinct().sorted(), lengths)
            val ticket = Json.decodeFromString<Ticket>(last.json)
            assertEquals(ticket, last.value)
            assertEquals(last.json, conversation.messages().last().content)
            assertTrue(ticket.summary.length <= 60 && ticket.tags.size <= 3 && ticket.tags.all { it.length <= 8 })
            val texts = conversation.snapshots<Ticket>(QUESTION, atMost(256)).toList().mapNotNull { it.value }
            assertTrue(texts.size > 1, "no value before the last")

            // The same question gives the same value without looking on.
            val options = ConversationOptions(contextLength = TEST_CONTEXT_LENGTH)
            val other = client.openModel(Models.tiny).conversation(options)
            assertEquals(ticket, other.respond<Ticket>(QUESTION, atMost(256)))
        }

    @Test
    fun `an assistant answers in types too`() =
        withAssistant { assistant, conversation ->
            assertTrue(conversation.respond<Product>("Hello", atMost(32)) in Product.entries)
            assertTrue(conversation.respond<Long>("Hello", atMost(32)) in -INTEGER_MAX..INTEGER_MAX)
            assertEquals(2, assistant.receipts().size)
        }

    @Test
    fun `cancelling the coroutine stops the core`() =
        withConversation { client, conversation ->
            coroutineScope {
                val begun = CompletableDeferred<Unit>()
                val reader =
                    launch {
                        conversation.snapshots<Story>("Hello", longAnswer).collect { begun.complete(Unit) }
                    }
                begun.await()
                reader.cancelAndJoin()
            }
            conversation.settled()
            assertEquals(0, client.activeAnswers)
            val cut = conversation.messages().last()
            assertTrue(cut.isInterrupted && cut.content.startsWith("{\"text\": \""), cut.content)
        }

    @Test
    fun `what is no whole answer is no value`() =
        withConversation { _, conversation ->
            val stopped =
                assertFailsWith<WhimbrelException.NoAnswer> {
                    conversation.snapshots<Story>("Hello", longAnswer).onEach { conversation.stop() }.toList()
                }
            assertEquals(Outcome.CANCELLED, stopped.report.outcome)
            val cut = assertFailsWith<WhimbrelException.NoAnswer> { conversation.respond<Story>("Hello", atMost(3)) }
            assertEquals(Outcome.FAILED to "not_in_form", cut.report.outcome to cut.report.code)
            assertEquals("no_answer: failed, not_in_form", cut.message)
        }

    @Test
    fun `a value that the serializer refuses is an error without its text`() =
        withConversation { _, conversation ->
            val error =
                assertFailsWith<WhimbrelException.ValueRefused> { conversation.respond<Stubborn>("Hello", atMost(32)) }
            assertEquals(Stubborn.serializer().descriptor.serialName, error.type)
            assertNull(error.cause)
            assertFalse("secret" in error.stackTraceToString())
            assertTrue(
                conversation
                    .messages()
                    .last()
                    .content
                    .startsWith("{\"digit\": "),
            )
            val snapshots = mutableListOf<Snapshot<Stubborn>>()
            assertFailsWith<WhimbrelException.ValueRefused> {
                conversation.snapshots<Stubborn>("Hello", atMost(32)).collect { snapshots += it }
            }
            assertTrue(snapshots.all { it.value == null && !it.isComplete })
        }

    @Test
    fun `another place begins anew`() =
        withConversation { _, conversation ->
            val end = conversation.ask("Hello", atMost(2)).toList().last()
            val events =
                flowOf(
                    Event.Text("[1, 2"),
                    Event.Text(", "),
                    Event.Restarted,
                    Event.Text("[7,"),
                    Event.Text(" 8]"),
                    end,
                )
            val seen = events.snapshots<List<Int>>().toList().map { it.json to it.value }
            assertEquals(
                listOf(
                    "[1]" to listOf(1),
                    "[1, 2]" to listOf(1, 2),
                    "[7]" to listOf(7),
                    "[7, 8]" to listOf(7, 8),
                    "[7, 8]" to listOf(7, 8),
                ),
                seen,
            )
            assertEquals(listOf(7, 8), events.value<List<Int>>())
            assertFailsWith<IllegalStateException> { emptyFlow<Event>().value<Int>() }
        }

    @Test
    fun `options with a form are refused`() =
        withConversation { _, conversation ->
            val options = AskOptions(generation = GenerationOptions(form = Form.Regex("a")))
            val error =
                assertFailsWith<WhimbrelException.InvalidOption> { conversation.respond<Ticket>(QUESTION, options) }
            assertEquals("form", error.option)
            assertTrue(conversation.messages().isEmpty())
        }

    @Serializable
    sealed interface Shape {
        @Serializable
        @SerialName("circle")
        data class Circle(
            val radius: Double,
        ) : Shape

        @Serializable
        @SerialName("group")
        @Description("several")
        data class Group(
            @Items(max = 2) val shapes: List<Shape>,
        ) : Shape

        @Serializable
        @SerialName("point")
        data object Point : Shape
    }

    @Serializable
    @JvmInline
    value class Name(
        @Length(max = 5) val text: String,
    )

    @Serializable
    data class Box<T>(
        val inside: T,
    )

    @Serializable
    data class Everything(
        val names: Map<String, Name>,
        val shape: Shape,
        val bytes: Box<UByte>,
        val text: Box<Name?>,
        val next: Everything?,
    )

    @Test
    fun `types have schemas that the core can hold`() =
        withConversation { _, conversation ->
            val name = """{"type":"string","minLength":0,"maxLength":5}"""
            val orNull = { schema: String -> """{"anyOf":[$schema,{"type":"null"}]}""" }
            val record = { properties: String, required: String ->
                """"type":"object","properties":{$properties},"required":[$required],"additionalProperties":false}"""
            }
            val box = { inside: String -> "{" + record(""""inside":$inside""", """"inside"""") }
            val circle = "{" + record(""""type":{"const":"circle"},"radius":{"type":"number"}""", """"type","radius"""")
            val shapes = """{"type":"array","items":{"${'$'}ref":"#/${'$'}defs/Shape"},"minItems":0,"maxItems":2}"""
            val group =
                """{"type":"object","description":"several",""" +
                    record(""""type":{"const":"group"},"shapes":$shapes""", """"type","shapes"""")
                        .removePrefix(""""type":"object",""")
            val point = "{" + record(""""type":{"const":"point"}""", """"type"""")
            val expected =
                """
                {"${'$'}ref":"#/${'$'}defs/Everything","${'$'}defs":{
                "Everything":{${
                    record(
                        """"names":{"type":"object","additionalProperties":$name},""" +
                            """"shape":{"${'$'}ref":"#/${'$'}defs/Shape"},""" +
                            """"bytes":{"${'$'}ref":"#/${'$'}defs/Box"},""" +
                            """"text":{"${'$'}ref":"#/${'$'}defs/Box2"},""" +
                            """"next":${orNull("""{"${'$'}ref":"#/${'$'}defs/Everything"}""")}""",
                        """"names","shape","bytes","text","next"""",
                    )
                },
                "Shape":{"anyOf":[$circle,$group,$point]},
                "Box":${box("""{"type":"integer","minimum":0,"maximum":255}""")},
                "Box2":${box(orNull(name))}}}
                """.trimIndent().replace("\n", "")
            assertEquals(expected, Schema.of<Everything>().json)

            val shape = conversation.respond<Shape>("Hello", atMost(600))
            assertTrue(shape is Shape.Circle || shape is Shape.Group || shape is Shape.Point)
            // Without a limit the map might not end; what counts is that the core takes the schema.
            val options = AskOptions(generation = GenerationOptions(maxTokens = 8, form = Schema.of<Everything>().form))
            val text = conversation.ask("Hello", options).toList().text
            assertTrue(text.startsWith("{\"names\": "), text)
            assertEquals(
                "product, urgent, summary (what is wrong), tags, floor, note",
                Schema.of<List<Ticket>>().fields,
            )
        }

    @Serializable
    private class Wrong(
        @Length(max = 3) val age: Int,
    )

    @Serializable
    private class Backwards(
        @Items(min = 3, max = 2) val list: List<Int>,
    )

    @Serializable
    private class TooSmall(
        @Range(min = 200, max = 300) val byte: Byte,
    )

    @Serializable
    private class Foreign(
        val file: List<Box<@Contextual File>>,
    )

    interface Unsealed

    @Serializable
    private class Open(
        val any: Unsealed,
    )

    @Serializable
    private class Free(
        val json: JsonElement,
    )

    @Serializable
    private class Keys(
        val byNumber: Map<Int, String>,
    )

    @Serializable
    private sealed interface Clash {
        @Serializable
        class One(
            val type: String,
        ) : Clash
    }

    @Test
    fun `a type without a schema is refused with its place, before anything is asked`() =
        withConversation { _, conversation ->
            suspend fun check(
                type: KSerializer<*>,
                place: String,
                reason: String,
            ) {
                val error = assertFailsWith<WhimbrelException.UnsupportedType> { conversation.respond("Hello", type) }
                assertEquals(place, error.place)
                assertTrue(reason in error.reason, error.reason)
                assertFailsWith<WhimbrelException.UnsupportedType> { conversation.snapshots("Hello", type).toList() }
            }
            check(serializer<Wrong>(), "Wrong.age", "@Length does not fit")
            check(serializer<Backwards>(), "Backwards.list", "@Items exclude everything")
            check(serializer<TooSmall>(), "TooSmall.byte", "@Range and the type exclude everything")
            check(serializer<Foreign>(), "Foreign.file[].inside", "its serializer is not known")
            check(serializer<Open>(), "Open.any", "make it sealed")
            check(serializer<Free>(), "Free.json", "any JSON")
            check(serializer<Keys>(), "Keys.byNumber", "only texts can be keys")
            check(serializer<Clash>(), "Clash.One.type", "says which class")
            assertTrue(conversation.messages().isEmpty())
        }

    @Test
    fun `a task's answer becomes a value`() =
        withClient { client ->
            val model = client.openModel(Models.tiny)
            val fill = Tasks.fill(Schema.of<Ticket>())
            val ticket = model.task(fill, QUESTION).value<Ticket>()
            assertEquals(
                ticket,
                model
                    .task(fill, QUESTION)
                    .snapshots<Ticket>()
                    .toList()
                    .last()
                    .value,
            )
        }

    @Serializable
    data class Person(
        @Length(max = 40)
        val name: String,
        @Range(min = 0, max = 120)
        val age: Int,
        @Length(max = 40)
        @Description("where the person lives")
        val town: String,
    )

    /** The examples of docs/typed-values.md. */
    @Test
    fun `a person is read from a text`() =
        withClient { client ->
            // With its card, as `whimbrel models pull` installs it.
            val model = client.openModel("${Models.smollm2}-card")
            val conversation = model.conversation()
            val text = "Ada is 36 and lives in London."
            val shown = mutableListOf<Pair<Person?, String>>()

            fun show(
                value: Person?,
                json: String,
            ) {
                shown += value to json
            }
            val fields = Schema.of<Person>().fields
            val person = conversation.respond<Person>("Write this as JSON with $fields: $text")
            conversation.snapshots<Person>(text).collect { show(it.value, it.json) }
            assertEquals("name, age, town (where the person lives)", fields)
            assertTrue(person.age in 0..120 && person.name.length <= 40)
            assertEquals(shown.last().first, Json.decodeFromString<Person>(shown.last().second))

            val filled = model.task(Tasks.fill(Schema.of<Person>()), text).value<Person>()
            assertEquals(Person("Ada", 36, "London"), filled)

            suspend fun answer(question: String): Person {
                val likeliest = AskOptions(generation = GenerationOptions(temperature = 0f))
                return model.conversation().respond<Person>(question, likeliest)
            }
            assertEquals(Person("Alec", 25, "London"), answer(text))
            assertEquals(Person("Ada", 28, "London"), answer("Write this as JSON with $fields: $text"))
        }

    private companion object {
        const val QUESTION = "The screen of my phone is broken."
        const val INTEGER_MAX = 9007199254740991
    }
}
