package org.whimbrel.app

import org.whimbrel.Report
import org.whimbrel.WhimbrelException
import org.whimbrel.android.InstallException

/** What went wrong, as a person should hear of it. The words are in `strings.xml`. */
sealed interface Problem {
    /** A file differs from what the manifest says, or is not there. */
    data object ModelDamaged : Problem

    data object ModelUnreadable : Problem

    data object ModelUnsupported : Problem

    /** The APK holds no native library for this phone. */
    data object CoreMissing : Problem

    data object NotAModel : Problem

    data class TooManyFiles(
        val limit: Int,
    ) : Problem

    data class NoSpace(
        val neededBytes: Long,
        val freeBytes: Long,
    ) : Problem

    data object SourceUnreadable : Problem

    data object NotWritable : Problem

    /** Something else is where the model belongs. */
    data object PlaceOccupied : Problem

    data object OutOfMemory : Problem

    /** The question does not fit into the model's context, whatever is left out. */
    data object ContextFull : Problem

    data object QuestionTooLong : Problem

    /** As many questions wait as can. */
    data object QueueFull : Problem

    /** A question cannot be changed while it is being answered. */
    data object BeingAnswered : Problem

    /** A conversation, or a question that waited, is no longer there. */
    data object Gone : Problem

    data object Busy : Problem

    /** Nothing gave an answer, and the report says no more than that. */
    data object NotAnswered : Problem

    /** A defect; [number] is what a report should name. */
    data class Internal(
        val number: Int,
    ) : Problem

    /** What is kept cannot be read. */
    data object KeptUnreadable : Problem

    /** The stand-in for a cloud service cannot listen on this phone. */
    data object NoStandIn : Problem

    data object LetterNotAnswered : Problem
}

/** The numbers of [Problem.Internal] that the core does not give. */
private const val UNFORESEEN = 100

/** What the outbox's limits are about. */
private const val QUEUED = "queued questions"

/** The one place where errors of the package become problems. */
fun Throwable.toProblem(): Problem =
    when (this) {
        is WhimbrelException -> toProblem()
        is InstallException -> toProblem()
        is LetterException.NoStandIn -> Problem.NoStandIn
        is LetterException.NotAnswered -> Problem.LetterNotAnswered
        else -> Problem.Internal(UNFORESEEN)
    }

/** Why a question was not answered, in an answer's report. */
fun Report.toProblem(): Problem =
    when (code) {
        "context_full" -> Problem.ContextFull
        "out_of_memory" -> Problem.OutOfMemory
        "busy" -> Problem.Busy
        else -> Problem.NotAnswered
    }

private fun WhimbrelException.toProblem(): Problem =
    when (this) {
        is WhimbrelException.Library -> Problem.CoreMissing
        is WhimbrelException.BundleMissing -> Problem.ModelUnreadable
        is WhimbrelException.BundleCorrupt -> Problem.ModelDamaged
        is WhimbrelException.UnsupportedBundle -> Problem.ModelUnsupported
        is WhimbrelException.ContextFull -> Problem.ContextFull
        is WhimbrelException.LimitExceeded -> if (QUEUED in what) Problem.QueueFull else Problem.QuestionTooLong
        is WhimbrelException.OutOfMemory -> Problem.OutOfMemory
        is WhimbrelException.Busy -> Problem.Busy
        is WhimbrelException.InvalidOption, is WhimbrelException.Closed -> Problem.Internal(UNFORESEEN + 1)
        is WhimbrelException.NothingToRepeat, is WhimbrelException.Policy -> Problem.Internal(UNFORESEEN + 2)
        is WhimbrelException.NoPolicy, is WhimbrelException.NoModel -> Problem.Internal(UNFORESEEN + 2)
        is WhimbrelException.NoTelemetry -> Problem.Internal(UNFORESEEN + 2)
        is WhimbrelException.Ledger, is WhimbrelException.Vault -> Problem.Internal(UNFORESEEN + 3)
        is WhimbrelException.Import, is WhimbrelException.Document -> Problem.Internal(UNFORESEEN + 4)
        is WhimbrelException.UnsupportedType, is WhimbrelException.ValueRefused -> Problem.Internal(UNFORESEEN + 5)
        is WhimbrelException.UnknownCall, is WhimbrelException.ToolsCannotWait -> Problem.Internal(UNFORESEEN + 6)
        is WhimbrelException.NoAnswer -> report.toProblem()
        is WhimbrelException.Sealed -> Problem.KeptUnreadable
        is WhimbrelException.NotFound -> Problem.Gone
        is WhimbrelException.Outbox -> Problem.BeingAnswered
        is WhimbrelException.Internal -> Problem.Internal(number)
    }

private fun InstallException.toProblem(): Problem =
    when (this) {
        is InstallException.NotAModel -> Problem.NotAModel
        is InstallException.TooManyFiles -> Problem.TooManyFiles(limit)
        is InstallException.NoSpace -> Problem.NoSpace(neededBytes, freeBytes)
        is InstallException.SourceUnreadable -> Problem.SourceUnreadable
        is InstallException.NotWritable -> Problem.NotWritable
        is InstallException.Occupied -> Problem.PlaceOccupied
    }
