package org.whimbrel.app

import android.content.ComponentCallbacks2
import androidx.test.core.app.ApplicationProvider
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.whimbrel.MemoryPressure
import org.whimbrel.android.ModelInstaller
import java.io.File

/** What the app does when the system wants memory back. */
@RunWith(RobolectricTestRunner::class)
class MemoryTest {
    @Test
    fun `the caches give back more when the app is not on the screen`() {
        val application: WhimbrelApplication = ApplicationProvider.getApplicationContext()
        val asked = mutableListOf<MemoryPressure>()
        application.container =
            AppContainer(
                ModelInstaller(File(application.noBackupFilesDir, "models")),
                { error("no letter") },
                { error("no gateway") },
                { error("no schedule") },
                FixedDeviceState(),
                trimMemory = asked::add,
                offered = { emptyList() },
            )
        application.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN)
        application.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_BACKGROUND)
        assertEquals(listOf(MemoryPressure.MODERATE, MemoryPressure.CRITICAL), asked)
    }
}
