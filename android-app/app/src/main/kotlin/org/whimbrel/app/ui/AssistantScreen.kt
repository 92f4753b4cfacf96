package org.whimbrel.app.ui

import android.net.Uri
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.contract.ActivityResultContracts.OpenDocumentTree
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.runtime.Composable
import androidx.compose.runtime.key
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import org.whimbrel.app.ConversationState
import org.whimbrel.app.ModelState
import org.whimbrel.app.OfferedModel

/** What the user can do on the screen. */
interface ScreenActions : WaitingActions {
    fun write(text: String)

    fun send()

    fun stop()

    fun startNew()

    fun openList()

    fun editQuestion()

    fun cancelEdit()

    fun dismissNotice()

    fun install(model: OfferedModel)

    fun installFrom(tree: Uri)

    fun lookForModel()

    fun retryModel()

    fun removeModel()
}

/**
 * The whole screen: a header, the conversation or the way to a model, and the input. [isEdited] tells whether a
 * question that waits is in the input, [isPrivate] whether no answer comes from outside of the phone.
 */
@Composable
fun AssistantScreen(
    modelState: ModelState,
    conversation: ConversationState,
    draft: String,
    isEdited: Boolean,
    isPrivate: Boolean,
    actions: ScreenActions,
    onOpenLetter: () -> Unit,
) {
    val picker = rememberLauncherForActivityResult(OpenDocumentTree()) { tree -> tree?.let(actions::installFrom) }
    val isReady = modelState is ModelState.Ready
    Screen {
        Header(modelState, isNew = conversation.messages.isEmpty(), actions, onOpenLetter)
        Box(Modifier.weight(1f).fillMaxWidth(), contentAlignment = Alignment.TopCenter) {
            when {
                !isReady -> {
                    ModelPane(modelState, actions, onOpenLetter, onChooseFolder = { picker.launch(null) })
                }

                conversation.isOpening && conversation.messages.isEmpty() -> {}

                conversation.messages.isEmpty() -> {
                    EmptyPane(modelState.model.limits, isPrivate, onOpenLetter, onSuggestion = actions::write)
                }

                else -> {
                    key(conversation.id) { MessageList(conversation, actions) }
                }
            }
            if (isReady) Announcements(conversation)
        }
        conversation.notice?.let { NoticeCard(it, actions) }
        if (isReady) {
            InputBar(draft, conversation.isAnswering, conversation.isOpening, isEdited, actions)
        } else {
            BottomInset()
        }
    }
}
