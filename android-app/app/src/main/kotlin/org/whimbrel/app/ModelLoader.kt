package org.whimbrel.app

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.launch
import org.whimbrel.android.InstallProgress
import org.whimbrel.android.ModelInstaller
import org.whimbrel.android.ModelSource

/** A model that came with the app. */
class OfferedModel(
    val name: String,
    val source: ModelSource,
)

/** From no model to one that answers. */
sealed interface ModelState {
    data object Looking : ModelState

    /** Nothing is installed; [offered] came with the app. */
    data class NotInstalled(
        val offered: List<OfferedModel>,
    ) : ModelState

    data class Installing(
        val progress: InstallProgress,
    ) : ModelState

    data object Opening : ModelState

    data class Ready(
        val model: OpenModel,
    ) : ModelState

    /** It did not work; [isInstalled] tells whether there is something to remove. */
    data class Failed(
        val problem: Problem,
        val isInstalled: Boolean,
    ) : ModelState
}

/**
 * Installs, opens and removes the model, one step at a time: a new step first ends the one before.
 *
 * @param offered finds the models that came with the app; called on any thread.
 */
class ModelLoader(
    private val scope: CoroutineScope,
    private val installer: ModelInstaller,
    private val gateway: ModelGateway,
    private val offered: suspend () -> List<OfferedModel>,
) {
    private val mutable = MutableStateFlow<ModelState>(ModelState.Looking)
    private var step: Job? = null
    private var lastStep: suspend () -> Unit = ::open

    val state: StateFlow<ModelState> = mutable.asStateFlow()

    /** Opens the installed model, or says that there is none. */
    fun look() = begin(::open)

    /** Copies a model from [source], in the place of one that may be there, and opens it. */
    fun install(source: ModelSource) =
        begin {
            gateway.closeModel()
            installer.install(source).collect { mutable.value = ModelState.Installing(it) }
            open()
        }

    /** Deletes the installed model. */
    fun remove() =
        begin {
            gateway.closeModel()
            installer.remove()
            open()
        }

    /** Does again what failed. */
    fun retry() = begin(lastStep)

    private fun begin(work: suspend () -> Unit) {
        val before = step
        lastStep = work
        step =
            scope.launch {
                before?.cancelAndJoin()
                try {
                    work()
                } catch (error: CancellationException) {
                    throw error
                } catch (error: Exception) {
                    fail(error)
                }
            }
    }

    private suspend fun open() {
        mutable.value = ModelState.Looking
        val folder = installer.installed()
        if (folder == null) {
            mutable.value = ModelState.NotInstalled(offered())
            return
        }
        mutable.value = ModelState.Opening
        mutable.value = ModelState.Ready(gateway.openModel(folder))
    }

    private suspend fun fail(error: Throwable) {
        mutable.value = ModelState.Failed(error.toProblem(), installer.installed() != null)
    }
}
