package org.whimbrel.app.ui

import androidx.activity.compose.BackHandler
import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.PaddingValues
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.WindowInsets
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.ime
import androidx.compose.foundation.layout.navigationBars
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.union
import androidx.compose.foundation.layout.widthIn
import androidx.compose.foundation.layout.windowInsetsPadding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.foundation.text.KeyboardActions
import androidx.compose.foundation.text.KeyboardOptions
import androidx.compose.foundation.verticalScroll
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.automirrored.filled.ArrowBack
import androidx.compose.material.icons.filled.Add
import androidx.compose.material.icons.filled.Clear
import androidx.compose.material.icons.filled.MoreVert
import androidx.compose.material.icons.filled.Search
import androidx.compose.material3.Button
import androidx.compose.material3.DropdownMenu
import androidx.compose.material3.DropdownMenuItem
import androidx.compose.material3.HorizontalDivider
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.material3.TextField
import androidx.compose.material3.TextFieldDefaults
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.focus.FocusRequester
import androidx.compose.ui.focus.focusRequester
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.platform.LocalDensity
import androidx.compose.ui.platform.LocalLayoutDirection
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.AnnotatedString
import androidx.compose.ui.text.SpanStyle
import androidx.compose.ui.text.TextStyle
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.input.ImeAction
import androidx.compose.ui.text.input.KeyboardCapitalization
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.unit.LayoutDirection
import androidx.compose.ui.unit.dp
import androidx.compose.ui.unit.sp
import org.whimbrel.app.ConversationListState
import org.whimbrel.app.ConversationRow
import org.whimbrel.app.Problem
import org.whimbrel.app.R
import org.whimbrel.app.beginning

/** The name by which tests find the list. */
internal const val CONVERSATIONS_TAG = "conversations"

/** What the user can do with the list. */
interface ConversationListActions {
    fun find(query: String)

    fun more()

    fun open(id: String)

    fun startNew()

    fun rename(
        id: String,
        title: String,
    )

    fun pin(
        id: String,
        isPinned: Boolean,
    )

    fun delete(id: String)

    fun leaveList()
}

/** All conversations that are kept on this phone, and the search in them. */
@Composable
fun ConversationListScreen(
    query: String,
    state: ConversationListState,
    actions: ConversationListActions,
) {
    var renamed by rememberSaveable { mutableStateOf<String?>(null) }
    var title by rememberSaveable { mutableStateOf("") }
    BackHandler { if (renamed == null) actions.leaveList() else renamed = null }
    Screen {
        ListHeader(actions)
        val id = renamed
        if (id == null) {
            SearchField(query, actions)
        } else {
            RenameField(title, onWrite = { title = it }, onDone = { isConfirmed ->
                if (isConfirmed) actions.rename(id, title)
                renamed = null
            })
        }
        state.problem?.let { ProblemLine(it) }
        val rows = state.rows
        Box(Modifier.weight(1f).fillMaxWidth(), contentAlignment = Alignment.TopCenter) {
            when {
                rows == null -> {}

                rows.isNotEmpty() -> {
                    Rows(rows, state.nowMs, actions, onRename = {
                        title = it.title
                        renamed = it.id
                    })
                }

                state.isSearch -> {
                    Nothing(stringResource(R.string.nothing_found, state.query.trim()))
                }

                else -> {
                    NoConversations(actions)
                }
            }
        }
    }
}

@Composable
private fun ListHeader(actions: ConversationListActions) =
    TopBar(start = 4.dp, end = 4.dp, spacing = 4.dp) {
        IconButton(actions::leaveList) {
            Icon(Icons.AutoMirrored.Filled.ArrowBack, stringResource(R.string.back))
        }
        Text(
            stringResource(R.string.conversations),
            Modifier.weight(1f).semantics { heading() },
            style = MaterialTheme.typography.titleLarge,
        )
        IconButton(actions::startNew) {
            Icon(Icons.Filled.Add, stringResource(R.string.new_conversation))
        }
    }

