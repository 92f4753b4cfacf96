@file:OptIn(ExperimentalSerializationApi::class)

package org.whimbrel

import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.SerialInfo

/**
 * Says what a property or a class is. It becomes part of the [Schema], and of [Schema.fields] for a prompt: a model does
 * not read its form.
 *
 * @property text the description, such as `where the person lives`.
 */
@SerialInfo
@Target(AnnotationTarget.PROPERTY, AnnotationTarget.CLASS)
public annotation class Description(
    public val text: String,
)

/**
 * Limits a text, or the texts in a list or a map. A text without it may go on until `maxTokens` ends the answer, which is
 * then no value.
 *
 * @property max the most characters.
 * @property min the fewest characters.
 */
@SerialInfo
@Target(AnnotationTarget.PROPERTY)
public annotation class Length(
    public val max: Int,
    public val min: Int = 0,
)

/**
 * Limits how many items a list, or how many entries a map has. Without it a list may go on until `maxTokens` ends the
 * answer, which is then no value.
 *
 * @property max the most items.
 * @property min the fewest items.
 */
@SerialInfo
@Target(AnnotationTarget.PROPERTY)
public annotation class Items(
    public val max: Int,
    public val min: Int = 0,
)

/**
 * Limits a number, or the numbers in a list or a map, to a range with both ends.
 *
 * @property min the smallest number.
 * @property max the largest number.
 */
@SerialInfo
@Target(AnnotationTarget.PROPERTY)
public annotation class Range(
    public val min: Long,
    public val max: Long,
)
