package org.whimbrel.app.ui

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.PaddingValues
import androidx.compose.material3.AlertDialog
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.graphics.RectangleShape
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import org.whimbrel.PlaceKind
import org.whimbrel.app.Provenance
import org.whimbrel.app.R

/** Says under an answer where it was made. A touch opens the receipt. */
@Composable
internal fun ProvenanceLine(provenance: Provenance) {
    var isOpen by rememberSaveable { mutableStateOf(false) }
    TextButton(
        { isOpen = true },
        // Round corners would cut letters of a text of several lines.
        shape = RectangleShape,
        contentPadding = PaddingValues(horizontal = 0.dp, vertical = 12.dp),
    ) {
        Text(provenance.words(), style = MaterialTheme.typography.bodySmall)
    }
    if (isOpen) ReceiptDialog(provenance, onClose = { isOpen = false })
}

@Composable
private fun ReceiptDialog(
    provenance: Provenance,
    onClose: () -> Unit,
) = AlertDialog(
    onDismissRequest = onClose,
    title = { Text(stringResource(R.string.receipt_title, provenance.receipt)) },
    text = {
        Column(verticalArrangement = Arrangement.spacedBy(8.dp)) {
            Text(stringResource(R.string.receipt_place, provenance.words(), provenance.name))
            Text(left(provenance.bytesOut))
            provenance.summary?.let { Text(it, style = MaterialTheme.typography.bodySmall) }
        }
    },
    confirmButton = { TextButton(onClose) { Text(stringResource(R.string.close)) } },
)

@Composable
private fun Provenance.words(): String =
    when (place) {
        PlaceKind.ON_DEVICE -> stringResource(R.string.answered_on_device)
        PlaceKind.SYSTEM_MODEL -> stringResource(R.string.answered_system_model)
        PlaceKind.OWN_DEVICE -> stringResource(R.string.answered_own_device)
        PlaceKind.ORGANISATION -> stringResource(R.string.answered_organisation)
        PlaceKind.PUBLIC_CLOUD -> stringResource(R.string.answered_public_cloud)
    }

@Composable
private fun left(bytesOut: Long): String =
    if (bytesOut == 0L) {
        stringResource(R.string.receipt_nothing_left)
    } else {
        stringResource(R.string.receipt_bytes_out, bytes(bytesOut))
    }
