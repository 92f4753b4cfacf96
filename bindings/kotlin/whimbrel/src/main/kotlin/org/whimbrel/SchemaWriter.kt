@file:OptIn(ExperimentalSerializationApi::class)

package org.whimbrel

import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.descriptors.PolymorphicKind
import kotlinx.serialization.descriptors.PrimitiveKind
import kotlinx.serialization.descriptors.SerialDescriptor
import kotlinx.serialization.descriptors.SerialKind
import kotlinx.serialization.descriptors.StructureKind
import kotlinx.serialization.descriptors.elementDescriptors
import kotlinx.serialization.descriptors.elementNames
import kotlinx.serialization.descriptors.nullable
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonClassDiscriminator
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.add
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

// How the descriptor of a serializer becomes a JSON schema that the core can hold.

/** The largest whole number up to which every reader of JSON agrees (RFC 8259, section 6). */
private const val INTEGER_MAX = (1L shl 53) - 1

/** The types without a sign, which are classes around those with one. */
private val UNSIGNED =
    mapOf(
        "kotlin.UByte" to 0..UByte.MAX_VALUE.toLong(),
        "kotlin.UShort" to 0..UShort.MAX_VALUE.toLong(),
        "kotlin.UInt" to 0..UInt.MAX_VALUE.toLong(),
        "kotlin.ULong" to 0..INTEGER_MAX,
    )

/** Writes the schema of one type. Classes become definitions, so that they may contain themselves. */
internal class SchemaWriter {
    /** The name of a definition by the nullable form of its type, which a class has in common with its nullable uses. */
    private val names = mutableMapOf<SerialDescriptor, String>()
    private val definitions = mutableMapOf<String, JsonObject>()

    fun write(type: SerialDescriptor): JsonObject {
        val root = schema(type, Limits(), type.shortName)
        if (definitions.isEmpty()) return root
        return JsonObject(root + ("\$defs" to JsonObject(definitions)))
    }

    /** As [write], for a class: the schema itself says that it is an object, as the parameters of a tool must. */
    fun writeObject(type: SerialDescriptor): JsonObject {
        val isRecord = type.kind == StructureKind.CLASS || type.kind == StructureKind.OBJECT
        if (!isRecord || type.isInline || type.isNullable) refuse(type.shortName, "only a class can be the arguments")
        write(type)
        val name = names.getValue(type.nullable)
        val root = definitions.getValue(name)
        val rest = if (definitions.values.any { it.refersTo(name) }) definitions else definitions - name
        return if (rest.isEmpty()) root else JsonObject(root + ("\$defs" to JsonObject(rest)))
    }

    private fun schema(
        type: SerialDescriptor,
        limits: Limits,
        place: String,
    ): JsonObject {
        val schema = present(type, limits, place)
        val whole = if (type.isNullable) orNull(schema) else schema
        val description = limits.description ?: return whole
        return JsonObject(whole + ("description" to JsonPrimitive(description)))
    }

    private fun orNull(schema: JsonObject): JsonObject =
        buildJsonObject {
            putJsonArray("anyOf") {
                add(schema)
                addJsonObject { put("type", "null") }
            }
        }

    /** The schema of a type without `null`. */
    private fun present(
        type: SerialDescriptor,
        limits: Limits,
        place: String,
    ): JsonObject {
        val unsigned = UNSIGNED[type.serialName.removeSuffix("?")]
        return when {
            unsigned != null -> number(limits, place, unsigned)
            type.isInline -> schema(type.getElementDescriptor(0), limits.over(type.getElementAnnotations(0)), place)
            type.serialName.startsWith("kotlinx.serialization.json.") -> refuse(place, "it can be any JSON")
            else -> ofKind(type, limits, place)
        }
    }

