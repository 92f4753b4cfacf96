package org.whimbrel.app.ui

import android.text.format.Formatter
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.widthIn
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.Icon
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.SuggestionChip
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import org.whimbrel.android.InstallProgress
import org.whimbrel.app.ModelState
import org.whimbrel.app.R

/** What stands in the place of the conversation until a model is ready. */
@Composable
internal fun ModelPane(
    state: ModelState,
    actions: ScreenActions,
    onOpenLetter: () -> Unit,
    onChooseFolder: () -> Unit,
) = when (state) {
    is ModelState.Looking, is ModelState.Ready -> Pane(stringResource(R.string.looking))
    is ModelState.NotInstalled -> NotInstalled(state, actions, onOpenLetter, onChooseFolder)
    is ModelState.Installing -> Installing(state.progress, onCancel = actions::lookForModel)
    is ModelState.Opening -> Opening()
    is ModelState.Failed -> Failed(state, actions, onChooseFolder)
}

/** What stands in the place of the messages before the first one. */
@Composable
internal fun EmptyPane(
    limits: String?,
    isPrivate: Boolean,
    onOpenLetter: () -> Unit,
    onSuggestion: (String) -> Unit,
) = Pane(stringResource(R.string.empty_title), lead = { LetterCard(onOpenLetter) }) {
    Words(stringResource(if (isPrivate) R.string.empty_text else R.string.empty_text_policy))
    if (limits != null) Words(limits)
    Column(horizontalAlignment = Alignment.CenterHorizontally) {
        for (suggestion in listOf(R.string.suggestion_sleep, R.string.suggestion_plants, R.string.suggestion_doctor)) {
            val text = stringResource(suggestion)
            SuggestionChip({ onSuggestion(text) }, { Text(text, Modifier.padding(vertical = 6.dp)) })
        }
    }
}

@Composable
private fun NotInstalled(
    state: ModelState.NotInstalled,
    actions: ScreenActions,
    onOpenLetter: () -> Unit,
    onChooseFolder: () -> Unit,
) = Pane(stringResource(R.string.not_installed_title), lead = { LetterCard(onOpenLetter) }) {
    if (state.offered.isEmpty()) {
        Words(stringResource(R.string.not_installed_text))
        Button(onChooseFolder) { Text(stringResource(R.string.choose_folder)) }
    } else {
        Words(stringResource(R.string.not_installed_offered))
        for (model in state.offered) {
            Button({ actions.install(model) }) { Text(stringResource(R.string.install, model.name)) }
        }
        OutlinedButton(onChooseFolder) { Text(stringResource(R.string.choose_folder)) }
    }
}

@Composable
private fun Installing(
    progress: InstallProgress,
    onCancel: () -> Unit,
) = Pane(stringResource(R.string.installing_title)) {
    val total = progress.totalBytes
    if (total == null) {
        LinearProgressIndicator(Modifier.fillMaxWidth())
        Words(stringResource(R.string.installing_progress_unknown, bytes(progress.doneBytes)))
    } else {
        LinearProgressIndicator({ progress.doneBytes.toFloat() / total.coerceAtLeast(1) }, Modifier.fillMaxWidth())
        Words(stringResource(R.string.installing_progress, bytes(progress.doneBytes), bytes(total)))
    }
    OutlinedButton(onCancel) { Text(stringResource(R.string.cancel)) }
}

@Composable
private fun Opening() =
    Pane(stringResource(R.string.opening_title)) {
        LinearProgressIndicator(Modifier.fillMaxWidth())
        Words(stringResource(R.string.opening_text))
    }

@Composable
private fun Failed(
    state: ModelState.Failed,
    actions: ScreenActions,
    onChooseFolder: () -> Unit,
) = Pane(
    stringResource(if (state.isInstalled) R.string.failed_title else R.string.install_failed_title),
    MaterialTheme.colorScheme.error,
) {
    Words(state.problem.words())
    val ways = state.problem.waysOut(state.isInstalled)
    for ((index, way) in ways.withIndex()) {
        val act =
            when (way) {
                WayOut.RETRY -> actions::retryModel
                WayOut.CHOOSE -> onChooseFolder
                WayOut.REMOVE -> actions::removeModel
                WayOut.BACK -> actions::lookForModel
            }
        val words = stringResource(way.words)
        if (index == 0) Button(act) { Text(words) } else OutlinedButton(act) { Text(words) }
    }
}

/** [lead], a bird, a heading and what belongs under it, in the middle, or scrolling where it does not fit. */
@Composable
private fun Pane(
    title: String,
    color: Color = MaterialTheme.colorScheme.primary,
    lead: @Composable () -> Unit = {},
    content: @Composable () -> Unit = {},
) = Column(
    Modifier
        .fillMaxSize()
        .verticalScroll(rememberScrollState())
        .padding(horizontal = 24.dp, vertical = 24.dp)
        .semantics { liveRegion = LiveRegionMode.Polite },
    verticalArrangement = Arrangement.spacedBy(16.dp, Alignment.CenterVertically),
    horizontalAlignment = Alignment.CenterHorizontally,
) {
    lead()
    Icon(painterResource(R.drawable.ic_whimbrel), null, Modifier.size(112.dp), color)
    Text(
        title,
        Modifier.semantics { heading() },
        style = MaterialTheme.typography.headlineSmall,
        textAlign = TextAlign.Center,
    )
    Column(
        Modifier.widthIn(max = PaneWidthMax),
        verticalArrangement = Arrangement.spacedBy(12.dp),
        horizontalAlignment = Alignment.CenterHorizontally,
    ) {
        content()
    }
}

@Composable
private fun Words(text: String) =
    Text(
        text,
        color = MaterialTheme.colorScheme.onSurfaceVariant,
        style = MaterialTheme.typography.bodyLarge,
        textAlign = TextAlign.Center,
    )

@Composable
internal fun bytes(count: Long): String = Formatter.formatShortFileSize(LocalContext.current, count)

internal val PaneWidthMax = 440.dp
