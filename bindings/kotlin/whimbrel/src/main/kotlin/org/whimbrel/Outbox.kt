package org.whimbrel

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlin.time.Duration
import org.whimbrel.ffi.Outbox as CoreOutbox

/** Maximum number of events per call into the core. */
private const val EVENTS_A_CALL: UInt = 64u

/**
 * The queued questions of an [Assistant]. A question is queued where the policy says `queue`, in a conversation that is
 * kept; [Report.queued] is its number, and it is on the disk then. It stays there until it is answered, expired or
 * cancelled. Calls for a question that does not exist fail with [WhimbrelException.NotFound], also if it was just
 * answered, and those for a question that is being sent with [WhimbrelException.Outbox] and the problem `sending`.
 */
public class Outbox internal constructor(
    private val core: CoreOutbox,
) {
    /**
     * What happens to queued questions while the flow is collected. It begins with [OutboxEvent.Missed], and a collector
     * that is too slow gets that too: [list] then says how everything is. Ends when the assistant is closed.
     */
    public val events: Flow<OutboxEvent> =
        flow {
            val reader = translated { core.events() }
            reader.use {
                do {
                    val events = translated { it.next(EVENTS_A_CALL) }
                    events.forEach { event -> emit(event.toPublic()) }
                } while (events.isNotEmpty())
            }
        }.flowOn(Dispatchers.Default) // a collector without a dispatcher would run on the core's own thread

    /** The queued questions, in the order of their numbers. */
    public suspend fun list(): List<QueuedQuestion> = awaited { core.list().map { it.toPublic() } }

    /**
     * Sends what is due, and waits until nothing more can be sent now or the budget is used up. For a task of the
     * system, such as WorkManager's. Report the device's state before it: [Assistant.updateDevice].
     */
    public suspend fun runDue(budget: RunBudget = RunBudget()): OutboxRun =
        awaited { core.runDue(budget.toCore()).toPublic() }

    /** Sends what is due from now on, as long as the assistant is open. Returns when that has begun. */
    public suspend fun start(): Unit = awaited { core.start() }

    /**
     * From which [age] on a question waits until the user confirms it: see [QueueState.NeedsConfirmation] and [confirm].
     * `null`, the default, sends it however old it is. It holds as long as the assistant is open.
     */
    public suspend fun setConfirmAfter(age: Duration?): Unit =
        awaited { core.setConfirmAfter(age?.toCoreMs("age")?.toULong()) }

    /** Allows a question to be sent although it is old. */
    public suspend fun confirm(id: Long): Unit = awaited { core.confirm(id.atLeastZero("id")) }

    /** Sends a question as soon as its turn comes, whatever it was waiting for. */
    public suspend fun retry(id: Long): Unit = awaited { core.retry(id.atLeastZero("id")) }

    /** Removes a question. It leaves nothing in its conversation. */
    public suspend fun cancel(id: Long): Unit = awaited { core.cancel(id.atLeastZero("id")) }

    /** Changes the priority of a question's conversation. */
    public suspend fun prioritise(
        id: Long,
        priority: QueuePriority,
    ): Unit = awaited { core.prioritise(id.atLeastZero("id"), priority.toCore()) }

    /** Replaces the text of a question. To an endpoint it is another one. */
    public suspend fun edit(
        id: Long,
        text: String,
    ): Unit = awaited { core.edit(id.atLeastZero("id"), text) }
}