@Composable
private fun SearchField(
    query: String,
    actions: ConversationListActions,
) = TextField(
    query,
    actions::find,
    Modifier
        .padding(horizontal = 16.dp, vertical = 8.dp)
        .widthIn(max = ContentWidthMax)
        .fillMaxWidth(),
    textStyle = MaterialTheme.typography.bodyLarge.copy(textDirection = TextDirection.Content),
    placeholder = { Text(stringResource(R.string.search)) },
    leadingIcon = { Icon(Icons.Filled.Search, null) },
    trailingIcon =
        if (query.isEmpty()) {
            null
        } else {
            {
                IconButton({ actions.find("") }) {
                    Icon(Icons.Filled.Clear, stringResource(R.string.clear_search))
                }
            }
        },
    keyboardOptions = KeyboardOptions(imeAction = ImeAction.Search),
    singleLine = true,
    shape = RoundedCornerShape(28.dp),
    colors =
        TextFieldDefaults.colors(
            focusedContainerColor = MaterialTheme.colorScheme.surfaceContainerHigh,
            unfocusedContainerColor = MaterialTheme.colorScheme.surfaceContainerHigh,
            focusedIndicatorColor = Color.Transparent,
            unfocusedIndicatorColor = Color.Transparent,
        ),
)

/** In the place of the search, while the user gives a conversation another title. */
@Composable
private fun RenameField(
    title: String,
    onWrite: (String) -> Unit,
    onDone: (Boolean) -> Unit,
) {
    val focus = remember { FocusRequester() }
    val canSave = title.isNotBlank()
    Column(Modifier.padding(horizontal = 16.dp).widthIn(max = ContentWidthMax), horizontalAlignment = Alignment.End) {
        OutlinedTextField(
            title,
            { onWrite(it.take(TITLE_CHARACTERS_MAX)) },
            Modifier.fillMaxWidth().padding(top = 8.dp).focusRequester(focus),
            textStyle = MaterialTheme.typography.bodyLarge.copy(textDirection = TextDirection.Content),
            label = { Text(stringResource(R.string.rename_conversation)) },
            keyboardOptions = KeyboardOptions(KeyboardCapitalization.Sentences, imeAction = ImeAction.Done),
            keyboardActions = KeyboardActions(onDone = { if (canSave) onDone(true) }),
            singleLine = true,
        )
        Row(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
            TextButton({ onDone(false) }) { Text(stringResource(R.string.cancel)) }
            TextButton({ onDone(true) }, enabled = canSave) { Text(stringResource(R.string.save)) }
        }
    }
    LaunchedEffect(Unit) { focus.requestFocus() }
}

@Composable
private fun ProblemLine(problem: Problem) =
    Text(
        problem.words(),
        Modifier
            .padding(horizontal = 24.dp, vertical = 4.dp)
            .semantics { liveRegion = LiveRegionMode.Assertive },
        color = MaterialTheme.colorScheme.error,
        style = MaterialTheme.typography.bodyMedium,
    )

@Composable
private fun Rows(
    rows: List<ConversationRow>,
    nowMs: Long,
    actions: ConversationListActions,
    onRename: (ConversationRow) -> Unit,
) = LazyColumn(
    Modifier
        .widthIn(max = ContentWidthMax)
        .fillMaxSize()
        .windowInsetsPadding(WindowInsets.ime.union(WindowInsets.navigationBars))
        .testTag(CONVERSATIONS_TAG),
    contentPadding = PaddingValues(vertical = 4.dp),
) {
    items(rows, key = { it.key }) { row ->
        RowItem(row, nowMs, actions, onRename)
        HorizontalDivider(Modifier.padding(horizontal = 16.dp), color = MaterialTheme.colorScheme.outlineVariant)
        if (row == rows.last()) LaunchedEffect(rows.size) { actions.more() }
    }
}

@Composable
private fun RowItem(
    row: ConversationRow,
    nowMs: Long,
    actions: ConversationListActions,
    onRename: (ConversationRow) -> Unit,
) = Row(
    Modifier
        .fillMaxWidth()
        .clickable { actions.open(row.id) }
        .padding(start = 16.dp, top = 10.dp, bottom = 10.dp, end = if (row.hit == null) 4.dp else 16.dp),
    verticalAlignment = Alignment.CenterVertically,
) {
    Column(Modifier.weight(1f), verticalArrangement = Arrangement.spacedBy(2.dp)) {
        Row(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
            if (row.isPinned) Pinned(Modifier.alignBy { it.measuredHeight * PIN_TIP / PIN_HEIGHT })
            Text(
                row.title.beginning().ifEmpty { stringResource(R.string.untitled) },
                Modifier.weight(1f).alignByBaseline(),
                style = MaterialTheme.typography.titleMedium.ofAnyLanguage(),
            )
            Text(
                timeWords(row.timeMs, nowMs),
                Modifier.alignByBaseline(),
                color = MaterialTheme.colorScheme.onSurfaceVariant,
                style = MaterialTheme.typography.bodySmall,
            )
        }
        if (row.text.isNotEmpty()) Beginning(row)
    }
    if (row.hit == null) RowMenu(row, actions, onRename)
}