    private fun ofKind(
        type: SerialDescriptor,
        limits: Limits,
        place: String,
    ): JsonObject =
        when (type.kind) {
            PrimitiveKind.BOOLEAN -> limits.none(place) { buildJsonObject { put("type", "boolean") } }
            PrimitiveKind.BYTE -> number(limits, place, Byte.MIN_VALUE.toLong()..Byte.MAX_VALUE)
            PrimitiveKind.SHORT -> number(limits, place, Short.MIN_VALUE.toLong()..Short.MAX_VALUE)
            PrimitiveKind.INT -> number(limits, place, Int.MIN_VALUE.toLong()..Int.MAX_VALUE)
            PrimitiveKind.LONG -> number(limits, place, -INTEGER_MAX..INTEGER_MAX)
            PrimitiveKind.FLOAT, PrimitiveKind.DOUBLE -> number(limits, place, null)
            PrimitiveKind.CHAR -> limits.none(place) { text(1..1) }
            PrimitiveKind.STRING -> text(limits.without(place, items = true, range = true).characters(place))
            SerialKind.ENUM -> limits.none(place) { choice(type) }
            StructureKind.LIST -> list(type, limits, place)
            StructureKind.MAP -> map(type, limits, place)
            StructureKind.CLASS, StructureKind.OBJECT -> limits.none(place) { definition(type) { record(type, place) } }
            PolymorphicKind.SEALED -> limits.none(place) { definition(type) { sealed(type, place) } }
            PolymorphicKind.OPEN -> refuse(place, "its subclasses are not known: make it sealed")
            SerialKind.CONTEXTUAL -> refuse(place, "its serializer is not known")
        }

    private fun text(characters: IntRange?): JsonObject =
        buildJsonObject {
            put("type", "string")
            if (characters != null) {
                put("minLength", characters.first)
                put("maxLength", characters.last)
            }
        }

    private fun number(
        limits: Limits,
        place: String,
        whole: LongRange?,
    ): JsonObject {
        val range = limits.without(place, items = true, length = true).numbers(place)
        val least = listOfNotNull(whole?.first, range?.first).maxOrNull()
        val most = listOfNotNull(whole?.last, range?.last).minOrNull()
        return buildJsonObject {
            put("type", if (whole == null) "number" else "integer")
            if (least != null && most != null) {
                if (least > most) refuse(place, "@Range and the type exclude everything")
                put("minimum", least)
                put("maximum", most)
            }
        }
    }

    private fun choice(type: SerialDescriptor): JsonObject =
        buildJsonObject {
            putJsonArray("enum") { type.elementNames.forEach { add(it) } }
        }

    private fun list(
        type: SerialDescriptor,
        limits: Limits,
        place: String,
    ): JsonObject =
        buildJsonObject {
            put("type", "array")
            put("items", schema(type.getElementDescriptor(0), limits.ofItems(), "$place[]"))
            limits.count(place)?.let {
                put("minItems", it.first)
                put("maxItems", it.last)
            }
        }

    private fun map(
        type: SerialDescriptor,
        limits: Limits,
        place: String,
    ): JsonObject {
        val (key, value) = type.elementDescriptors.toList()
        if (key.kind != PrimitiveKind.STRING || key.isNullable) refuse(place, "only texts can be keys of a map")
        return buildJsonObject {
            put("type", "object")
            put("additionalProperties", schema(value, limits.ofItems(), "$place[]"))
            limits.count(place)?.let {
                put("minProperties", it.first)
                put("maxProperties", it.last)
            }
        }
    }

    /** A class, or one of the classes under a sealed one: then [tag] is the property that tells which, and its name. */
    private fun record(
        type: SerialDescriptor,
        place: String,
        tag: Pair<String, String>? = null,
    ): JsonObject =
        buildJsonObject {
            put("type", "object")
            type.annotations
                .filterIsInstance<Description>()
                .firstOrNull()
                ?.let { put("description", it.text) }
            val names = type.elementNames.toList()
            putJsonObject("properties") {
                tag?.let { (property, name) -> putJsonObject(property) { put("const", name) } }
                names.forEachIndexed { index, name ->
                    if (name == tag?.first) refuse("$place.$name", "the name says which class it is")
                    val limits = Limits().over(type.getElementAnnotations(index))
                    put(name, schema(type.getElementDescriptor(index), limits, "$place.$name"))
                }
            }
            putJsonArray("required") {
                tag?.let { add(it.first) }
                names.filterIndexed { index, _ -> !type.isElementOptional(index) }.forEach { add(it) }
            }
            put("additionalProperties", false)
        }

