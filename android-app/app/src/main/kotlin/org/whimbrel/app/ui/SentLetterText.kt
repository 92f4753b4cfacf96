package org.whimbrel.app.ui

import androidx.annotation.StringRes
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.foundation.text.selection.SelectionContainer
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.clearAndSetSemantics
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.unit.dp
import org.whimbrel.Receipt
import org.whimbrel.app.R
import org.whimbrel.app.Recognised
import org.whimbrel.app.SentLetter

/** The names by which tests find what the stand-in received, and its answer. */
internal const val RECEIVED_TAG = "received"
internal const val LETTER_ANSWER_TAG = "letter_answer"

/** What happened to a letter, step by step. */
@Composable
internal fun SentLetterText(sent: SentLetter) =
    Column(verticalArrangement = Arrangement.spacedBy(20.dp)) {
        Section(stringResource(R.string.letter_recognised)) {
            if (sent.recognised.isEmpty()) Line(stringResource(R.string.letter_nothing_recognised))
            for (recognised in sent.recognised) RecognisedLine(recognised)
        }
        Section(stringResource(R.string.letter_received)) { Quote(sent.received, RECEIVED_TAG) }
        Section(stringResource(R.string.letter_answer)) { Quote(sent.answer, LETTER_ANSWER_TAG) }
        Section(stringResource(R.string.receipt_title, sent.receipt.id)) { ReceiptLines(sent.receipt) }
        Line(stringResource(R.string.letter_end))
    }

@Composable
private fun Section(
    title: String,
    content: @Composable () -> Unit,
) = Column(Modifier.fillMaxWidth(), verticalArrangement = Arrangement.spacedBy(8.dp)) {
    Text(
        title,
        Modifier.semantics { heading() },
        color = MaterialTheme.colorScheme.primary,
        style = MaterialTheme.typography.titleMedium,
    )
    content()
}

@Composable
private fun Line(text: String) = Text(text, style = MaterialTheme.typography.bodyMedium)

@Composable
private fun RecognisedLine(recognised: Recognised) {
    val kind = stringResource(kindWords(recognised.kind))
    val value = recognised.value.replace(Regex("\\s+"), " ")
    val placeholder = recognised.placeholder
    val seen =
        if (placeholder == null) {
            stringResource(R.string.letter_kept, value.isolated())
        } else {
            stringResource(R.string.letter_replaced, value.isolated(), placeholder.isolated())
        }
    val said =
        if (placeholder == null) {
            stringResource(R.string.letter_kept_said, kind, value)
        } else {
            stringResource(R.string.letter_replaced_said, kind, value, placeholder)
        }
    Column(Modifier.clearAndSetSemantics { contentDescription = said }) {
        Text(kind, color = MaterialTheme.colorScheme.onSurfaceVariant, style = MaterialTheme.typography.bodySmall)
        Text(seen, style = MaterialTheme.typography.bodyMedium)
    }
}

/** Written in its own direction within a text of another one: a telephone number stays as it is in Arabic. */
private fun String.isolated() = "\u2068$this\u2069"

/** The direction of writing is the text's own, whatever the language of the phone is. */
@Composable
private fun Quote(
    text: String,
    tag: String,
) = Surface(
    Modifier.fillMaxWidth(),
    color = MaterialTheme.colorScheme.surfaceContainerHigh,
    shape = RoundedCornerShape(16.dp),
) {
    SelectionContainer {
        Text(
            text.trimEnd(),
            Modifier.padding(horizontal = 16.dp, vertical = 10.dp).testTag(tag),
            style = MaterialTheme.typography.bodyMedium.copy(textDirection = TextDirection.Content),
        )
    }
}

@Composable
private fun ReceiptLines(receipt: Receipt) {
    Line(stringResource(R.string.letter_receipt_place))
    Line(stringResource(R.string.letter_receipt_bytes, bytes(receipt.bytesOut), bytes(receipt.bytesIn)))
    val counts = receipt.redacted.entries.groupBy({ kindWords(it.key) }, { it.value })
    if (counts.isEmpty()) {
        Line(stringResource(R.string.letter_receipt_nothing_replaced))
    } else {
        val words =
            counts.map { (kind, counts) ->
                stringResource(R.string.letter_count, stringResource(kind), counts.sum())
            }
        Line(stringResource(R.string.letter_receipt_replaced, words.joinToString()))
    }
}

/** The kinds of findings in words. Kinds that are much the same for people share one. */
@StringRes
private fun kindWords(kind: String): Int =
    when (kind) {
        "email" -> R.string.kind_email
        "phone" -> R.string.kind_phone
        "payment_card" -> R.string.kind_payment_card
        "iban", "bank_account" -> R.string.kind_bank_account
        "national_id" -> R.string.kind_national_id
        "ip_address", "mac_address", "device_id" -> R.string.kind_device
        "url_credentials", "api_key" -> R.string.kind_secret
        "date_of_birth" -> R.string.kind_date_of_birth
        "street_address", "location" -> R.string.kind_address
        "person_name" -> R.string.kind_person_name
        "crypto_wallet" -> R.string.kind_crypto_wallet
        "medical_record" -> R.string.kind_medical_record
        "license_plate" -> R.string.kind_license_plate
        "health", "religion", "sexuality", "politics", "trade_union", "ethnicity", "crime" -> R.string.kind_sensitive
        else -> R.string.kind_other
    }
