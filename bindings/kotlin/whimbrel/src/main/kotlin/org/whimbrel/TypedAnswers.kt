package org.whimbrel

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.emitAll
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.serialization.KSerializer
import kotlinx.serialization.json.Json
import kotlinx.serialization.serializer
import org.whimbrel.ffi.PartialJson

/**
 * A value while it is written.
 *
 * @property json what is there so far, as JSON. It only grows, until another place answers from the beginning.
 * @property value the same as a value; `null` while something is missing that the type requires. That may happen again
 *   later, when an optional part has begun.
 * @property isComplete whether this is the whole value.
 */
public data class Snapshot<out T>(
    public val json: String,
    public val value: T?,
    public val isComplete: Boolean,
)

/**
 * Asks a question whose answer is a value: it is held to the [Schema] of [T], a serializable class or another type that
 * has a serializer. A model does not read its form, so the question should say what is wanted; [Schema.fields] lists the
 * fields. Cancelling the coroutine cancels the answer, as with [Conversation.ask].
 *
 * @throws WhimbrelException.UnsupportedType if [T] has no schema; nothing was asked then.
 * @throws WhimbrelException.NoAnswer if there is no whole answer, with the report that says why.
 * @throws WhimbrelException.ValueRefused if the serializer refuses the answer.
 * @throws WhimbrelException as [Conversation.ask], and for options that have a form too.
 */
public suspend inline fun <reified T> Conversation.respond(
    question: String,
    options: AskOptions = AskOptions(),
): T = respond(question, serializer<T>(), options)

/** The same for the type of a serializer. */
public suspend fun <T> Conversation.respond(
    question: String,
    type: KSerializer<T>,
    options: AskOptions = AskOptions(),
): T = ask(question, options.inForm(Schema.of(type))).value(type)

/**
 * As [respond], with what is there so far while the answer is made. The last snapshot has the whole value. Each
 * collection of the flow asks again. A slow collector gets every snapshot, and the answer waits for it; with `conflate()`
 * it gets the newest.
 */
public inline fun <reified T> Conversation.snapshots(
    question: String,
    options: AskOptions = AskOptions(),
): Flow<Snapshot<T>> = snapshots(question, serializer<T>(), options)

/** The same for the type of a serializer. */
public fun <T> Conversation.snapshots(
    question: String,
    type: KSerializer<T>,
    options: AskOptions = AskOptions(),
): Flow<Snapshot<T>> = flow { emitAll(ask(question, options.inForm(Schema.of(type))).snapshots(type)) }

/**
 * The value of an answer that was held to the [Schema] of [T], such as that of a task:
 * `model.task(Tasks.fill(Schema.of<Person>()), text).value<Person>()`. It fails as [respond] does.
 */
public suspend inline fun <reified T> Flow<Event>.value(): T = value(serializer<T>())

/** The same for the type of a serializer. */
public suspend fun <T> Flow<Event>.value(type: KSerializer<T>): T {
    val text = StringBuilder()
    var report: Report? = null
    collect { event ->
        when (event) {
            is Event.Text -> text.append(event.text)
            Event.Restarted -> text.clear()
            is Event.Finished -> report = event.report
            is Event.Started, is Event.Reading, is Event.Thinking, is Event.Call -> Unit
        }
    }
    return whole(type, text.toString(), report)
}

/** The snapshots of an answer that was held to the [Schema] of [T]. The flow fails as [respond] does. */
public inline fun <reified T> Flow<Event>.snapshots(): Flow<Snapshot<T>> = snapshots(serializer<T>())

/** The same for the type of a serializer. */
public fun <T> Flow<Event>.snapshots(type: KSerializer<T>): Flow<Snapshot<T>> =
    flow {
        CoreLibrary.load()
        val text = StringBuilder()
        var report: Report? = null
        var partial = PartialJson()
        try {
            collect { event ->
                when (event) {
                    is Event.Text -> {
                        text.append(event.text)
                        partial.push(event.text)?.let { emit(Snapshot(it, decoded(type, it).getOrNull(), false)) }
                    }

                    Event.Restarted -> {
                        text.clear()
                        partial.close()
                        partial = PartialJson()
                    }

                    is Event.Finished -> {
                        report = event.report
                    }

                    is Event.Started, is Event.Reading, is Event.Thinking, is Event.Call -> {}
                }
            }
        } finally {
            partial.close()
        }
        val json = text.toString()
        emit(Snapshot(json, whole(type, json, report), true))
    }.flowOn(Dispatchers.Default) // the values of a long answer are not to be read on the app's main thread

/** Options whose answers are values. */
private fun AskOptions.inForm(schema: Schema): AskOptions {
    if (generation.form != null) {
        throw WhimbrelException.InvalidOption("form", "absent: the type has its own", "another form", null)
    }
    return copy(generation = generation.copy(form = schema.form))
}

private fun <T> whole(
    type: KSerializer<T>,
    json: String,
    report: Report?,
): T {
    checkNotNull(report) { "the events have no end" }
    if (report.outcome != Outcome.ANSWERED) throw WhimbrelException.NoAnswer(report, null)
    // Without the cause, which quotes the answer.
    return decoded(type, json).getOrElse { throw WhimbrelException.ValueRefused(type.descriptor.serialName, null) }
}

/** What a serializer makes of JSON. A class may throw what it likes at a value that it refuses. */
internal fun <T> decoded(
    type: KSerializer<T>,
    json: String,
): Result<T> =
    try {
        Result.success(Json.decodeFromString(type, json))
    } catch (error: RuntimeException) {
        Result.failure(error)
    }
