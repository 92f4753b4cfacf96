package org.whimbrel.app

import android.content.Context
import androidx.work.Constraints
import androidx.work.CoroutineWorker
import androidx.work.ExistingWorkPolicy
import androidx.work.NetworkType
import androidx.work.OneTimeWorkRequest
import androidx.work.OneTimeWorkRequestBuilder
import androidx.work.WorkManager
import androidx.work.WorkerParameters
import kotlinx.coroutines.CancellationException
import org.whimbrel.QueueNeeds
import java.util.concurrent.TimeUnit

/** Asks the system to run the outbox later, also when the app is closed by then. */
fun interface OutboxSchedule {
    fun plan(next: NextRun)
}

/** When the outbox has something to do again: from [atMs] on, in milliseconds since 1970, and once [needs] is there. */
data class NextRun(
    val atMs: Long,
    val needs: QueueNeeds,
)

/** WorkManager, which keeps the plan over restarts of the phone. There is one plan at a time. */
class WorkOutboxSchedule(
    private val context: Context,
    private val now: () -> Long = System::currentTimeMillis,
) : OutboxSchedule {
    override fun plan(next: NextRun) = enqueue(ExistingWorkPolicy.REPLACE, next)

    /** The same from within the work itself, which replacing would end. */
    fun planAfterThis(next: NextRun) = enqueue(ExistingWorkPolicy.APPEND_OR_REPLACE, next)

    private fun enqueue(
        policy: ExistingWorkPolicy,
        next: NextRun,
    ) {
        WorkManager.getInstance(context).enqueueUniqueWork(OutboxWorker.NAME, policy, request(next))
    }

    private fun request(next: NextRun): OneTimeWorkRequest =
        OneTimeWorkRequestBuilder<OutboxWorker>()
            .setConstraints(next.needs.toConstraints())
            .setInitialDelay(maxOf(0, next.atMs - now()), TimeUnit.MILLISECONDS)
            .build()

    private fun QueueNeeds.toConstraints(): Constraints =
        Constraints
            .Builder()
            .setRequiredNetworkType(
                when {
                    unmetered -> NetworkType.UNMETERED
                    network -> NetworkType.CONNECTED
                    else -> NetworkType.NOT_REQUIRED
                },
            ).setRequiresCharging(charging)
            .build()
}

/** Answers questions that wait, when the system gives time for it, and plans the next time. */
class OutboxWorker(
    context: Context,
    parameters: WorkerParameters,
) : CoroutineWorker(context, parameters) {
    override suspend fun doWork(): Result =
        try {
            val container = (applicationContext as WhimbrelApplication).container
            container.outboxRunner().run()?.let(WorkOutboxSchedule(applicationContext, container.now)::planAfterThis)
            Result.success()
        } catch (error: CancellationException) {
            throw error
        } catch (error: Exception) {
            // Before the first unlock of the phone nothing can be read, for instance. The questions stay where they are.
            if (runAttemptCount < ATTEMPTS_MAX) Result.retry() else Result.failure()
        }

    companion object {
        const val NAME: String = "outbox"

        /** With the waits of WorkManager between them, these are some hours. */
        private const val ATTEMPTS_MAX = 10
    }
}