    private fun sealed(
        type: SerialDescriptor,
        place: String,
    ): JsonObject {
        val property =
            type.annotations
                .filterIsInstance<JsonClassDiscriminator>()
                .firstOrNull()
                ?.discriminator ?: "type"
        return buildJsonObject {
            type.annotations
                .filterIsInstance<Description>()
                .firstOrNull()
                ?.let { put("description", it.text) }
            putJsonArray("anyOf") {
                // A descriptor of a sealed class has the property first, and then all classes as the elements of one.
                val classes = type.getElementDescriptor(1)
                classes.elementNames.zip(classes.elementDescriptors).forEach { (name, of) ->
                    val inside = "$place.${of.shortName}"
                    val isRecord = of.kind == StructureKind.CLASS || of.kind == StructureKind.OBJECT
                    if (!isRecord || of.isInline) refuse(inside, "only a class can be one of several")
                    add(record(of, inside, property to name))
                }
            }
        }
    }

    private fun definition(
        type: SerialDescriptor,
        content: () -> JsonObject,
    ): JsonObject {
        val key = type.nullable
        val name = names[key] ?: unusedName(type).also { name -> names[key] = name }
        if (name !in definitions) {
            // The name is known from now on: what is inside may refer to it.
            definitions[name] = JsonObject(emptyMap())
            definitions[name] = content()
        }
        return buildJsonObject { put("\$ref", reference(name)) }
    }

    private fun unusedName(type: SerialDescriptor): String {
        val short = type.shortName.filter { it.isLetterOrDigit() && it.code < ASCII_END }
        return generateSequence(1) { it + 1 }
            .map { if (it == 1) short else "$short$it" }
            .first { it !in names.values }
    }

    private companion object {
        const val ASCII_END = 128
    }
}

private fun JsonElement.refersTo(name: String): Boolean =
    when (this) {
        is JsonObject -> this["\$ref"] == reference(name) || values.any { it.refersTo(name) }
        is JsonArray -> any { it.refersTo(name) }
        is JsonPrimitive -> false
    }

private fun reference(name: String) = JsonPrimitive("#/\$defs/$name")

/** The last part of a type's name. */
private val SerialDescriptor.shortName: String
    get() = serialName.removeSuffix("?").substringAfterLast('.')

private fun refuse(
    place: String,
    reason: String,
): Nothing = throw WhimbrelException.UnsupportedType(place, reason, null)

/** What annotations say about a property. Those of a list's items stand on the list. */
private data class Limits(
    val description: String? = null,
    val length: Length? = null,
    val items: Items? = null,
    val range: Range? = null,
) {
    /** These limits, and where they say nothing those of [annotations]. */
    fun over(annotations: List<Annotation>) =
        Limits(
            description ?: annotations.filterIsInstance<Description>().firstOrNull()?.text,
            length ?: annotations.filterIsInstance<Length>().firstOrNull(),
            items ?: annotations.filterIsInstance<Items>().firstOrNull(),
            range ?: annotations.filterIsInstance<Range>().firstOrNull(),
        )

    fun ofItems() = Limits(length = length, range = range)

    fun characters(place: String): IntRange? = length?.let { between(place, "Length", it.min, it.max) }

    fun count(place: String): IntRange? = items?.let { between(place, "Items", it.min, it.max) }

    fun numbers(place: String): LongRange? {
        val limits = range ?: return null
        if (limits.min > limits.max) refuse(place, "the limits of @Range exclude everything")
        return limits.min..limits.max
    }

    /** Refuses limits that do not fit. */
    fun without(
        place: String,
        length: Boolean = false,
        items: Boolean = false,
        range: Boolean = false,
    ): Limits {
        val wrong =
            when {
                length && this.length != null -> "Length"
                items && this.items != null -> "Items"
                range && this.range != null -> "Range"
                else -> return this
            }
        refuse(place, "@$wrong does not fit its type")
    }

    /** For a type that has no limits. */
    fun none(
        place: String,
        schema: () -> JsonObject,
    ): JsonObject {
        without(place, length = true, items = true, range = true)
        return schema()
    }

    private fun between(
        place: String,
        name: String,
        min: Int,
        max: Int,
    ): IntRange {
        if (min < 0 || min > max) refuse(place, "the limits of @$name exclude everything")
        return min..max
    }
}
