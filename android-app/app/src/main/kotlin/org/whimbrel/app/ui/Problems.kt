package org.whimbrel.app.ui

import androidx.annotation.StringRes
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.widthIn
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.material3.ButtonDefaults
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import org.whimbrel.app.Notice
import org.whimbrel.app.Problem
import org.whimbrel.app.R

/** What the user can do about a model that failed. */
internal enum class WayOut(
    @StringRes val words: Int,
) {
    RETRY(R.string.retry),
    CHOOSE(R.string.choose_folder),
    REMOVE(R.string.remove_model),
    BACK(R.string.back),
}

/** The ways out of a problem with the model, the best one first. */
internal fun Problem.waysOut(isInstalled: Boolean): List<WayOut> =
    when (this) {
        Problem.ModelDamaged, Problem.ModelUnreadable, Problem.ModelUnsupported -> listOf(WayOut.REMOVE, WayOut.RETRY)
        Problem.NotAModel, is Problem.TooManyFiles, Problem.SourceUnreadable -> listOf(WayOut.CHOOSE, WayOut.BACK)
        Problem.CoreMissing -> listOf(WayOut.RETRY)
        else -> listOf(WayOut.RETRY, if (isInstalled) WayOut.REMOVE else WayOut.BACK)
    }

/** The problem in words, with what to do about it. */
@Composable
internal fun Problem.words(): String =
    when (this) {
        Problem.ModelDamaged -> {
            stringResource(R.string.problem_model_damaged)
        }

        Problem.ModelUnreadable -> {
            stringResource(R.string.problem_model_unreadable)
        }

        Problem.ModelUnsupported -> {
            stringResource(R.string.problem_model_unsupported)
        }

        Problem.CoreMissing -> {
            stringResource(R.string.problem_core_missing)
        }

        Problem.NotAModel -> {
            stringResource(R.string.problem_not_a_model)
        }

        is Problem.TooManyFiles -> {
            stringResource(R.string.problem_too_many_files, limit)
        }

        is Problem.NoSpace -> {
            stringResource(R.string.problem_no_space, bytes(neededBytes), bytes(freeBytes))
        }

        Problem.SourceUnreadable -> {
            stringResource(R.string.problem_source_unreadable)
        }

        Problem.NotWritable -> {
            stringResource(R.string.problem_not_writable)
        }

        Problem.PlaceOccupied -> {
            stringResource(R.string.problem_place_occupied)
        }

        Problem.OutOfMemory -> {
            stringResource(R.string.problem_out_of_memory)
        }

        Problem.ContextFull -> {
            stringResource(R.string.problem_context_full)
        }

        Problem.QuestionTooLong -> {
            stringResource(R.string.problem_question_too_long)
        }

        Problem.Busy -> {
            stringResource(R.string.problem_busy)
        }

        Problem.NotAnswered -> {
            stringResource(R.string.problem_not_answered)
        }

        is Problem.Internal -> {
            stringResource(R.string.problem_internal, number)
        }

        Problem.KeptUnreadable -> {
            stringResource(R.string.problem_kept_unreadable)
        }

        Problem.QueueFull -> {
            stringResource(R.string.problem_queue_full)
        }

        Problem.BeingAnswered -> {
            stringResource(R.string.problem_being_answered)
        }

        Problem.Gone -> {
            stringResource(R.string.problem_gone)
        }

        Problem.NoStandIn -> {
            stringResource(R.string.problem_no_stand_in)
        }

        Problem.LetterNotAnswered -> {
            stringResource(R.string.problem_letter_not_answered)
        }
    }

/** What a question ran into, above the input, until the user did something about it. */
@OptIn(ExperimentalLayoutApi::class)
@Composable
internal fun NoticeCard(
    notice: Notice,
    actions: ScreenActions,
) = Surface(
    Modifier
        .widthIn(max = ContentWidthMax)
        .fillMaxWidth()
        .padding(horizontal = 12.dp, vertical = 8.dp)
        .semantics { liveRegion = LiveRegionMode.Assertive },
    color = MaterialTheme.colorScheme.errorContainer,
    shape = RoundedCornerShape(16.dp),
) {
    Column(Modifier.padding(start = 16.dp, end = 8.dp, top = 12.dp, bottom = 4.dp)) {
        Text(notice.problem.words(), Modifier.padding(end = 8.dp), style = MaterialTheme.typography.bodyMedium)
        FlowRow(Modifier.fillMaxWidth(), horizontalArrangement = Arrangement.spacedBy(4.dp, Alignment.End)) {
            Action(R.string.dismiss, actions::dismissNotice)
            if (notice.problem == Problem.ContextFull) Action(R.string.new_conversation, actions::startNew)
            if (notice.question != null) Action(R.string.edit_question, actions::editQuestion)
        }
    }
}

@Composable
private fun Action(
    @StringRes words: Int,
    act: () -> Unit,
) = TextButton(
    act,
    colors = ButtonDefaults.textButtonColors(contentColor = MaterialTheme.colorScheme.onErrorContainer),
) {
    Text(stringResource(words))
}
