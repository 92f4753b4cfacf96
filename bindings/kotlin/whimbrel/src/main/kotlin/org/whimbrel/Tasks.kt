package org.whimbrel

import org.whimbrel.ffi.builtInTasks
import org.whimbrel.ffi.TextTask as CoreTextTask

/**
 * One kind of work with a text that even a small model does well: with examples, and held to a form. [Tasks] has those
 * that come with the product.
 */
public class TextTask internal constructor(
    internal val core: CoreTextTask,
) {
    /** What is known of it. */
    public val info: TaskInfo = core.info().toPublic()

    /**
     * The task with the choices or the fields that it asks for ([TaskInfo.needs]).
     *
     * @throws WhimbrelException.InvalidOption if the form cannot be used, or the task takes another one or none.
     */
    public fun withForm(form: Form): TextTask = translated { TextTask(core.withForm(form.toCore())) }

    public companion object {
        /**
         * Reads a task of the app's own: a document like those in `shared-models/tasks`.
         *
         * @throws WhimbrelException.InvalidOption with the place and what is wrong there.
         */
        public fun read(document: String): TextTask = translated { TextTask(CoreTextTask.read(document)) }
    }
}

/** The tasks that come with the product. */
public object Tasks {
    /** All of them. */
    public val all: List<TextTask> by lazy { translated { builtInTasks().map(::TextTask) } }

    /** Gives a text a short title. */
    public val title: TextTask get() = named("title")

    /** Lists the key points of a text as JSON: `{"points": […]}`. */
    public val points: TextTask get() = named("points")

    /** Suggests three replies to a message as JSON: `{"yes": …, "no": …, "ask": …}`. */
    public val replies: TextTask get() = named("replies")

    /** Says whether a text is `positive` or `negative`. */
    public val tone: TextTask get() = named("tone")

    /** Turns a list as people write it into JSON: `[{"item": …, "amount": …}]`. */
    public val tidy: TextTask get() = named("tidy")

    /** Rewrites a text shorter. */
    public val shorten: TextTask get() = named("shorten")

    /** Sorts a text into one of [categories]. */
    public fun category(categories: List<String>): TextTask = named("category").withForm(Form.Choice(categories))

    /** Fills in a form from a text. [schema] is the JSON schema of an object, whose properties are the fields. */
    public fun fill(schema: String): TextTask = named("fill").withForm(Form.JsonSchema(schema))

    /** Fills in the fields of a type from a text: `model.task(Tasks.fill(Schema.of<Person>()), text).value<Person>()`. */
    public fun fill(schema: Schema): TextTask = fill(schema.json)

    private fun named(name: String): TextTask = all.first { it.info.name == name }
}
