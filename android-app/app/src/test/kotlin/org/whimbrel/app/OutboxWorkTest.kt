package org.whimbrel.app

import android.os.Looper
import androidx.test.core.app.ApplicationProvider
import androidx.work.NetworkType
import androidx.work.WorkInfo
import androidx.work.WorkManager
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.whimbrel.OutboxRun
import org.whimbrel.QueueNeeds
import org.whimbrel.WhimbrelException
import org.whimbrel.android.FolderModelSource
import org.whimbrel.android.ModelInstaller
import java.io.File
import java.util.concurrent.TimeUnit

/** The outbox in the background: what the system is asked for, and what happens when it gives time. */
@RunWith(RobolectricTestRunner::class)
class OutboxWorkTest {
    private val application: WhimbrelApplication = ApplicationProvider.getApplicationContext()
    private val manager by lazy { WorkManager.getInstance(application) }
    private val shelf = ScriptedShelf()
    private val gateway = ScriptedGateway(shelf)
    private val installer = ModelInstaller(File(application.noBackupFilesDir, "models"))
    private val schedule = WorkOutboxSchedule(application) { NOW_MS }
    private val nothing = QueueNeeds(network = false, unmetered = false, charging = false)

    /** It outlives an app, which a process of a phone has only one of. */
    @Before
    fun forgetWorkManager() {
        for (name in listOf("sDelegatedInstance", "sDefaultInstance")) {
            val instance = Class.forName("androidx.work.impl.WorkManagerImpl").getDeclaredField(name)
            instance.isAccessible = true
            instance.set(null, null)
        }
    }

    private fun prepare(open: () -> ModelGateway = { gateway }) {
        application.container =
            AppContainer(installer, { error("no letter") }, open, schedule, FixedDeviceState(), now = { NOW_MS }) {
                emptyList()
            }
    }

    private fun works(): List<WorkInfo> =
        manager.getWorkInfosForUniqueWork(OutboxWorker.NAME).get(WAIT_S, TimeUnit.SECONDS)

    private fun waiting() = works().single { !it.state.isFinished }

    private fun waitFor(
        what: String,
        condition: () -> Boolean,
    ) {
        val end = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_S)
        while (!condition()) {
            assertTrue("waited in vain for $what; there is ${works()}", System.nanoTime() < end)
            // Work begins on the main thread.
            shadowOf(Looper.getMainLooper()).idle()
        }
    }

    @Test
    fun `the system waits for what the question needs`() {
        val cases =
            listOf(
                QueueNeeds(network = true, unmetered = false, charging = false) to NetworkType.CONNECTED,
                QueueNeeds(network = true, unmetered = true, charging = true) to NetworkType.UNMETERED,
                QueueNeeds(network = false, unmetered = false, charging = true) to NetworkType.NOT_REQUIRED,
            )
        for ((needs, network) in cases) {
            schedule.plan(NextRun(NOW_MS + 60_000, needs))
            val work = waiting()
            assertEquals(network, work.constraints.requiredNetworkType)
            assertEquals(needs.charging, work.constraints.requiresCharging())
            assertEquals(60_000, work.initialDelayMillis)
            assertEquals(WorkInfo.State.ENQUEUED, work.state)
        }
        schedule.plan(NextRun(NOW_MS - 1, cases.first().first))
        assertEquals("a time in the past is now", 0, waiting().initialDelayMillis)
    }

    @Test
    fun `the work runs the outbox without a screen and plans the next run`() {
        val conversation = shelf.keep("a", emptyList())
        shelf.enqueue(conversation.summary.id, "?")
        shelf.run = OutboxRun(1, 1, NOW_MS + 600_000, QueueNeeds(network = true, unmetered = true, charging = false))
        prepare()
        schedule.plan(NextRun(NOW_MS, nothing))
        waitFor("the next run") { works().any { it.state == WorkInfo.State.SUCCEEDED } && works().size == 2 }
        assertEquals(listOf("run"), shelf.done)
        assertTrue(gateway.isClosed)
        val next = waiting()
        assertEquals(NetworkType.UNMETERED, next.constraints.requiredNetworkType)
        assertEquals(600_000, next.initialDelayMillis)
    }

    @Test
    fun `work that fails is tried again by the system`() {
        prepare { error("the vault is locked") }
        schedule.plan(NextRun(NOW_MS, nothing))
        waitFor("a further try") { works().single().run { state == WorkInfo.State.ENQUEUED && runAttemptCount > 0 } }
    }

    private fun run(): NextRun? = runBlocking { OutboxRunner(installer, { gateway }, { NOW_MS }).run() }

    @Test
    fun `without questions nothing is opened or planned`() {
        install()
        shelf.run = shelf.run.copy(nextMs = NOW_MS)
        assertNull(run())
        assertEquals(emptyList<String>(), shelf.done)
        assertEquals(emptyList<File>(), gateway.opened)
    }

    @Test
    fun `a run opens the model, never comes back at once, and ends when nothing waits`() {
        install()
        shelf.enqueue(shelf.keep("a", emptyList()).summary.id, "?")
        shelf.run = OutboxRun(0, 1, NOW_MS, shelf.needs)
        assertEquals(NextRun(NOW_MS + 30_000, shelf.needs), run())
        assertEquals(listOf("installed"), gateway.opened.map { it.name })
        shelf.run = shelf.run.copy(nextMs = NOW_MS + 90_000)
        assertEquals(NOW_MS + 90_000, run()?.atMs)
        shelf.run = shelf.run.copy(nextMs = null)
        assertNull(run())
    }

    @Test
    fun `a damaged model does not keep questions from other places`() {
        install()
        shelf.enqueue(shelf.keep("a", emptyList()).summary.id, "?")
        val damaged = ScriptedGateway(shelf) { throw corrupt() }
        runBlocking { OutboxRunner(installer, { damaged }, { NOW_MS }).run() }
        assertEquals(listOf("run"), shelf.done)
        assertFalse(gateway.isClosed)
    }

    private fun install() = runBlocking { installer.install(FolderModelSource(Bundles.tiny)).collect {} }

    /** As the package throws it; only the package makes one itself. */
    private fun corrupt() =
        WhimbrelException.BundleCorrupt::class
            .java.constructors
            .first { it.parameterCount == 2 }
            .newInstance("a changed byte", null) as WhimbrelException

    private companion object {
        const val NOW_MS = Phone.NOON_MS
        const val WAIT_S = 30L
    }
}
