package org.whimbrel.app

import android.content.BroadcastReceiver
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.net.ConnectivityManager
import android.net.Network
import android.net.NetworkCapabilities
import android.os.BatteryManager
import android.os.PowerManager
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.callbackFlow
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.launch
import org.whimbrel.DeviceUpdate
import kotlin.time.Duration.Companion.seconds

/** What a policy and the outbox want to know of the phone: network, battery and power saving. */
interface DeviceState {
    fun read(): DeviceUpdate

    /** The state now, and again whenever it changes, and before the package takes it for too old. */
    fun changes(): Flow<DeviceUpdate>
}

/** As the system says. */
class SystemDeviceState(
    private val context: Context,
) : DeviceState {
    private val connectivity = context.getSystemService(ConnectivityManager::class.java)
    private val battery = context.getSystemService(BatteryManager::class.java)
    private val power = context.getSystemService(PowerManager::class.java)

    override fun read(): DeviceUpdate =
        DeviceUpdate(
            // A phone without the property says 0 or a number outside of this range.
            batteryPercent = battery.getIntProperty(BatteryManager.BATTERY_PROPERTY_CAPACITY).takeIf { it in 1..100 },
            charging = battery.isCharging,
            powerSave = power.isPowerSaveMode,
            network = network(),
        )

    private fun network(): org.whimbrel.Network {
        val now = connectivity.activeNetwork?.let(connectivity::getNetworkCapabilities)
        return when {
            now == null || !now.hasCapability(NetworkCapabilities.NET_CAPABILITY_INTERNET) -> {
                org.whimbrel.Network.OFFLINE
            }

            now.hasCapability(NetworkCapabilities.NET_CAPABILITY_NOT_METERED) -> {
                org.whimbrel.Network.UNMETERED
            }

            now.isRoaming() -> {
                org.whimbrel.Network.ROAMING
            }

            else -> {
                org.whimbrel.Network.METERED
            }
        }
    }

    /** Android says so from version 9 on. */
    private fun NetworkCapabilities.isRoaming() =
        android.os.Build.VERSION.SDK_INT >= android.os.Build.VERSION_CODES.P &&
            !hasCapability(NetworkCapabilities.NET_CAPABILITY_NOT_ROAMING)

    override fun changes(): Flow<DeviceUpdate> =
        callbackFlow {
            val networks =
                object : ConnectivityManager.NetworkCallback() {
                    override fun onCapabilitiesChanged(
                        network: Network,
                        capabilities: NetworkCapabilities,
                    ) {
                        trySend(Unit)
                    }

                    override fun onLost(network: Network) {
                        trySend(Unit)
                    }
                }
            val powers =
                object : BroadcastReceiver() {
                    override fun onReceive(
                        context: Context,
                        intent: Intent,
                    ) {
                        trySend(Unit)
                    }
                }
            connectivity.registerDefaultNetworkCallback(networks)
            context.registerReceiver(
                powers,
                IntentFilter(Intent.ACTION_POWER_CONNECTED).apply { addAction(Intent.ACTION_POWER_DISCONNECTED) },
            )
            launch {
                while (true) {
                    trySend(Unit)
                    delay(AGAIN)
                }
            }
            awaitClose {
                connectivity.unregisterNetworkCallback(networks)
                context.unregisterReceiver(powers)
            }
        }.conflate().map { read() }

    private companion object {
        /** The package forgets most of it after two minutes. */
        val AGAIN = 60.seconds
    }
}
