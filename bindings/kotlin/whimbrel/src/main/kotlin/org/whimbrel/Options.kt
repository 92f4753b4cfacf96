// scripts/bindings-values.py writes this from bindings/ffi/src/options.rs: change that, then run  make bindings.
package org.whimbrel

import kotlin.time.Duration

/**
 * Options for opening a model.
 *
 * @property threads number of threads that compute; 0 uses the number of performance cores.
 * @property alwaysVerify whether to check the hashes of all files. Otherwise, only files that are new or have changed
 *   since the last check are checked.
 * @property variant the name of the quantisation to open. The default is the bundle's first one.
 * @property stateFolder a folder for the record of verified files, if the bundle's own folder is read-only.
 * @property hugePages whether to copy the weights into memory with huge pages. Answers become faster, but the start is
 *   slower, and the system cannot reclaim the memory.
 * @property kvPrecision the precision of the keys and values in a conversation's context. The default is `HALF`.
 */
public data class OpenOptions(
    public val threads: Int = 0,
    public val alwaysVerify: Boolean = false,
    public val variant: String? = null,
    public val stateFolder: String? = null,
    public val hugePages: Boolean = false,
    public val kvPrecision: KvPrecision = KvPrecision.HALF,
)

/** The precision of keys and values. */
public enum class KvPrecision {
    /** 16 bits per value. */
    HALF,

    /** 8 bits per value: about half the memory, and slightly different answers. */
    INT8,
}

/** What happens when a conversation no longer fits its context. */
public enum class ContextPolicy {
    /** The question is refused with the error `ContextFull`. */
    REFUSE,

    /**
     * The oldest exchanges are left out, never the system message. The statistics say how many messages were left out.
     */
    DROP_OLDEST,
}

/**
 * Options for a conversation.
 *
 * @property contextLength size of the context in tokens, at most the model's own.
 * @property system the system message; without it the model's own is used, and an empty text leaves it to the model's
 *   template.
 * @property contextPolicy what happens when the context is full. The default is `DROP_OLDEST`.
 * @property initialMessages what was said before the conversation begins, without system messages. A message without
 *   recipients is treated like the text of an imported document: under a policy, it does not leave the device.
 */
public data class ConversationOptions(
    public val contextLength: Int = 2048,
    public val system: String? = null,
    public val contextPolicy: ContextPolicy = ContextPolicy.DROP_OLDEST,
    public val initialMessages: List<Message> = emptyList(),
)

/**
 * How an answer is made. Where no value is given for how tokens are chosen, the model's own is used: its card says how
 * it was made to be used.
 *
 * @property maxTokens maximum length of the answer in tokens, together with what the model thinks before it.
 * @property temperature 0 always takes the most likely token; higher values spread the choice.
 * @property topK only this many of the most likely tokens are considered; 0 means all.
 * @property topP only the most likely tokens that together reach this probability are considered; 1 means all.
 * @property minP only tokens at least this fraction as likely as the most likely one are considered; 0 means all.
 * @property repetitionPenalty makes tokens that were used before less likely; 1 changes nothing.
 * @property repetitionWindow how many tokens back `repetitionPenalty` looks.
 * @property seed the same seed gives the same answer.
 * @property stop texts that end the answer; they are not part of it.
 * @property thinking whether a model that thinks before it answers does so; without a value it is the model's choice.
 *   Where the model cannot think, switching it on is refused with the error `InvalidOption`. A model that always thinks
 *   is only asked not to. Endpoints and the system's model ignore this, and the report lists it as not supported.
 * @property speculation whether to use speculative decoding: tokens are guessed from the text so far and checked
 *   several at a time. It changes the speed, never the answer.
 * @property repetitionGuard whether an answer that says the same over and over is ended. The report's `finish` is
 *   `Repetition` then.
 * @property form the form that the answer must have: the model then chooses only among the tokens that the form allows.
 *   An answer that ends before it has its form is a failure with the code `not_in_form`. A model on this device holds
 *   any form; under a policy, an endpoint that supports JSON holds choices and JSON schemas.
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
    public val thinking: Boolean? = null,
    public val speculation: Boolean = true,
    public val repetitionGuard: Boolean = true,
    public val form: Form? = null,
)

/**
 * The form that an answer must have. One that cannot be used is refused with the error `InvalidOption`, which says what
 * in it and where.
 */
public sealed interface Form {
    /**
     * One of several texts.
     *
     * @property choices the texts, as they are.
     */
    public data class Choice(
        public val choices: List<String>,
    ) : Form

    /**
     * JSON that is valid by a JSON Schema (draft 4 to 2020-12), on one line. Properties come in the order in which the
     * schema names them. A keyword that cannot be enforced is refused by name.
     *
     * @property schema the schema, as JSON.
     */
    public data class JsonSchema(
        public val schema: String,
    ) : Form

    /**
     * A text that a regular expression matches as a whole, in the syntax of Rust's `regex`, without anchors and
     * lookaround.
     *
     * @property expression the expression.
     */
    public data class Regex(
        public val expression: String,
    ) : Form

    /**
     * A text of a grammar, in llguidance's variant of Lark.
     *
     * @property text the grammar, whose rule `start` is the whole text.
     */
    public data class Grammar(
        public val text: String,
    ) : Form
}

/**
 * Options for asking a question.
 *
 * @property task the app's name for the kind of work, used by rules and learning.
 * @property privacyClass the privacy class of the text as far as the app knows it. The default is `PUBLIC`. Findings in
 *   the text can only raise it.
 * @property deadline the deadline for the whole answer, with tools for each of its rounds. The default is the policy's.
 * @property expiresIn for how long an answer is of use if the question has to wait in the outbox. The default is for
 *   ever.
 * @property needs what the answer needs beyond text.
 * @property fresh whether it is asked again even if the answer to exactly this question is remembered.
 * @property tools the tools that the model may call before it answers. A question with tools is never queued, and its
 *   answer not remembered.
 * @property generation options for generating the answer.
 */
public data class AskOptions(
    public val task: String = "chat",
    public val privacyClass: PrivacyClass = PrivacyClass.PUBLIC,
    public val deadline: Duration? = null,
    public val expiresIn: Duration? = null,
    public val needs: List<Need> = emptyList(),
    public val fresh: Boolean = false,
    public val tools: ToolOptions = ToolOptions(),
    public val generation: GenerationOptions = GenerationOptions(),
)

/** How private a text is, from the least to the most. */
public enum class PrivacyClass {
    /** Nothing was recognised as personal. */
    PUBLIC,

    /** Ordinary personal data: a name, an address, a telephone number. */
    PERSONAL,

    /**
     * Harmful in wrong hands: national ids, cards and accounts, dates of birth, health, religion and the other special
     * categories, or whatever the app calls so.
     */
    SENSITIVE,

    /** Gives access to something: passwords, keys, or whatever the app declares secret. */
    SECRET,
}

/** What an answer needs beyond text. */
public enum class Need {
    /** Tool calls. */
    TOOLS,

    /** An answer that follows a JSON schema. */
    JSON,
}
