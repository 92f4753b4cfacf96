package org.whimbrel.app.ui

import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.size
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.Add
import androidx.compose.material.icons.filled.Menu
import androidx.compose.material.icons.filled.MoreVert
import androidx.compose.material3.DropdownMenu
import androidx.compose.material3.DropdownMenuItem
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import org.whimbrel.app.ModelState
import org.whimbrel.app.R

/** The app's name, the model, and what can be done with both. */
@Composable
internal fun Header(
    modelState: ModelState,
    isNew: Boolean,
    actions: ScreenActions,
    onOpenLetter: () -> Unit,
) {
    val isReady = modelState is ModelState.Ready
    TopBar(start = if (isReady) 4.dp else 16.dp, end = 4.dp, spacing = if (isReady) 4.dp else 12.dp) {
        if (isReady) OpenList(actions) else Bird()
        Column(Modifier.weight(1f)) {
            Text(
                stringResource(R.string.app_name),
                Modifier.semantics { heading() },
                style = MaterialTheme.typography.titleLarge,
            )
            Text(
                subtitle(modelState),
                color = MaterialTheme.colorScheme.onSurfaceVariant,
                style = MaterialTheme.typography.bodySmall,
            )
        }
        if (isReady && !isNew) StartNew(actions)
        if (isReady) Menu(actions, onOpenLetter)
    }
}

@Composable
private fun Bird() =
    Icon(painterResource(R.drawable.ic_whimbrel), null, Modifier.size(36.dp), MaterialTheme.colorScheme.primary)

@Composable
private fun OpenList(actions: ScreenActions) =
    IconButton(actions::openList) {
        Icon(Icons.Filled.Menu, stringResource(R.string.conversations))
    }

@Composable
private fun StartNew(actions: ScreenActions) =
    IconButton(actions::startNew) {
        Icon(Icons.Filled.Add, stringResource(R.string.new_conversation))
    }

@Composable
private fun subtitle(modelState: ModelState) =
    if (modelState is ModelState.Ready) {
        stringResource(R.string.model_ready, modelState.model.name)
    } else {
        stringResource(R.string.model_not_ready)
    }

@Composable
private fun Menu(
    actions: ScreenActions,
    onOpenLetter: () -> Unit,
) {
    var isOpen by remember { mutableStateOf(false) }
    var isAsking by rememberSaveable { mutableStateOf(false) }
    Box {
        IconButton({ isOpen = true }) {
            Icon(Icons.Filled.MoreVert, stringResource(R.string.more))
        }
        DropdownMenu(isOpen, { isOpen = false }) {
            DropdownMenuItem(
                text = { Text(stringResource(R.string.letter_title)) },
                onClick = {
                    isOpen = false
                    onOpenLetter()
                },
            )
            DropdownMenuItem(
                text = { Text(stringResource(R.string.remove_model)) },
                onClick = {
                    isOpen = false
                    isAsking = true
                },
            )
        }
    }
    if (isAsking) {
        Confirmation(
            stringResource(R.string.remove_model),
            stringResource(R.string.remove_model_explanation),
            stringResource(R.string.remove),
            onAnswer = { isConfirmed ->
                isAsking = false
                if (isConfirmed) actions.removeModel()
            },
        )
    }
}
