package org.whimbrel.app.ui

import androidx.activity.compose.BackHandler
import androidx.compose.foundation.ScrollState
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.WindowInsets
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.ime
import androidx.compose.foundation.layout.navigationBars
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.union
import androidx.compose.foundation.layout.widthIn
import androidx.compose.foundation.layout.windowInsetsPadding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.text.KeyboardOptions
import androidx.compose.foundation.verticalScroll
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.automirrored.filled.ArrowBack
import androidx.compose.material3.Button
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableIntStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.layout.onPlaced
import androidx.compose.ui.layout.positionInParent
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.input.KeyboardCapitalization
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.unit.dp
import org.whimbrel.app.LetterState
import org.whimbrel.app.LetterViewModel.Companion.LETTER_CHARACTERS_MAX
import org.whimbrel.app.R
import org.whimbrel.app.SAMPLE_LETTER
import kotlin.math.roundToInt

/** What the user can do with the letter. */
interface LetterActions {
    fun write(text: String)

    fun writeSample()

    fun send()

    fun cancel()

    fun leave()
}

/** A letter, the way to a stand-in for a cloud service, and what became of it. */
@Composable
fun LetterScreen(
    letter: String,
    state: LetterState,
    actions: LetterActions,
) {
    BackHandler(onBack = actions::leave)
    Screen {
        LetterHeader(actions)
        val scroll = rememberScrollState()
        Column(
            Modifier
                .weight(1f)
                .verticalScroll(scroll)
                .windowInsetsPadding(WindowInsets.ime.union(WindowInsets.navigationBars))
                .widthIn(max = ContentWidthMax)
                .fillMaxWidth()
                .padding(16.dp),
            verticalArrangement = Arrangement.spacedBy(16.dp),
        ) {
            Text(stringResource(R.string.letter_text), style = MaterialTheme.typography.bodyLarge)
            LetterField(letter, isSending = state is LetterState.Sending, actions)
            Buttons(letter, state, actions)
            Outcome(state, scroll)
        }
        Progress(state)
    }
}

@Composable
private fun LetterHeader(actions: LetterActions) =
    TopBar(start = 4.dp, end = 16.dp, spacing = 4.dp) {
        IconButton(actions::leave) {
            Icon(Icons.AutoMirrored.Filled.ArrowBack, stringResource(R.string.back))
        }
        Text(
            stringResource(R.string.letter_title),
            Modifier.semantics { heading() },
            style = MaterialTheme.typography.titleLarge,
        )
    }

@Composable
private fun LetterField(
    letter: String,
    isSending: Boolean,
    actions: LetterActions,
) {
    val isFull = letter.length >= LETTER_CHARACTERS_MAX
    OutlinedTextField(
        letter,
        actions::write,
        Modifier.fillMaxWidth(),
        readOnly = isSending,
        textStyle = MaterialTheme.typography.bodyLarge.copy(textDirection = TextDirection.Content),
        label = { Text(stringResource(R.string.letter)) },
        supportingText = if (isFull) ({ Text(stringResource(R.string.letter_full, LETTER_CHARACTERS_MAX)) }) else null,
        keyboardOptions = KeyboardOptions(capitalization = KeyboardCapitalization.Sentences),
    )
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Buttons(
    letter: String,
    state: LetterState,
    actions: LetterActions,
) = FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
    if (state is LetterState.Sending) {
        OutlinedButton(actions::cancel) { Text(stringResource(R.string.cancel)) }
    } else {
        Button(actions::send, enabled = letter.isNotBlank()) { Text(stringResource(R.string.letter_send)) }
        if (letter != SAMPLE_LETTER) {
            TextButton(actions::writeSample) { Text(stringResource(R.string.letter_sample)) }
        }
    }
}

/** What became of the letter. It comes into view when it is there. */
@Composable
private fun Outcome(
    state: LetterState,
    scroll: ScrollState,
) {
    var top by remember { mutableIntStateOf(0) }
    Box(Modifier.fillMaxWidth().onPlaced { top = it.positionInParent().y.roundToInt() }) {
        when (state) {
            is LetterState.Unsent -> Unit
            is LetterState.Sending -> LinearProgressIndicator(Modifier.fillMaxWidth())
            is LetterState.Failed -> Text(state.problem.words(), color = MaterialTheme.colorScheme.error)
            is LetterState.Answered -> SentLetterText(state.sent)
        }
    }
    LaunchedEffect(state) { if (state is LetterState.Answered) scroll.animateScrollTo(top) }
}

/** Lets a screen reader say what happens. It is not seen. */
@Composable
private fun Progress(state: LetterState) {
    val words =
        when (state) {
            is LetterState.Unsent -> ""
            is LetterState.Sending -> stringResource(R.string.letter_sending)
            is LetterState.Failed -> state.problem.words()
            is LetterState.Answered -> stringResource(R.string.letter_answered)
        }
    Box(
        Modifier.size(1.dp).semantics {
            liveRegion = LiveRegionMode.Polite
            if (words.isNotEmpty()) contentDescription = words
        },
    )
}
