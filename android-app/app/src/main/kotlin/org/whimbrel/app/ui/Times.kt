package org.whimbrel.app.ui

import android.text.format.DateFormat
import androidx.compose.runtime.Composable
import androidx.compose.ui.platform.LocalConfiguration
import androidx.compose.ui.platform.LocalContext
import java.time.Instant
import java.time.LocalDate
import java.time.ZoneId
import java.time.format.DateTimeFormatter
import java.time.format.DecimalStyle
import java.util.Date
import java.util.Locale

/** A time as people say it on the day of [nowMs]: the clock's, or the date where it is of another day. */
@Composable
internal fun timeWords(
    timeMs: Long,
    nowMs: Long,
): String {
    val locale = LocalConfiguration.current.locales[0]
    val day = dayOf(timeMs)
    val today = dayOf(nowMs)
    return when {
        day == today -> clockWords(timeMs)
        day.year == today.year -> day.words("dMMM", locale)
        else -> day.words("dMMMy", locale)
    }
}

/** The clock's time, as the phone is set. */
@Composable
internal fun clockWords(timeMs: Long): String = DateFormat.getTimeFormat(LocalContext.current).format(Date(timeMs))

private fun dayOf(timeMs: Long): LocalDate = Instant.ofEpochMilli(timeMs).atZone(ZoneId.systemDefault()).toLocalDate()

private fun LocalDate.words(
    skeleton: String,
    locale: Locale,
): String =
    format(
        DateTimeFormatter
            .ofPattern(DateFormat.getBestDateTimePattern(locale, skeleton), locale)
            .withDecimalStyle(DecimalStyle.of(locale)),
    )
