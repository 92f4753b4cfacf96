package org.whimbrel.app.ui

import androidx.compose.material3.AlertDialog
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.ui.res.stringResource
import org.whimbrel.app.R

/** Asks before something is done that cannot be undone. */
@Composable
internal fun Confirmation(
    title: String,
    explanation: String,
    confirm: String,
    onAnswer: (Boolean) -> Unit,
) = AlertDialog(
    onDismissRequest = { onAnswer(false) },
    title = { Text(title) },
    text = { Text(explanation) },
    confirmButton = { TextButton({ onAnswer(true) }) { Text(confirm) } },
    dismissButton = { TextButton({ onAnswer(false) }) { Text(stringResource(R.string.cancel)) } },
)
