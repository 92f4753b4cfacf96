package org.whimbrel

internal const val DEFAULT_CONTEXT_LENGTH: Int = 2048

/**
 * How a model is opened.
 *
 * @property threads threads that compute; 0 takes the number of performance cores.
 * @property alwaysVerify whether the hashes of all files are checked; otherwise only those of files that were not checked before, or
 *   changed since.
 * @property variant the name of the quantisation to open; without it the bundle's first.
 * @property stateFolder a folder in which it is remembered which files were checked, for bundles in a folder that cannot be written.
 * @property hugePages whether the weights are copied into memory of huge pages: quicker answers, a slower start, and memory that the
 *   system cannot take back.
 * @property kvPrecision what the keys and values of a conversation's context are kept in.
 */
public data class OpenOptions(
    public val threads: Int = 0,
    public val alwaysVerify: Boolean = false,
    public val variant: String? = null,
    public val stateFolder: String? = null,
    public val hugePages: Boolean = false,
    public val kvPrecision: KvPrecision = KvPrecision.HALF,
)

/** What keys and values are kept in. */
public enum class KvPrecision {
    /** 16 bits a value. */
    HALF,

    /** 8 bits a value: about half the memory, and slightly other answers. */
    INT8,
}

/**
 * What is known of an open model.
 *
 * @property name the model's name, for people.
 * @property version the bundle's version.
 * @property licence the licence of the weights as an SPDX expression, or `unknown`.
 * @property contextLength the longest context that the model was made for, in tokens.
 * @property layers layers of the network.
 * @property threads threads that compute.
 * @property loadMs milliseconds that opening took, verification included.
 * @property hasChatTemplate whether conversations are possible; otherwise only [LanguageModel.complete] is.
 */
public data class ModelInfo(
    public val name: String,
    public val version: String,
    public val licence: String,
    public val contextLength: Int,
    public val layers: Int,
    public val threads: Int,
    public val loadMs: Double,
    public val hasChatTemplate: Boolean,
)

/** What happens when a conversation no longer fits its context. */
public enum class ContextPolicy {
    /** The question is refused with [WhimbrelException.ContextFull]. */
    REFUSE,

    /** The oldest exchanges are left out, never the system message; [Statistics.droppedMessages] says how many. */
    DROP_OLDEST,
}

/**
 * How a conversation is kept.
 *
 * @property contextLength tokens of context, at most the model's own. Their memory is reserved at once.
 * @property system the system message; without it a plain one is used, and an empty text leaves it to the model.
 * @property contextPolicy what happens when the context is full.
 */
public data class ConversationOptions(
    public val contextLength: Int = DEFAULT_CONTEXT_LENGTH,
    public val system: String? = null,
    public val contextPolicy: ContextPolicy = ContextPolicy.DROP_OLDEST,
)

/**
 * How an answer is made.
 *
 * @property maxTokens tokens after which the answer ends.
 * @property temperature 0 always takes the most likely token; higher values spread the choice.
 * @property topK only this many of the most likely tokens are considered; 0 means all.
 * @property topP only the most likely tokens that together reach this probability are considered; 1 means all.
 * @property minP only tokens at least this fraction as likely as the most likely one are considered; 0 means all.
 * @property repetitionPenalty makes tokens that were used before less likely; 1 changes nothing.
 * @property repetitionWindow how many tokens back [repetitionPenalty] looks.
 * @property seed the same seed gives the same answer.
 * @property stop texts that end the answer; they are not part of it.
 * @property speculation whether tokens may be guessed from the text so far and checked several at a time. It changes the speed,
 *   never the answer.
 */
public data class GenerationOptions(
    public val maxTokens: Int = 512,
    public val temperature: Float = 0f,
    public val topK: Int = 0,
    public val topP: Float = 1f,
    public val minP: Float = 0f,
    public val repetitionPenalty: Float = 1f,
    public val repetitionWindow: Int = 64,
    public val seed: Long = 0,
    public val stop: List<String> = emptyList(),
    public val speculation: Boolean = true,
)

/** Who says a message. */
public enum class Role {
    /** What the app tells the model beforehand. */
    SYSTEM,

    /** The person. */
    USER,

    /** The model. */
    ASSISTANT,
}

/** One message of a conversation. */
public data class Message(
    public val role: Role,
    public val content: String,
)
