package org.whimbrel.app

import android.os.Build
import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import androidx.activity.viewModels
import androidx.compose.runtime.Composable
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import org.whimbrel.app.ui.AssistantScreen
import org.whimbrel.app.ui.ConversationListScreen
import org.whimbrel.app.ui.LetterScreen
import org.whimbrel.app.ui.WhimbrelTheme

/** The one window of the app. */
class MainActivity : ComponentActivity() {
    private val model: AssistantViewModel by viewModels()
    private val letter: LetterViewModel by viewModels()

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        enableEdgeToEdge()
        // The input's own colour lies under the navigation bar; it needs no veil over it.
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) window.isNavigationBarContrastEnforced = false
        setContent {
            WhimbrelTheme {
                when {
                    letter.isOpen -> Letter()
                    model.isListOpen -> Conversations()
                    else -> Conversation()
                }
            }
        }
    }

    @Composable
    private fun Conversation() {
        val modelState = model.modelState.collectAsStateWithLifecycle()
        val conversation = model.conversationState.collectAsStateWithLifecycle()
        AssistantScreen(
            modelState.value,
            conversation.value,
            model.draft,
            isEdited = model.editing != null,
            model.isPrivate,
            model,
            onOpenLetter = letter::open,
        )
    }

    @Composable
    private fun Conversations() {
        val state = model.listState.collectAsStateWithLifecycle()
        ConversationListScreen(model.query, state.value, model)
    }

    @Composable
    private fun Letter() {
        val state = letter.state.collectAsStateWithLifecycle()
        LetterScreen(letter.letter, state.value, letter)
    }
}
