package org.whimbrel.app.ui

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.Spacer
import androidx.compose.foundation.layout.WindowInsets
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.ime
import androidx.compose.foundation.layout.navigationBars
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.union
import androidx.compose.foundation.layout.widthIn
import androidx.compose.foundation.layout.windowInsetsBottomHeight
import androidx.compose.foundation.layout.windowInsetsPadding
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.foundation.text.KeyboardOptions
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.automirrored.filled.Send
import androidx.compose.material.icons.filled.Check
import androidx.compose.material3.FilledIconButton
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButtonDefaults
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.material3.TextField
import androidx.compose.material3.TextFieldDefaults
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.input.KeyboardCapitalization
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.unit.dp
import org.whimbrel.app.AssistantViewModel.Companion.DRAFT_CHARACTERS_MAX
import org.whimbrel.app.R

/**
 * The input, which grows with what is written, and the button beside it: send, or stop while answering. While a
 * question that waits [isEdited], the input has that question, and the button saves it.
 */
@Composable
internal fun InputBar(
    draft: String,
    isAnswering: Boolean,
    isOpening: Boolean,
    isEdited: Boolean,
    actions: ScreenActions,
) {
    Surface(Modifier.fillMaxWidth(), color = MaterialTheme.colorScheme.surfaceContainer) {
        Column(
            Modifier
                .windowInsetsPadding(WindowInsets.ime.union(WindowInsets.navigationBars))
                .padding(horizontal = 12.dp, vertical = 8.dp),
            horizontalAlignment = Alignment.CenterHorizontally,
        ) {
            if (isEdited) EditingLine(actions)
            Row(
                horizontalArrangement = Arrangement.spacedBy(8.dp, Alignment.CenterHorizontally),
                verticalAlignment = Alignment.Bottom,
            ) {
                val field = Modifier.weight(1f, fill = false).widthIn(max = ContentWidthMax).fillMaxWidth()
                DraftField(draft, actions, field)
                when {
                    isEdited -> SaveButton(isEnabled = draft.isNotBlank(), actions)
                    isAnswering -> StopButton(actions)
                    else -> SendButton(isEnabled = draft.isNotBlank() && !isOpening, actions)
                }
            }
        }
    }
}

@Composable
private fun EditingLine(actions: ScreenActions) =
    Row(
        Modifier.widthIn(max = ContentWidthMax).fillMaxWidth().padding(start = 16.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        Text(
            stringResource(R.string.editing_waiting),
            Modifier.weight(1f),
            color = MaterialTheme.colorScheme.onSurfaceVariant,
            style = MaterialTheme.typography.bodyMedium,
        )
        TextButton(actions::cancelEdit) { Text(stringResource(R.string.cancel)) }
    }

@Composable
private fun DraftField(
    draft: String,
    actions: ScreenActions,
    modifier: Modifier,
) {
    val isFull = draft.length >= DRAFT_CHARACTERS_MAX
    TextField(
        draft,
        actions::write,
        modifier,
        textStyle = MaterialTheme.typography.bodyLarge.copy(textDirection = TextDirection.Content),
        placeholder = { Text(stringResource(R.string.message)) },
        supportingText = if (isFull) ({ Text(stringResource(R.string.draft_full, DRAFT_CHARACTERS_MAX)) }) else null,
        keyboardOptions = KeyboardOptions(capitalization = KeyboardCapitalization.Sentences),
        minLines = 1,
        maxLines = LINES_MAX,
        shape = RoundedCornerShape(28.dp),
        colors =
            TextFieldDefaults.colors(
                focusedContainerColor = MaterialTheme.colorScheme.surfaceContainerLowest,
                unfocusedContainerColor = MaterialTheme.colorScheme.surfaceContainerLowest,
                focusedIndicatorColor = Color.Transparent,
                unfocusedIndicatorColor = Color.Transparent,
            ),
    )
}

@Composable
private fun SendButton(
    isEnabled: Boolean,
    actions: ScreenActions,
) = FilledIconButton(actions::send, Modifier.padding(bottom = 4.dp).size(48.dp), enabled = isEnabled) {
    Icon(Icons.AutoMirrored.Filled.Send, stringResource(R.string.send))
}

@Composable
private fun SaveButton(
    isEnabled: Boolean,
    actions: ScreenActions,
) = FilledIconButton(actions::send, Modifier.padding(bottom = 4.dp).size(48.dp), enabled = isEnabled) {
    Icon(Icons.Filled.Check, stringResource(R.string.save))
}

@Composable
private fun StopButton(actions: ScreenActions) =
    FilledIconButton(
        actions::stop,
        Modifier.padding(bottom = 4.dp).size(48.dp),
        colors =
            IconButtonDefaults.filledIconButtonColors(
                containerColor = MaterialTheme.colorScheme.tertiary,
                contentColor = MaterialTheme.colorScheme.onTertiary,
            ),
    ) {
        Icon(painterResource(R.drawable.ic_stop), stringResource(R.string.stop))
    }

/** What the input keeps free at the bottom of the screen, where there is no input. */
@Composable
internal fun BottomInset() = Spacer(Modifier.windowInsetsBottomHeight(WindowInsets.navigationBars))

private const val LINES_MAX = 6
