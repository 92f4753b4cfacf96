// scripts/bindings-values.py writes this from bindings/ffi/src/options.rs: change that, then run  make bindings.
package org.whimbrel

import kotlin.time.Duration

/**
 * How a model is opened.
 *
 * @property threads threads that compute; 0 takes the number of performance cores.
 * @property alwaysVerify whether the hashes of all files are checked. Otherwise only those of files that were not
 *   checked before, or changed since.
 * @property variant the name of the quantisation to open; without it the bundle's first.
 * @property stateFolder a folder in which it is remembered which files were checked, for bundles in a folder that
 *   cannot be written.
 * @property hugePages whether the weights are copied into memory of huge pages: quicker answers, a slower start, and
 *   memory that the system cannot take back.
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

/** What happens when a conversation no longer fits its context. */
public enum class ContextPolicy {
    /** The question is refused with the error `ContextFull`. */
    REFUSE,

    /** The oldest exchanges are left out, never the system message. The statistics say how many messages. */
    DROP_OLDEST,
}

/**
 * How a conversation is kept.
 *
 * @property contextLength tokens of context, at most the model's own.
 * @property system the system message; without it the model's own is used, and an empty text leaves it to the model's
 *   template.
 * @property contextPolicy what happens when the context is full.
 */
public data class ConversationOptions(
    public val contextLength: Int = 2048,
    public val system: String? = null,
    public val contextPolicy: ContextPolicy = ContextPolicy.DROP_OLDEST,
)

/**
 * How an answer is made. Where no value is given for how tokens are chosen, the model's own is used: its card says how
 * it was made to be used.
 *
 * @property maxTokens tokens after which the answer ends.
 * @property temperature 0 always takes the most likely token; higher values spread the choice.
 * @property topK only this many of the most likely tokens are considered; 0 means all.
 * @property topP only the most likely tokens that together reach this probability are considered; 1 means all.
 * @property minP only tokens at least this fraction as likely as the most likely one are considered; 0 means all.
 * @property repetitionPenalty makes tokens that were used before less likely; 1 changes nothing.
 * @property repetitionWindow how many tokens back `repetitionPenalty` looks.
 * @property seed the same seed gives the same answer.
 * @property stop texts that end the answer; they are not part of it.
 * @property speculation whether tokens may be guessed from the text so far and checked several at a time. It changes
 *   the speed, never the answer.
 * @property repetitionGuard whether an answer that says the same over and over is ended. The report's `finish` is
 *   `Repetition` then.
 */
public data class GenerationOptions(
    public val maxTokens: Int = 512,
    public val temperature: Float? = null,
    public val topK: Int? = null,
    public val topP: Float? = null,
    public val minP: Float? = null,
    public val repetitionPenalty: Float? = null,
    public val repetitionWindow: Int? = null,
    public val seed: Long? = null,
    public val stop: List<String> = emptyList(),
    public val speculation: Boolean = true,
    public val repetitionGuard: Boolean = true,
)

/**
 * How a question is asked.
 *
 * @property task the app's name for what it is doing, which rules and learning look at.
 * @property privacyClass what the app knows about the text. What is found in the text can only raise it.
 * @property deadline time for the whole answer; without it the policy says.
 * @property needs what the answer needs beyond text.
 * @property generation how the answer is made.
 */
public data class AskOptions(
    public val task: String = "chat",
    public val privacyClass: PrivacyClass = PrivacyClass.PUBLIC,
    public val deadline: Duration? = null,
    public val needs: List<Need> = emptyList(),
    public val generation: GenerationOptions = GenerationOptions(),
)

/** How private a text is, from the least to the most. */
public enum class PrivacyClass {
    /** Nothing was recognised as personal. */
    PUBLIC,

    /** About a person, ordinary: a name, an address, a telephone number. */
    PERSONAL,

    /**
     * Harmful in wrong hands: national ids, cards and accounts, dates of birth, health, religion and the other special
     * categories, or whatever the app calls so.
     */
    SENSITIVE,

    /** Opens something: passwords, keys, or whatever the app calls so. */
    SECRET,
}

/** What an answer needs beyond text. */
public enum class Need {
    /** Calls of tools. */
    TOOLS,

    /** An answer that follows a JSON schema. */
    JSON,
}
