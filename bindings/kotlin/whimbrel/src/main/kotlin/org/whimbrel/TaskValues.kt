// scripts/bindings-values.py writes this from bindings/ffi/src/task.rs: change that, then run  make bindings.
package org.whimbrel

import kotlin.time.Duration

/** What has to be given with a text. */
public enum class TaskNeeds {
    /** Nothing. */
    NOTHING,

    /** The choices: a `Form` of choices. */
    CHOICES,

    /** The fields: a `Form` with a JSON schema of an object. */
    SCHEMA,
}

/**
 * What is known of a task.
 *
 * @property name its name, by which policies and learning know it too.
 * @property description what it does, in a sentence for people.
 * @property languages the languages of its examples, as codes like `en`.
 * @property needs what has to be given with a text.
 * @property textBytesMax the longest text that it takes, in bytes of UTF-8.
 */
public data class TaskInfo(
    public val name: String,
    public val description: String,
    public val languages: List<String>,
    public val needs: TaskNeeds,
    public val textBytesMax: Int,
)

/**
 * Options for a task.
 *
 * @property privacyClass the privacy class of the text as far as the app knows it. Findings in the text can only raise
 *   it.
 * @property deadline the deadline for the whole answer. The default is the policy's.
 * @property fresh whether it is asked again even if the answer to exactly this text is remembered.
 */
public data class TaskOptions(
    public val privacyClass: PrivacyClass = PrivacyClass.PUBLIC,
    public val deadline: Duration? = null,
    public val fresh: Boolean = false,
)
