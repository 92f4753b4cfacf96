package org.whimbrel

import kotlinx.serialization.KSerializer
import kotlinx.serialization.serializer
import org.whimbrel.ffi.schemaFields

/**
 * The JSON schema of a type: the form that holds an answer to it.
 *
 * It comes from the type's serializer: classes, lists, maps with texts as keys, sealed classes, enums, texts, numbers,
 * truth values, and what may be `null`. A property with a default may be left out. [Description], [Length], [Items] and
 * [Range] say more. Whole numbers have the range of their type; [Long] has ±9007199254740991, in which all readers of
 * JSON agree.
 *
 * @property json the schema.
 */
public class Schema internal constructor(
    public val json: String,
) {
    /**
     * The fields of the type, or of the items if it is a list, each with its description in brackets: `name, town (where
     * the person lives)`. A model does not read its form, so a prompt should say what is wanted.
     */
    public val fields: String
        get() = translated { schemaFields(json) }

    /** The form of an answer. */
    public val form: Form
        get() = Form.JsonSchema(json)

    public companion object {
        /**
         * The schema of [T].
         *
         * @throws WhimbrelException.UnsupportedType if a schema cannot say what the type is.
         */
        public inline fun <reified T> of(): Schema = of(serializer<T>())

        /** The same for the type of a serializer. */
        public fun of(type: KSerializer<*>): Schema = Schema(SchemaWriter().write(type.descriptor).toString())
    }
}
