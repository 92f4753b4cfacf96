package org.whimbrel.app

import android.app.Application
import android.content.Intent
import android.net.ConnectivityManager
import android.net.NetworkCapabilities
import android.os.BatteryManager
import android.os.Looper
import android.os.PowerManager
import androidx.test.core.app.ApplicationProvider
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowNetworkCapabilities
import org.whimbrel.DeviceUpdate
import org.whimbrel.Network

/** What the app reads of the phone, for the policy and the outbox. */
@RunWith(RobolectricTestRunner::class)
class DeviceStateTest {
    private val application: Application = ApplicationProvider.getApplicationContext()
    private val connectivity = application.getSystemService(ConnectivityManager::class.java)
    private val battery = shadowOf(application.getSystemService(BatteryManager::class.java))
    private val state = SystemDeviceState(application)

    private fun connect(vararg capabilities: Int) {
        val now = ShadowNetworkCapabilities.newInstance()
        capabilities.forEach { shadowOf(now).addCapability(it) }
        shadowOf(connectivity).setNetworkCapabilities(connectivity.activeNetwork, now)
    }

    @Test
    fun `the network is named by what it costs`() {
        val internet = NetworkCapabilities.NET_CAPABILITY_INTERNET
        val unmetered = NetworkCapabilities.NET_CAPABILITY_NOT_METERED
        val home = NetworkCapabilities.NET_CAPABILITY_NOT_ROAMING
        val cases =
            listOf(
                intArrayOf() to Network.OFFLINE,
                intArrayOf(unmetered, home) to Network.OFFLINE,
                intArrayOf(internet, unmetered, home) to Network.UNMETERED,
                intArrayOf(internet, home) to Network.METERED,
                intArrayOf(internet) to Network.ROAMING,
            )
        for ((capabilities, network) in cases) {
            connect(*capabilities)
            assertEquals(network, state.read().network)
        }
        shadowOf(connectivity).setDefaultNetworkActive(false)
        shadowOf(connectivity).setActiveNetworkInfo(null)
        assertEquals(Network.OFFLINE, state.read().network)
    }

    @Test
    fun `battery, charger and power saving are read`() {
        battery.setIntProperty(BatteryManager.BATTERY_PROPERTY_CAPACITY, 57)
        battery.setIsCharging(true)
        shadowOf(application.getSystemService(PowerManager::class.java)).setIsPowerSaveMode(true)
        state.read().run { assertEquals(Triple(57, true, true), Triple(batteryPercent, charging, powerSave)) }
        battery.setIntProperty(BatteryManager.BATTERY_PROPERTY_CAPACITY, Int.MIN_VALUE)
        assertEquals("a phone that does not say", null, state.read().batteryPercent)
    }

    @Test
    fun `a change is heard of, and nothing listens afterwards`() {
        val heard = mutableListOf<DeviceUpdate>()
        val scope = CoroutineScope(Dispatchers.Main)
        scope.launch { state.changes().collect { heard += it } }
        settle()
        assertTrue(heard.isNotEmpty())
        battery.setIsCharging(true)
        application.sendBroadcast(Intent(Intent.ACTION_POWER_CONNECTED))
        settle()
        assertEquals(true, heard.last().charging)
        connect(NetworkCapabilities.NET_CAPABILITY_INTERNET, NetworkCapabilities.NET_CAPABILITY_NOT_METERED)
        val callback = shadowOf(connectivity).networkCallbacks.single()
        callback.onCapabilitiesChanged(checkNotNull(connectivity.activeNetwork), NetworkCapabilities())
        settle()
        assertEquals(Network.UNMETERED, heard.last().network)
        scope.cancel()
        settle()
        assertEquals(emptySet<Any>(), shadowOf(connectivity).networkCallbacks)
    }

    private fun settle() = shadowOf(Looper.getMainLooper()).idle()
}