@Composable
private fun Pinned(modifier: Modifier) =
    Icon(
        painterResource(R.drawable.ic_pin),
        stringResource(R.string.pinned),
        modifier.size(with(LocalDensity.current) { 18.sp.toDp() }),
        MaterialTheme.colorScheme.primary,
    )

/** The beginning of the last message, or a hit with what surrounds it. */
@Composable
private fun Beginning(row: ConversationRow) {
    val mark =
        SpanStyle(
            background = MaterialTheme.colorScheme.tertiaryContainer,
            color = MaterialTheme.colorScheme.onTertiaryContainer,
            fontWeight = FontWeight.Medium,
        )
    val marks = listOfNotNull(row.hit?.let { AnnotatedString.Range(mark, it.first, it.last + 1) })
    Text(
        AnnotatedString(row.text, marks),
        Modifier.fillMaxWidth(),
        color = MaterialTheme.colorScheme.onSurfaceVariant,
        style = MaterialTheme.typography.bodyMedium.ofAnyLanguage(),
    )
}

/** The direction of writing is the text's own, and its lines begin at the same side as those of other rows. */
@Composable
private fun TextStyle.ofAnyLanguage(): TextStyle {
    val isRightToLeft = LocalLayoutDirection.current == LayoutDirection.Rtl
    val align = if (isRightToLeft) TextAlign.Right else TextAlign.Left
    return copy(textDirection = TextDirection.Content, textAlign = align)
}

@Composable
private fun RowMenu(
    row: ConversationRow,
    actions: ConversationListActions,
    onRename: (ConversationRow) -> Unit,
) {
    val title = row.title.beginning()
    var isOpen by remember { mutableStateOf(false) }
    var isDeleting by rememberSaveable(row.id) { mutableStateOf(false) }
    Box {
        IconButton({ isOpen = true }) {
            Icon(Icons.Filled.MoreVert, stringResource(R.string.more_about, title))
        }
        DropdownMenu(isOpen, { isOpen = false }) {
            Item(R.string.rename) {
                isOpen = false
                onRename(row)
            }
            Item(if (row.isPinned) R.string.unpin else R.string.pin) {
                isOpen = false
                actions.pin(row.id, !row.isPinned)
            }
            Item(R.string.delete) {
                isOpen = false
                isDeleting = true
            }
        }
    }
    if (isDeleting) {
        Confirmation(
            stringResource(R.string.delete_conversation),
            stringResource(R.string.delete_explanation, title),
            stringResource(R.string.delete),
            onAnswer = { isConfirmed ->
                isDeleting = false
                if (isConfirmed) actions.delete(row.id)
            },
        )
    }
}

@Composable
private fun Item(
    words: Int,
    act: () -> Unit,
) = DropdownMenuItem(text = { Text(stringResource(words)) }, onClick = act)

@Composable
private fun Nothing(words: String) =
    Text(
        words,
        Modifier.padding(24.dp).semantics { liveRegion = LiveRegionMode.Polite },
        color = MaterialTheme.colorScheme.onSurfaceVariant,
        style = MaterialTheme.typography.bodyLarge,
        textAlign = TextAlign.Center,
    )

@Composable
private fun NoConversations(actions: ConversationListActions) =
    Column(
        Modifier.fillMaxSize().verticalScroll(rememberScrollState()).padding(24.dp),
        verticalArrangement = Arrangement.spacedBy(16.dp, Alignment.CenterVertically),
        horizontalAlignment = Alignment.CenterHorizontally,
    ) {
        Icon(painterResource(R.drawable.ic_whimbrel), null, Modifier.size(112.dp), MaterialTheme.colorScheme.primary)
        Text(
            stringResource(R.string.no_conversations),
            Modifier.semantics { heading() },
            style = MaterialTheme.typography.headlineSmall,
            textAlign = TextAlign.Center,
        )
        Text(
            stringResource(R.string.no_conversations_text),
            Modifier.widthIn(max = PaneWidthMax),
            color = MaterialTheme.colorScheme.onSurfaceVariant,
            style = MaterialTheme.typography.bodyLarge,
            textAlign = TextAlign.Center,
        )
        Button(actions::startNew) { Text(stringResource(R.string.new_conversation)) }
    }

/** Where in its picture the pin ends, which stands on the line. */
private const val PIN_TIP = 20
private const val PIN_HEIGHT = 24

/** Characters of a title that the user writes. */
private const val TITLE_CHARACTERS_MAX = 120
