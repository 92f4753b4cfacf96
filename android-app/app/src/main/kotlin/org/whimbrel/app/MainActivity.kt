package org.whimbrel.app

import android.os.Build
import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import androidx.activity.viewModels
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import org.whimbrel.app.ui.AssistantScreen
import org.whimbrel.app.ui.WhimbrelTheme

/** The one window of the app. */
class MainActivity : ComponentActivity() {
    private val model: AssistantViewModel by viewModels()

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        enableEdgeToEdge()
        // The input's own colour lies under the navigation bar; it needs no veil over it.
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) window.isNavigationBarContrastEnforced = false
        setContent {
            WhimbrelTheme {
                val modelState = model.modelState.collectAsStateWithLifecycle()
                val conversation = model.conversationState.collectAsStateWithLifecycle()
                AssistantScreen(modelState.value, conversation.value, model.draft, model)
            }
        }
    }
}
