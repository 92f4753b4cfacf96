package org.whimbrel.app

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import org.whimbrel.DeviceUpdate
import org.whimbrel.Network

/** A phone whose network is what a test says. */
class FixedDeviceState : DeviceState {
    private val state = MutableStateFlow(DeviceUpdate(charging = false, network = Network.OFFLINE))

    fun set(network: Network) {
        state.value = state.value.copy(network = network)
    }

    override fun read(): DeviceUpdate = state.value

    override fun changes(): Flow<DeviceUpdate> = state
}
