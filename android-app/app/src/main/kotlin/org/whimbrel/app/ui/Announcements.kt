package org.whimbrel.app.ui

import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.size
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import org.whimbrel.app.ChatMessage
import org.whimbrel.app.ConversationState
import org.whimbrel.app.R

/**
 * Lets a screen reader follow an answer, sentence by sentence: were the growing text itself announced, every piece
 * would start it over. It is not seen; a reader that reads the screen finds the message itself.
 */
@Composable
internal fun Announcements(conversation: ConversationState) {
    val answer = conversation.messages.lastOrNull { it is ChatMessage.Answer } as ChatMessage.Answer?
    val answering = stringResource(R.string.answering)
    // Only an answer that was seen in the making is announced, not those of a conversation that was just opened.
    var followed by remember { mutableStateOf<Long?>(null) }
    var spoken by remember { mutableStateOf("") }
    var spokenEnd by remember { mutableStateOf(0) }
    LaunchedEffect(answer) {
        if (answer == null) return@LaunchedEffect
        if (answer.id != followed && answer.ending == null) {
            followed = answer.id
            spokenEnd = 0
            spoken = answering
        }
        if (answer.id != followed) return@LaunchedEffect
        val end = sentencesEnd(answer.text, spokenEnd, isComplete = answer.ending != null)
        if (end > spokenEnd) {
            spoken = answer.text.substring(spokenEnd, end).trim()
            spokenEnd = end
        }
    }
    Box(
        Modifier.size(1.dp).semantics {
            liveRegion = LiveRegionMode.Polite
            if (spoken.isNotEmpty()) contentDescription = spoken
        },
    )
}

/**
 * Where the whole sentences of [text] from [start] on end; [start] when there is none yet, the end of the text when it
 * [isComplete].
 */
internal fun sentencesEnd(
    text: String,
    start: Int,
    isComplete: Boolean,
): Int {
    if (isComplete) return text.length
    // A mark counts only with something behind it: "3." may go on as "3.5".
    val marks = text.indices.filter { it >= start && it + 1 < text.length && isSentenceEnd(text, it) }
    return if (marks.isEmpty()) start else marks.last() + 1
}

private fun isSentenceEnd(
    text: String,
    index: Int,
) = text[index] == '\n' || text[index] in "。!?" || (text[index] in ".!?…؟" && text[index + 1].isWhitespace())
