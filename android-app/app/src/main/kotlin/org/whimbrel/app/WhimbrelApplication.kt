package org.whimbrel.app

import android.app.Application
import android.content.Context
import org.whimbrel.ConversationOptions
import org.whimbrel.GenerationOptions
import org.whimbrel.android.AssetModelSource
import org.whimbrel.android.ModelInstaller
import java.io.File
import kotlin.random.Random

/** Holds what the screen is put together from. */
class WhimbrelApplication : Application() {
    /** Tests put other parts in before a screen is made. */
    lateinit var parts: Parts

    override fun onCreate() {
        super.onCreate()
        parts = Parts.of(this)
    }
}

/**
 * What the screen is put together from.
 *
 * @property openCore makes the core for one screen, which closes it.
 * @property offered finds the models that came with the app.
 */
class Parts(
    val installer: ModelInstaller,
    val store: ConversationStore,
    val openCore: () -> Core,
    val offered: suspend () -> List<OfferedModel>,
) {
    companion object {
        /** The parts of the real app. */
        fun of(context: Context): Parts {
            val options = CoreOptions(conversation = ConversationOptions(CONTEXT_LENGTH), answering = ::answering)
            return Parts(
                installer = ModelInstaller(File(context.noBackupFilesDir, "models")),
                store = ConversationStore(File(context.filesDir, "conversation.json")),
                openCore = { WhimbrelCore(options) },
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
        private fun answering() =
            GenerationOptions(temperature = 0.6f, topP = 0.9f, repetitionPenalty = 1.1f, seed = Random.nextLong())

        private const val ASSETS = "models"
        private const val CONTEXT_LENGTH = 2048
    }
}
