package org.whimbrel.app

import android.app.Application
import android.net.Uri
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.setValue
import androidx.lifecycle.AndroidViewModel
import androidx.lifecycle.SavedStateHandle
import androidx.lifecycle.viewModelScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.launch
import org.whimbrel.android.TreeModelSource
import org.whimbrel.app.ui.ScreenActions

/**
 * Keeps the model and the conversation over changes of the configuration, and the unsent message also over the end of
 * the process. What they do is in [ModelLoader] and [ConversationModel].
 */
class AssistantViewModel(
    application: Application,
    private val saved: SavedStateHandle,
) : AndroidViewModel(application),
    ScreenActions {
    private val container = (application as WhimbrelApplication).container
    private val gateway = container.openGateway()
    private val conversation = ConversationModel(viewModelScope, container.store, Dispatchers.IO)
    private val loader =
        ModelLoader(viewModelScope, container.installer, gateway, container.offered, conversation::history)

    val modelState: StateFlow<ModelState> = loader.state
    val conversationState: StateFlow<ConversationState> = conversation.state

    /** The message that is being written. Not part of a flow: a text field must see what it wrote at once. */
    var draft: String by mutableStateOf(saved[DRAFT] ?: "")
        private set

    init {
        loader.look()
        viewModelScope.launch {
            loader.state.collect { conversation.attach((it as? ModelState.Ready)?.chat) }
        }
    }

    override fun write(text: String) {
        draft = text.take(DRAFT_CHARACTERS_MAX)
        saved[DRAFT] = draft
    }

    override fun send() {
        if (conversation.send(draft)) write("")
    }

    override fun stop() = conversation.stop()

    override fun startOver() = conversation.startOver()

    override fun editQuestion() {
        val question = conversationState.value.notice?.question ?: return
        write(if (draft.isBlank()) question else "$question\n$draft")
        conversation.dismissNotice()
    }

    override fun dismissNotice() = conversation.dismissNotice()

    override fun install(model: OfferedModel) = loader.install(model.source)

    override fun installFrom(tree: Uri) =
        loader.install(TreeModelSource(getApplication<Application>().contentResolver, tree))

    override fun lookForModel() = loader.look()

    override fun retryModel() = loader.retry()

    override fun removeModel() = loader.remove()

    override fun onCleared() {
        conversation.close()
        gateway.close()
    }

    companion object {
        /**
         * Characters of one message. Also keeps the saved state far below the megabyte that Android allows an app for
         * it.
         */
        const val DRAFT_CHARACTERS_MAX: Int = 16_384

        private const val DRAFT = "draft"
    }
}
