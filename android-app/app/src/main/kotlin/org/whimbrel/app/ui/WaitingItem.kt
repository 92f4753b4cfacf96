package org.whimbrel.app.ui

import androidx.annotation.StringRes
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import org.whimbrel.QueueDecision
import org.whimbrel.QueueNeeds
import org.whimbrel.app.Cause
import org.whimbrel.app.ChatMessage
import org.whimbrel.app.R
import org.whimbrel.app.Wait
import org.whimbrel.app.isNothing

/** What the user can do with a question that waits, which is named by its number. */
interface WaitingActions {
    fun retry(question: Long)

    fun confirm(question: Long)

    fun cancel(question: Long)

    /** Puts the question into the input, where it is changed. */
    fun edit(question: Long)
}

/** A question that waits, why it does, and what can be done about it. */
@Composable
internal fun WaitingItem(
    question: ChatMessage.Waiting,
    actions: WaitingActions,
) = Column(Modifier.fillMaxWidth(), horizontalAlignment = Alignment.End) {
    QuestionBubble(question.text, MaterialTheme.colorScheme.secondaryContainer)
    Text(
        question.wait.words(),
        Modifier.padding(start = 40.dp, top = 6.dp, end = 8.dp),
        color = MaterialTheme.colorScheme.tertiary,
        style = MaterialTheme.typography.bodySmall,
        textAlign = TextAlign.End,
    )
    if (question.wait !is Wait.Sending) Ways(question, actions)
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Ways(
    question: ChatMessage.Waiting,
    actions: WaitingActions,
) {
    var isCancelling by rememberSaveable(question.number) { mutableStateOf(false) }
    FlowRow(Modifier.fillMaxWidth(), horizontalArrangement = Arrangement.spacedBy(4.dp, Alignment.End)) {
        when (question.wait) {
            Wait.Confirmation -> Way(R.string.send_now) { actions.confirm(question.number) }
            is Wait.Later, is Wait.Stuck -> Way(R.string.retry_now) { actions.retry(question.number) }
            else -> Unit
        }
        Way(R.string.edit) { actions.edit(question.number) }
        Way(R.string.do_not_send) { isCancelling = true }
    }
    if (isCancelling) {
        Confirmation(
            stringResource(R.string.do_not_send),
            stringResource(R.string.do_not_send_explanation),
            stringResource(R.string.delete),
            onAnswer = { isConfirmed ->
                isCancelling = false
                if (isConfirmed) actions.cancel(question.number)
            },
        )
    }
}

@Composable
private fun Way(
    @StringRes words: Int,
    act: () -> Unit,
) = TextButton(act) { Text(stringResource(words)) }

/** Why it waits, and nothing that is not known. */
@Composable
private fun Wait.words(): String =
    when (this) {
        Wait.Turn -> {
            stringResource(R.string.wait_turn)
        }

        Wait.Behind -> {
            stringResource(R.string.wait_behind)
        }

        is Wait.For -> {
            missing.words()
        }

        is Wait.Later -> {
            later()
        }

        Wait.Confirmation -> {
            stringResource(R.string.wait_confirmation)
        }

        is Wait.Sending -> {
            stringResource(
                when (decision) {
                    QueueDecision.ON_DEVICE -> R.string.sending_on_device
                    QueueDecision.REDACTED -> R.string.sending_redacted
                    QueueDecision.AS_IS -> R.string.sending_as_is
                    null -> R.string.sending
                },
            )
        }

        is Wait.Stuck -> {
            stuck()
        }
    }

@Composable
private fun Wait.Later.later(): String {
    val time = clockWords(atMs)
    val words =
        if (cause == null) {
            stringResource(R.string.wait_later, time)
        } else {
            stringResource(R.string.wait_later_because, cause.words(), time)
        }
    return if (missing.isNothing) words else stringResource(R.string.two_sentences, words, missing.words())
}

@Composable
private fun Wait.Stuck.stuck(): String {
    val because = if (cause == Cause.OTHER && code != null) stringResource(R.string.cause_code, code) else cause.words()
    return stringResource(R.string.wait_stuck, because)
}

@Composable
private fun QueueNeeds.words(): String =
    stringResource(
        when {
            unmetered && charging -> R.string.wait_unmetered_charging
            unmetered -> R.string.wait_unmetered
            network && charging -> R.string.wait_network_charging
            charging -> R.string.wait_charging
            else -> R.string.wait_network
        },
    )

@Composable
private fun Cause.words(): String =
    stringResource(
        when (this) {
            Cause.CONNECTION -> R.string.cause_connection
            Cause.TOO_SLOW -> R.string.cause_too_slow
            Cause.BUSY -> R.string.cause_busy
            Cause.BUDGET -> R.string.cause_budget
            Cause.SERVICE -> R.string.cause_service
            Cause.KEY -> R.string.cause_key
            Cause.PAYMENT -> R.string.cause_payment
            Cause.SETTINGS -> R.string.cause_settings
            Cause.TOO_LONG -> R.string.cause_too_long
            Cause.DECLINED -> R.string.cause_declined
            Cause.NOT_WHOLE -> R.string.cause_not_whole
            Cause.NOT_ALLOWED -> R.string.cause_not_allowed
            Cause.MAY_COST -> R.string.cause_may_cost
            Cause.OTHER -> R.string.cause_other
        },
    )
