package org.whimbrel.app

import android.app.Application
import android.content.ComponentCallbacks2
import android.content.Context
import androidx.work.Configuration
import org.whimbrel.ConversationOptions
import org.whimbrel.GenerationOptions
import org.whimbrel.MemoryPressure
import org.whimbrel.PolicyDocument
import org.whimbrel.Preset
import org.whimbrel.android.AssetModelSource
import org.whimbrel.android.KeystoreVault
import org.whimbrel.android.ModelInstaller
import java.io.File
import java.io.FileNotFoundException
import kotlin.random.Random

/** Holds what the screens and the work in the background are put together from. */
class WhimbrelApplication :
    Application(),
    Configuration.Provider {
    /** Tests put another in before a screen is made. */
    lateinit var container: AppContainer

    /** The manifest leaves WorkManager's own start out: it starts when the first question waits. */
    override val workManagerConfiguration: Configuration
        get() = Configuration.Builder().build()

    override fun onCreate() {
        super.onCreate()
        container = AppContainer.of(this)
    }

    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        // Once the app is not on the screen, the system ends the processes that take most.
        val isHidden = level >= ComponentCallbacks2.TRIM_MEMORY_BACKGROUND
        container.trimMemory(if (isHidden) MemoryPressure.CRITICAL else MemoryPressure.MODERATE)
    }
}

/**
 * What the screens and the work in the background are put together from.
 *
 * @property letterSender sends the letter that shows what a cloud service would get.
 * @property openGateway makes a way to the package for one user, which closes it.
 * @property schedule plans runs of the outbox.
 * @property device what is known of the phone.
 * @property isPrivate whether no answer comes from outside of the phone.
 * @property trimMemory gives memory back that can be filled again.
 * @property offered finds the models that came with the app.
 */
class AppContainer(
    val installer: ModelInstaller,
    val letterSender: LetterSender,
    val openGateway: () -> ModelGateway,
    val schedule: OutboxSchedule,
    val device: DeviceState,
    val isPrivate: Boolean = true,
    val now: () -> Long = System::currentTimeMillis,
    val trimMemory: (MemoryPressure) -> Unit = {},
    val offered: suspend () -> List<OfferedModel>,
) {
    fun outboxRunner() = OutboxRunner(installer, openGateway, now)

    companion object {
        /** What the real app is put together from. */
        fun of(context: Context): AppContainer {
            // No backup: on another phone nothing could open what is sealed with a key of this one.
            val private = context.noBackupFilesDir
            val policy = policyOf(context)
            val device = SystemDeviceState(context)
            val options =
                GatewayOptions(
                    store = File(private, "receipts/ledger"),
                    vault = KeystoreVault(File(private, "vault"), "whimbrel"),
                    device = device,
                    policy = policy ?: PolicyDocument.OfPreset(Preset.PRIVATE),
                    conversation = ConversationOptions(CONTEXT_LENGTH),
                    generation = ::generation,
                )
            val shared = SharedAssistant(options)
            return AppContainer(
                installer = ModelInstaller(File(private, "models")),
                letterSender = StandInSender(context.cacheDir),
                openGateway = { WhimbrelGateway(shared, options) },
                schedule = WorkOutboxSchedule(context),
                device = device,
                isPrivate = policy == null,
                trimMemory = shared::trimMemory,
                offered = { offeredBy(context) },
            )
        }

        /** Who builds the app may put a policy of their own into its assets. */
        private fun policyOf(context: Context): PolicyDocument? =
            try {
                PolicyDocument.Toml(context.assets.open(POLICY).use { it.readBytes().decodeToString() })
            } catch (error: FileNotFoundException) {
                null
            }

        /** Every folder in `assets/models` is a bundle. */
        private fun offeredBy(context: Context): List<OfferedModel> =
            context.assets
                .list(
                    ASSETS,
                ).orEmpty()
                .map { OfferedModel(it, AssetModelSource(context.assets, "$ASSETS/$it")) }

        /** A little freedom, and no word for word repetitions: small models tend to them. */
        private fun generation() =
            GenerationOptions(temperature = 0.6f, topP = 0.9f, repetitionPenalty = 1.1f, seed = Random.nextLong())

        private const val ASSETS = "models"
        private const val POLICY = "policy.toml"
        private const val CONTEXT_LENGTH = 2048
    }
}
