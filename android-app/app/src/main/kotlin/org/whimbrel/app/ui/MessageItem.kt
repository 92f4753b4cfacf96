package org.whimbrel.app.ui

import androidx.compose.animation.core.RepeatMode
import androidx.compose.animation.core.animateFloat
import androidx.compose.animation.core.infiniteRepeatable
import androidx.compose.animation.core.rememberInfiniteTransition
import androidx.compose.animation.core.tween
import androidx.compose.foundation.Canvas
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.foundation.text.selection.SelectionContainer
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.unit.dp
import org.whimbrel.app.ChatMessage
import org.whimbrel.app.Ending
import org.whimbrel.app.Figures
import org.whimbrel.app.R
import org.whimbrel.app.seconds
import kotlin.math.roundToInt

/** The name by which tests find the texts of messages. */
internal const val MESSAGE_TAG = "message"

/** One message. [reading] is how much of a long question was read, [isThinking] that the model thinks before it answers. */
@Composable
internal fun MessageItem(
    message: ChatMessage,
    reading: Float?,
    isThinking: Boolean,
    actions: WaitingActions,
) = when (message) {
    is ChatMessage.Question -> QuestionBubble(message.text, MaterialTheme.colorScheme.primaryContainer)
    is ChatMessage.Answer -> AnswerItem(message, reading, isThinking)
    is ChatMessage.Waiting -> WaitingItem(message, actions)
}

@Composable
internal fun QuestionBubble(
    text: String,
    color: Color,
) {
    Box(Modifier.fillMaxWidth().padding(start = 40.dp), contentAlignment = Alignment.CenterEnd) {
        Surface(
            color = color,
            shape = RoundedCornerShape(topStart = 20.dp, topEnd = 20.dp, bottomStart = 20.dp, bottomEnd = 4.dp),
        ) {
            MessageText(text, stringResource(R.string.you_said, text))
        }
    }
}

@Composable
private fun AnswerItem(
    answer: ChatMessage.Answer,
    reading: Float?,
    isThinking: Boolean,
) {
    Column(Modifier.fillMaxWidth().padding(end = 24.dp), verticalArrangement = Arrangement.spacedBy(6.dp)) {
        if (answer.text.isNotEmpty()) {
            Surface(
                color = MaterialTheme.colorScheme.surfaceContainerHigh,
                shape = RoundedCornerShape(topStart = 20.dp, topEnd = 20.dp, bottomStart = 4.dp, bottomEnd = 20.dp),
            ) {
                MessageText(answer.text, stringResource(R.string.answer_said, answer.text))
            }
        }
        Column(Modifier.padding(horizontal = 8.dp), verticalArrangement = Arrangement.spacedBy(2.dp)) {
            if (answer.ending == null) Answering(reading, isThinking) else Outcome(answer.ending, answer.figures)
            answer.provenance?.let { ProvenanceLine(it) }
        }
    }
}

/** The direction of writing is the text's own, whatever the language of the phone is. */
@Composable
private fun MessageText(
    text: String,
    description: String,
) = SelectionContainer {
    Text(
        text,
        Modifier
            .padding(horizontal = 16.dp, vertical = 10.dp)
            .testTag(MESSAGE_TAG)
            .semantics { contentDescription = description },
        style = MaterialTheme.typography.bodyLarge.copy(textDirection = TextDirection.Content),
    )
}

@Composable
private fun Answering(
    reading: Float?,
    isThinking: Boolean,
) {
    Row(horizontalArrangement = Arrangement.spacedBy(8.dp), verticalAlignment = Alignment.CenterVertically) {
        PulsingDot()
        val words =
            when {
                reading != null -> stringResource(R.string.reading, (reading * PERCENT).roundToInt())
                isThinking -> stringResource(R.string.thinking)
                else -> stringResource(R.string.answering)
            }
        Note(words, MaterialTheme.colorScheme.tertiary)
    }
}

@Composable
private fun PulsingDot() {
    val color = MaterialTheme.colorScheme.tertiary
    val alpha by rememberInfiniteTransition("answering").animateFloat(
        initialValue = 1f,
        targetValue = 0.3f,
        infiniteRepeatable(tween(PULSE_MS), RepeatMode.Reverse),
        "pulse",
    )
    Canvas(Modifier.size(8.dp)) { drawCircle(color, alpha = alpha) }
}

@Composable
private fun Outcome(
    ending: Ending,
    figures: Figures?,
) {
    when (ending) {
        Ending.COMPLETE -> Unit
        Ending.STOPPED -> Note(stringResource(R.string.ending_stopped), MaterialTheme.colorScheme.tertiary)
        Ending.LENGTH -> Note(stringResource(R.string.ending_length), MaterialTheme.colorScheme.tertiary)
        Ending.INTERRUPTED -> Note(stringResource(R.string.ending_interrupted), MaterialTheme.colorScheme.tertiary)
        Ending.FAILED -> Note(stringResource(R.string.ending_failed), MaterialTheme.colorScheme.tertiary)
    }
    if (figures == null) return
    Note(
        stringResource(
            R.string.figures,
            pluralStringResource(R.plurals.tokens, figures.tokens, figures.tokens),
            stringResource(R.string.seconds, figures.seconds),
            stringResource(R.string.rate, figures.tokensPerSecond),
        ),
    )
    if (figures.droppedMessages > 0) {
        Note(pluralStringResource(R.plurals.dropped, figures.droppedMessages, figures.droppedMessages))
    }
}

@Composable
private fun Note(
    words: String,
    color: Color = MaterialTheme.colorScheme.onSurfaceVariant,
) = Text(words, color = color, style = MaterialTheme.typography.bodySmall)

private const val PERCENT = 100
private const val PULSE_MS = 700
