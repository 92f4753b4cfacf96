package org.whimbrel.app

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import androidx.test.platform.app.InstrumentationRegistry
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import java.io.File
import kotlin.math.abs

/** Compares what is on the screen with the picture of that name. No text in it may be cut off. */
fun Phone.compareWithPicture(name: String) {
    settle()
    assertEquals(emptyList<String>(), cutTexts())
    InstrumentationRegistry
        .getInstrumentation()
        .uiAutomation
        .takeScreenshot()
        .compareWithPicture(name)
}

/**
 * Compares with the picture [name] in `docs/screens`. With the system property `screens.write` it writes the picture
 * instead.
 */
fun Bitmap.compareWithPicture(name: String) {
    val picture = File(PICTURES, "$name.png")
    if (System.getProperty("screens.write") != null) {
        writeTo(picture)
    } else if (differingShare(this, picture) > DIFFERING_SHARE_MAX) {
        val actual = File("target/screens/$name.png")
        writeTo(actual)
        throw AssertionError(
            "$name differs from ${picture.path}: see ${actual.path}, or write it anew with make android-screens",
        )
    }
    assertTrue("$name.png has ${picture.length()} bytes", picture.length() <= PICTURE_BYTES_MAX)
}

private fun Bitmap.writeTo(file: File) {
    file.parentFile?.mkdirs()
    file.outputStream().use { compress(Bitmap.CompressFormat.PNG, 100, it) }
}

/** The share of pixels that are clearly another colour; 1 when there is no such picture. */
private fun differingShare(
    seen: Bitmap,
    picture: File,
): Double {
    if (!picture.exists()) return 1.0
    val expected = BitmapFactory.decodeFile(picture.path)
    assertEquals(expected.width to expected.height, seen.width to seen.height)
    return differingPixels(seen.pixels(), expected.pixels()).toDouble() / (seen.width * seen.height)
}

internal fun differingPixels(
    seen: IntArray,
    expected: IntArray,
): Int =
    seen.indices.count { index ->
        CHANNEL_SHIFTS.any { abs(channel(seen[index], it) - channel(expected[index], it)) > CHANNEL_DIFFERENCE_MAX }
    }

private fun Bitmap.pixels() = IntArray(width * height).also { getPixels(it, 0, width, 0, 0, width, height) }

private fun channel(
    pixel: Int,
    shift: Int,
) = pixel ushr shift and 0xFF

private val PICTURES = File("../../docs/screens")
private val CHANNEL_SHIFTS = listOf(0, 8, 16)

/** Another machine may smooth edges a little differently, in few places. */
private const val CHANNEL_DIFFERENCE_MAX = 24
private const val DIFFERING_SHARE_MAX = 0.002
private const val PICTURE_BYTES_MAX = 240_000L
