package org.whimbrel.app

import androidx.compose.material3.ColorScheme
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.luminance
import org.junit.Test
import org.whimbrel.app.ui.Day
import org.whimbrel.app.ui.Dusk
import org.whimbrel.app.ui.sentencesEnd
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** What can be said of colours, words and pictures without a screen. */
class LookTest {
    @Test
    fun `text stands out from what it is written on`() {
        for ((name, scheme) in listOf("day" to Day, "dusk" to Dusk)) {
            for ((pair, colors) in scheme.pairs()) {
                val contrast = contrast(colors.first, colors.second)
                assertTrue(contrast >= TEXT_CONTRAST_MIN, "$name, $pair: $contrast")
            }
        }
    }

    private fun ColorScheme.pairs() =
        listOf(
            "primary" to (onPrimary to primary),
            "question" to (onPrimaryContainer to primaryContainer),
            "question's text" to (onSurface to primaryContainer),
            "answer" to (onSurface to surfaceContainerHigh),
            "header" to (onSurface to surfaceContainer),
            "subtitle" to (onSurfaceVariant to surfaceContainer),
            "figures" to (onSurfaceVariant to surface),
            "ending" to (tertiary to surface),
            "stop" to (onTertiary to tertiary),
            "notice" to (onErrorContainer to errorContainer),
            "button" to (primary to surface),
            "input" to (onSurface to surfaceContainerLowest),
            "hint" to (onSurfaceVariant to surfaceContainerLowest),
        )

    /** WCAG 2.2, section 1.4.3. */
    private fun contrast(
        a: Color,
        b: Color,
    ): Float {
        val (dark, light) = listOf(a.luminance(), b.luminance()).sorted()
        return (light + LUMINANCE_OFFSET) / (dark + LUMINANCE_OFFSET)
    }

    @Test
    fun `sentences are announced when they are whole`() {
        val cases =
            listOf(
                Triple("Hello", 0, 0),
                Triple("Hello.", 0, 0),
                Triple("Hello. ", 0, 6),
                Triple("It is 3.5 metres", 0, 0),
                Triple("One. Two! Three", 0, 9),
                Triple("One. Two! Three", 9, 9),
                Triple("One\nTwo", 0, 4),
                Triple("一。二", 0, 2),
                Triple("نعم؟ لا", 0, 4),
            )
        for ((text, start, end) in cases) assertEquals(end, sentencesEnd(text, start, isComplete = false), text)
        assertEquals(5, sentencesEnd("Hello", 0, isComplete = true))
    }

    @Test
    fun `pictures that differ are told apart`() {
        val grey = IntArray(100) { 0x808080 }
        assertEquals(0, differingPixels(grey, IntArray(100) { 0x889898 }))
        assertEquals(100, differingPixels(grey, IntArray(100) { 0x808099 }))
        assertEquals(1, differingPixels(grey, grey.clone().also { it[7] = 0xFF8080 }))
    }

    private companion object {
        const val TEXT_CONTRAST_MIN = 4.5f
        const val LUMINANCE_OFFSET = 0.05f
    }
}
