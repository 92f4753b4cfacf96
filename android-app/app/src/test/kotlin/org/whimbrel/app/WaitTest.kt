package org.whimbrel.app

import org.junit.Test
import org.whimbrel.DeviceUpdate
import org.whimbrel.Network
import org.whimbrel.PrivacyClass
import org.whimbrel.QueueDecision
import org.whimbrel.QueueFailure
import org.whimbrel.QueueNeeds
import org.whimbrel.QueuePriority
import org.whimbrel.QueueRemedy
import org.whimbrel.QueueState
import org.whimbrel.QueuedQuestion
import kotlin.test.assertEquals
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/** What is said of a question that waits. */
class WaitTest {
    private val nothing = QueueNeeds(network = false, unmetered = false, charging = false)
    private val network = nothing.copy(network = true)

    private fun question(
        state: QueueState,
        needs: QueueNeeds,
        retryIn: Duration?,
    ) = QueuedQuestion(1, "c", "?", "chat", PrivacyClass.PUBLIC, 0, QueuePriority.NORMAL, 1, retryIn, needs, state)

    private fun check(
        expected: Wait,
        state: QueueState,
        needs: QueueNeeds = nothing,
        retryIn: Duration? = null,
        isFirst: Boolean = true,
        device: DeviceUpdate = DeviceUpdate(),
    ) = assertEquals(expected, question(state, needs, retryIn).wait(isFirst, nowMs = 1_000, device))

    private fun failure(code: String) = QueueFailure(code, null, QueueRemedy.TIME)

    @Test
    fun `no more is said than is known`() {
        val waiting = QueueState.Waiting
        check(Wait.Turn, waiting)
        check(Wait.For(network), waiting, network)
        check(Wait.Behind, waiting, network, isFirst = false)
        check(Wait.Later(3_000, nothing, null), waiting, retryIn = 2.seconds)
        check(Wait.Behind, QueueState.Blocked(by = 7), network, isFirst = false)
        check(Wait.Confirmation, QueueState.NeedsConfirmation)
        check(Wait.Sending(null), QueueState.Sending(null))
        check(Wait.Sending(QueueDecision.REDACTED), QueueState.Sending(QueueDecision.REDACTED))
        check(Wait.Later(3_000, network, Cause.CONNECTION), QueueState.Retrying(failure("lost")), network, 2.seconds)
        check(Wait.For(network), QueueState.Retrying(failure("lost")), network)
        check(Wait.Stuck(Cause.KEY, "unauthorised"), QueueState.Stuck(failure("unauthorised")))
        check(Wait.Stuck(Cause.MAY_COST, "cut_off"), QueueState.MayCost(failure("cut_off")))
        check(Wait.Stuck(Cause.NOT_ALLOWED, null), QueueState.Denied)
    }

    @Test
    fun `only what the phone lacks is waited for`() {
        val metered = DeviceUpdate(charging = false, network = Network.METERED)
        val everything = QueueNeeds(network = true, unmetered = true, charging = true)
        check(Wait.Turn, QueueState.Waiting, network, device = metered)
        check(Wait.For(everything.copy(network = false)), QueueState.Waiting, everything, device = metered)
        val home = DeviceUpdate(charging = true, network = Network.UNMETERED)
        check(Wait.Turn, QueueState.Waiting, everything, device = home)
        check(Wait.Later(3_000, nothing, null), QueueState.Waiting, everything, 2.seconds, device = home)
    }

    @Test
    fun `codes that no words fit are told as they are`() {
        assertEquals(Cause.OTHER, causeOf("a_code_of_tomorrow"))
        assertEquals(Cause.TOO_LONG, causeOf("context_full"))
    }
}
