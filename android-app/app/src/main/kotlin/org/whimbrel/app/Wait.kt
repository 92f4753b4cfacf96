package org.whimbrel.app

import org.whimbrel.DeviceUpdate
import org.whimbrel.Network
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

    /** The phone lacks something that it needs. */
    data class For(
        val missing: QueueNeeds,
    ) : Wait

    /** It is tried again, at [atMs] at the earliest and not without what is [missing]; [cause] says what happened before. */
    data class Later(
        val atMs: Long,
        val missing: QueueNeeds,
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

/**
 * Why this question waits, at the time [nowMs] and with the phone as [device] says. [isFirst] tells whether it is the
 * first of its conversation.
 */
fun QueuedQuestion.wait(
    isFirst: Boolean,
    nowMs: Long,
    device: DeviceUpdate,
): Wait =
    when (val state = state) {
        is QueueState.Sending -> Wait.Sending(state.decided)
        QueueState.NeedsConfirmation -> Wait.Confirmation
        is QueueState.Stuck -> Wait.Stuck(causeOf(state.failure.code), state.failure.code)
        is QueueState.MayCost -> Wait.Stuck(Cause.MAY_COST, state.failure.code)
        QueueState.Denied -> Wait.Stuck(Cause.NOT_ALLOWED, null)
        is QueueState.Retrying -> turn(isFirst, nowMs, needs.missingOn(device), causeOf(state.failure.code))
        else -> turn(isFirst, nowMs, needs.missingOn(device), null)
    }

private fun QueuedQuestion.turn(
    isFirst: Boolean,
    nowMs: Long,
    missing: QueueNeeds,
    cause: Cause?,
): Wait {
    val waitMs = retryIn?.inWholeMilliseconds
    return when {
        !isFirst -> Wait.Behind
        waitMs != null -> Wait.Later(nowMs + waitMs, missing, cause)
        !missing.isNothing -> Wait.For(missing)
        else -> Wait.Turn
    }
}

val QueueNeeds.isNothing: Boolean
    get() = !network && !unmetered && !charging

/** What of it the phone does not have. */
private fun QueueNeeds.missingOn(device: DeviceUpdate) =
    QueueNeeds(
        network = network && (device.network ?: Network.OFFLINE) == Network.OFFLINE,
        unmetered = unmetered && device.network != Network.UNMETERED,
        charging = charging && device.charging != true,
    )

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
        "empty_answer", "cut_off", "not_in_form" -> Cause.NOT_WHOLE
        else -> Cause.OTHER
    }
