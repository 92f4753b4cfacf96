package org.whimbrel.app.ui

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.PaddingValues
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.widthIn
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.LazyListState
import androidx.compose.foundation.lazy.items
import androidx.compose.foundation.lazy.rememberLazyListState
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.KeyboardArrowDown
import androidx.compose.material3.FilledTonalIconButton
import androidx.compose.material3.Icon
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.runtime.snapshotFlow
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import kotlinx.coroutines.launch
import org.whimbrel.app.ChatMessage
import org.whimbrel.app.ConversationState
import org.whimbrel.app.R

/** The name by which tests find the list. */
internal const val MESSAGES_TAG = "messages"

/**
 * The messages, the newest at the bottom. While the user is at the bottom the list stays there, whatever is added; who
 * has scrolled up to read is left alone and gets a button that leads back.
 */
@Composable
internal fun MessageList(
    conversation: ConversationState,
    actions: WaitingActions,
) {
    val list = rememberLazyListState()
    var isFollowing by rememberSaveable { mutableStateOf(true) }
    val scope = rememberCoroutineScope()
    LaunchedEffect(list) {
        // Where a movement of the list ends tells what the user wants; what grows under it does not.
        snapshotFlow { list.isScrollInProgress }.collect { isMoving ->
            if (!isMoving) {
                isFollowing =
                    !list.canScrollForward
            }
        }
    }
    LaunchedEffect(list, conversation.messages.lastOrNull()?.id) {
        isFollowing = true
        snapshotFlow { list.canScrollForward && isFollowing }.collect { isBehind -> if (isBehind) list.scrollToEnd() }
    }
    Box(Modifier.fillMaxSize(), contentAlignment = Alignment.BottomCenter) {
        LazyColumn(
            Modifier.widthIn(max = ContentWidthMax).fillMaxSize().testTag(MESSAGES_TAG),
            state = list,
            contentPadding = PaddingValues(horizontal = 16.dp, vertical = 16.dp),
            verticalArrangement = Arrangement.spacedBy(12.dp),
        ) {
            items(conversation.messages, key = { it.id }) { message ->
                val isLive = message is ChatMessage.Answer && message.ending == null
                val reading = conversation.reading.takeIf { isLive }
                MessageItem(message, reading, isLive && conversation.isThinking, actions)
            }
        }
        if (!isFollowing) {
            FilledTonalIconButton(
                onClick = {
                    isFollowing = true
                    scope.launch { list.scrollToEnd() }
                },
                Modifier.padding(8.dp),
            ) {
                Icon(Icons.Filled.KeyboardArrowDown, stringResource(R.string.to_latest))
            }
        }
    }
}

/** To the end of the last message, not to its beginning. */
private suspend fun LazyListState.scrollToEnd() {
    val last = layoutInfo.totalItemsCount - 1
    if (last >= 0) scrollToItem(last, Int.MAX_VALUE / 2)
}
