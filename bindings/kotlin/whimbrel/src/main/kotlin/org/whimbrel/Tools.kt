package org.whimbrel

import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.serialization.KSerializer
import kotlinx.serialization.serializer
import org.whimbrel.ffi.validateTool

/**
 * A tool with the function that carries out its calls. The function takes the arguments as JSON, and what it returns is
 * told to the model: a text, or JSON, of at most 64 KiB. So is the message of an exception that it throws, and the answer
 * goes on. For arguments that come as a value see the function of the same name.
 *
 * @property tool what the model is told.
 */
public class ToolFunction(
    public val tool: Tool,
    private val function: suspend (arguments: String) -> String,
) {
    /** What the model calls it. */
    public val name: String
        get() = tool.name

    internal suspend fun call(arguments: String): String = function(arguments)
}

/**
 * A tool with a function whose arguments are a value of [A], a serializable class. The parameters of the tool are the
 * [Schema] of [A], with its descriptions ([Description]). For the rest see [Tool].
 *
 * @throws WhimbrelException.UnsupportedType if [A] has no schema or is not a class.
 */
public inline fun <reified A> ToolFunction(
    name: String,
    description: String,
    permission: ToolPermission = ToolPermission.CONFIRM,
    resultClass: PrivacyClass = PrivacyClass.PUBLIC,
    noinline function: suspend (arguments: A) -> String,
): ToolFunction = ToolFunction(name, description, serializer<A>(), permission, resultClass, function)

/** The same for the type of a serializer. */
public fun <A> ToolFunction(
    name: String,
    description: String,
    type: KSerializer<A>,
    permission: ToolPermission = ToolPermission.CONFIRM,
    resultClass: PrivacyClass = PrivacyClass.PUBLIC,
    function: suspend (arguments: A) -> String,
): ToolFunction {
    val parameters = SchemaWriter().writeObject(type.descriptor).toString()
    return ToolFunction(Tool(name, description, parameters, permission, resultClass)) { json ->
        // Without the serializer's own message, which quotes the arguments.
        val arguments = decoded(type, json).getOrElse { error("the function does not take these arguments") }
        function(arguments)
    }
}

/**
 * The functions that the model may call before it answers a question: see [Conversation.ask].
 *
 * They run one at a time in the context of the collector, each after the collector got its [Event.Call]. A function is
 * cancelled with the collector, and when the answer goes on without its result: because it was stopped, or because the
 * call has taken too long.
 *
 * @param functions the functions, with different names.
 * @param confirm asks a person about a call with [PendingCall.mustConfirm], and returns whether it may be carried out.
 *   Without it such a call is refused.
 */
public class Tools(
    vararg functions: ToolFunction,
    private val confirm: (suspend (call: PendingCall) -> Boolean)? = null,
) {
    /** The functions. */
    public val functions: List<ToolFunction> = functions.toList()

    /** Asks a person where one must be asked, and runs the function. */
    internal suspend fun resultOf(call: PendingCall): ToolResult =
        try {
            if (call.mustConfirm && confirm?.invoke(call) != true) {
                ToolResult.Refused
            } else {
                // A person may say yes when it is too late.
                currentCoroutineContext().ensureActive()
                ToolResult.Done(functions.first { it.name == call.name }.call(call.arguments))
            }
        } catch (error: Exception) {
            // A function that was cancelled gives no result. One whose own work was cancelled has failed.
            currentCoroutineContext().ensureActive()
            ToolResult.Failed((error.message ?: "the function failed").take(REASON_CHARACTERS_MAX))
        }
}

/**
 * Checks that the tool can be offered.
 *
 * @throws WhimbrelException.InvalidOption if its name or its parameters cannot be used.
 */
public fun Tool.validate(): Unit = translated { validateTool(toCore()) }

/** The options of a question with functions. */
internal fun AskOptions.with(functions: Tools?): AskOptions {
    if (functions == null) return this
    if (tools.tools.isNotEmpty()) {
        throw WhimbrelException.InvalidOption("tools", "empty: the question has functions", "other tools", null)
    }
    return copy(tools = tools.copy(tools = functions.functions.map { it.tool }))
}

/** A message may quote a whole document, and results have a limit. */
private const val REASON_CHARACTERS_MAX = 1000
