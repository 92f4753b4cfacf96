package org.whimbrel.app

import android.app.Application
import android.net.Uri
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.setValue
import androidx.lifecycle.AndroidViewModel
import androidx.lifecycle.SavedStateHandle
import androidx.lifecycle.viewModelScope
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import org.whimbrel.QueuedQuestion
import org.whimbrel.android.TreeModelSource
import org.whimbrel.app.ui.ConversationListActions
import org.whimbrel.app.ui.ScreenActions

/**
 * Keeps the model, the conversation and the list over changes of the configuration, and the unsent message and what is
 * on the screen also over the end of the process. What they do is in [ModelLoader], [ConversationModel] and
 * [ConversationListModel].
 */
class AssistantViewModel(
    application: Application,
    private val saved: SavedStateHandle,
) : AndroidViewModel(application),
    ScreenActions,
    ConversationListActions {
    private val container = (application as WhimbrelApplication).container
    private val gateway = container.openGateway()
    private val conversation = ConversationModel(viewModelScope, gateway::kept, container.device, container.now, ::plan)
    private val list = ConversationListModel(viewModelScope, gateway::kept, container.now)
    private val loader = ModelLoader(viewModelScope, container.installer, gateway, container.offered)

    val modelState: StateFlow<ModelState> = loader.state
    val conversationState: StateFlow<ConversationState> = conversation.state
    val listState: StateFlow<ConversationListState> = list.state

    /** Whether no answer comes from outside of the phone. */
    val isPrivate: Boolean = container.isPrivate

    /** The message that is being written. Not part of a flow: a text field must see what it wrote at once. */
    var draft: String by mutableStateOf(saved[DRAFT] ?: "")
        private set

    /** The number of the question that waits and is in the input to be changed. */
    var editing: Long? by mutableStateOf(saved[EDITING])
        private set

    /** What is looked for in the conversations; as [draft]. */
    var query: String by mutableStateOf("")
        private set

    /** Whether the list is on the screen, in place of a conversation. */
    var isListOpen: Boolean by mutableStateOf(saved[LIST] ?: false)
        private set

    init {
        loader.look()
        viewModelScope.launch {
            // Before a model is there, nothing loads the core.
            loader.state.first { it is ModelState.Ready }
            conversation.start(saved[CONVERSATION])
            if (isListOpen) list.open()
            conversation.state.collect { if (!it.isOpening) saved[CONVERSATION] = it.id.orEmpty() }
        }
    }

    override fun write(text: String) {
        draft = text.take(DRAFT_CHARACTERS_MAX)
        saved[DRAFT] = draft
    }

    override fun send() {
        val question = editing
        if (question == null) {
            if (conversation.send(draft)) write("")
            return
        }
        val text = draft.trim()
        conversation.change(question, text) { edit(question, text) }
        cancelEdit()
    }

    override fun edit(question: Long) {
        val waiting = conversationState.value.messages.filterIsInstance<ChatMessage.Waiting>()
        val text = waiting.firstOrNull { it.number == question }?.text ?: return
        if (editing == null) saved[BEFORE_EDITING] = draft
        putAside(question)
        write(text)
    }

    /** The input gets back what it had before. */
    override fun cancelEdit() {
        if (editing == null) return
        putAside(null)
        write(saved[BEFORE_EDITING] ?: "")
        saved[BEFORE_EDITING] = null
    }

    private fun putAside(question: Long?) {
        editing = question
        saved[EDITING] = question
    }

    override fun stop() = conversation.stop()

    override fun startNew() {
        cancelEdit()
        conversation.startNew()
        leaveList()
    }

    override fun editQuestion() {
        val question = conversationState.value.notice?.question ?: return
        write(if (draft.isBlank()) question else "$question\n$draft")
        conversation.dismissNotice()
    }

    override fun dismissNotice() = conversation.dismissNotice()

    override fun retry(question: Long) = conversation.change(question) { retry(question) }

    override fun confirm(question: Long) = conversation.change(question) { confirm(question) }

    override fun cancel(question: Long) = conversation.change(question) { cancel(question) }

    override fun install(model: OfferedModel) = loader.install(model.source)

    override fun installFrom(tree: Uri) =
        loader.install(TreeModelSource(getApplication<Application>().contentResolver, tree))

    override fun lookForModel() = loader.look()

    override fun retryModel() = loader.retry()

    override fun removeModel() = loader.remove()

    override fun openList() {
        list.open()
        showList(true)
    }

    override fun leaveList() {
        showList(false)
        list.close()
        query = ""
    }

    override fun find(query: String) {
        this.query = query.take(ConversationListModel.QUERY_CHARACTERS_MAX)
        list.find(this.query)
    }

    override fun more() = list.more()

    override fun open(id: String) {
        if (id != conversationState.value.id) cancelEdit()
        conversation.show(id)
        leaveList()
    }

    override fun rename(
        id: String,
        title: String,
    ) = list.rename(id, title)

    override fun pin(
        id: String,
        isPinned: Boolean,
    ) = list.pin(id, isPinned)

    override fun delete(id: String) = list.delete(id) { conversation.forget(id) }

    private fun showList(isOpen: Boolean) {
        isListOpen = isOpen
        saved[LIST] = isOpen
    }

    /** A question waits: the system runs the outbox when the question may go on, also if the app is closed by then. */
    private fun plan(question: QueuedQuestion) =
        container.schedule.plan(
            NextRun(container.now() + (question.retryIn?.inWholeMilliseconds ?: 0), question.needs),
        )

    override fun onCleared() = gateway.close()

    companion object {
        /**
         * Characters of one message. Also keeps the saved state far below the megabyte that Android allows an app for
         * it.
         */
        const val DRAFT_CHARACTERS_MAX: Int = 16_384

        private const val DRAFT = "draft"
        private const val EDITING = "editing"
        private const val BEFORE_EDITING = "before_editing"
        private const val CONVERSATION = "conversation"
        private const val LIST = "list_open"
    }
}
