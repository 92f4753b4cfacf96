package org.whimbrel.app

import org.whimbrel.QueueDecision
import org.whimbrel.QueueNeeds
import org.whimbrel.QueueState
import org.whimbrel.QueuedQuestion

/** Why a question has no answer yet, as far as that is known. */
sealed interface Wait {
    /** It is sent when its turn comes. */
    data object Turn : Wait

    /** An earlier question of its conversation has no answer yet. */
    data object Behind : Wait

    data class Needs(
        val needs: QueueNeeds,
    ) : Wait

    /** It is tried again, at [atMs] at the earliest and once [needs] is there; [cause] says what happened before. */
    data class Later(
        val atMs: Long,
        val needs: QueueNeeds,
        val cause: Cause?,
    ) : Wait

    /** It is old, and waits for the user's word. */
    data object Confirmation : Wait

    /** It is being answered; [decision] says how, once that is decided. */
    data class Sending(
        val decision: QueueDecision?,
    ) : Wait

    /** Time alone does not help. [code] is the package's word for the failure, if there was one. */
    data class Stuck(
        val cause: Cause,
        val code: String?,
    ) : Wait
}

/** Why a question was not answered, for people. */
enum class Cause {
    CONNECTION,
    TOO_SLOW,
    BUSY,
    BUDGET,
    SERVICE,
    KEY,
    PAYMENT,
    SETTINGS,
    TOO_LONG,
    DECLINED,
    NOT_WHOLE,
    NOT_ALLOWED,
    MAY_COST,
    OTHER,
}

/** Why this question waits, at the time [nowMs]. [isFirst] tells whether it is the first of its conversation. */
fun QueuedQuestion.wait(
    isFirst: Boolean,
    nowMs: Long,
): Wait =
    when (val state = state) {
        is QueueState.Sending -> Wait.Sending(state.decided)
        QueueState.NeedsConfirmation -> Wait.Confirmation
        is QueueState.Stuck -> Wait.Stuck(causeOf(state.failure.code), state.failure.code)
        is QueueState.MayCost -> Wait.Stuck(Cause.MAY_COST, state.failure.code)
        QueueState.Denied -> Wait.Stuck(Cause.NOT_ALLOWED, null)
        is QueueState.Retrying -> later(causeOf(state.failure.code), nowMs) ?: turn(isFirst)
        is QueueState.Blocked -> Wait.Behind
        else -> if (isFirst) later(null, nowMs) ?: turn(isFirst = true) else Wait.Behind
    }

private fun QueuedQuestion.later(
    cause: Cause?,
    nowMs: Long,
): Wait? = retryIn?.let { Wait.Later(nowMs + it.inWholeMilliseconds, needs, cause) }

private fun QueuedQuestion.turn(isFirst: Boolean): Wait =
    when {
        !isFirst -> Wait.Behind
        needs.run { network || unmetered || charging } -> Wait.Needs(needs)
        else -> Wait.Turn
    }

/** What is behind a code of the package (`docs/ledger.md`). */
fun causeOf(code: String): Cause =
    when (code) {
        "unreachable", "handshake", "certificate", "lost", "truncated", "protocol", "content_type" -> Cause.CONNECTION
        "timed_out", "no_first_token", "deadline" -> Cause.TOO_SLOW
        "rate_limited", "busy", "quota_exceeded", "circuit_open" -> Cause.BUSY
        "over_budget" -> Cause.BUDGET
        "server", "malformed", "reported" -> Cause.SERVICE
        "key_missing", "key_unreadable", "unauthorised" -> Cause.KEY
        "payment" -> Cause.PAYMENT
        "not_found", "redirected", "no_endpoint", "endpoint_settings", "not_loopback" -> Cause.SETTINGS
        "context_full", "request_too_large", "too_long", "too_large" -> Cause.TOO_LONG
        "declined", "refusal", "content_filter" -> Cause.DECLINED
        "empty_answer", "cut_off" -> Cause.NOT_WHOLE
        else -> Cause.OTHER
    }
