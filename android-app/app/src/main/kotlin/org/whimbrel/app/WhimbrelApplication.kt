package org.whimbrel.app

import android.app.Application
import android.content.Context
import org.whimbrel.ConversationOptions
import org.whimbrel.GenerationOptions
import org.whimbrel.android.AssetModelSource
import org.whimbrel.android.KeystoreVault
import org.whimbrel.android.ModelInstaller
import java.io.File
import kotlin.random.Random

/** Holds what the screen is put together from. */
class WhimbrelApplication : Application() {
    /** Tests put another in before a screen is made. */
    lateinit var container: AppContainer

    override fun onCreate() {
        super.onCreate()
        container = AppContainer.of(this)
    }
}

/**
 * What the screen is put together from.
 *
 * @property letterSender sends the letter that shows what a cloud service would get.
 * @property openGateway makes the way to the model for one screen, which closes it.
 * @property offered finds the models that came with the app.
 */
class AppContainer(
    val installer: ModelInstaller,
    val store: ConversationStore,
    val letterSender: LetterSender,
    val openGateway: () -> ModelGateway,
    val offered: suspend () -> List<OfferedModel>,
) {
    companion object {
        /** What the real app is put together from. */
        fun of(context: Context): AppContainer {
            // No backup: on another phone nothing could open the ledger.
            val private = context.noBackupFilesDir
            val options =
                GatewayOptions(
                    ledger = File(private, "receipts/ledger"),
                    vault = KeystoreVault(File(private, "vault"), "whimbrel"),
                    conversation = ConversationOptions(CONTEXT_LENGTH),
                    generation = ::generation,
                )
            return AppContainer(
                installer = ModelInstaller(File(private, "models")),
                store = ConversationStore(File(context.filesDir, "conversation.json")),
                letterSender = StandInSender(context.cacheDir),
                openGateway = { WhimbrelGateway(options) },
                offered = { offeredBy(context) },
            )
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
        private const val CONTEXT_LENGTH = 2048
    }
}
