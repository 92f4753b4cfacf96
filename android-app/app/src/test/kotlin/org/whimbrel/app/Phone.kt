package org.whimbrel.app

import android.os.Bundle
import android.os.Looper
import android.os.Parcel
import androidx.compose.ui.semantics.SemanticsActions
import androidx.compose.ui.semantics.SemanticsNode
import androidx.compose.ui.semantics.SemanticsProperties
import androidx.compose.ui.test.ComposeTimeoutException
import androidx.compose.ui.test.SemanticsMatcher
import androidx.compose.ui.test.SemanticsNodeInteraction
import androidx.compose.ui.test.hasAnyAncestor
import androidx.compose.ui.test.hasClickAction
import androidx.compose.ui.test.hasContentDescription
import androidx.compose.ui.test.hasSetTextAction
import androidx.compose.ui.test.hasTestTag
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.junit4.ComposeTestRule
import androidx.compose.ui.test.onFirst
import androidx.compose.ui.test.onLast
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performTextInput
import androidx.compose.ui.test.performTextReplacement
import androidx.compose.ui.text.TextLayoutResult
import androidx.compose.ui.unit.dp
import androidx.compose.ui.unit.toSize
import androidx.lifecycle.ViewModelProvider
import androidx.test.core.app.ApplicationProvider
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertTrue
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.whimbrel.ConversationOptions
import org.whimbrel.GenerationOptions
import org.whimbrel.MemoryKeyVault
import org.whimbrel.PolicyDocument
import org.whimbrel.Preset
import org.whimbrel.android.FolderModelSource
import org.whimbrel.android.ModelInstaller
import org.whimbrel.app.ui.MESSAGES_TAG
import org.whimbrel.app.ui.MESSAGE_TAG
import java.io.File
import java.util.concurrent.ConcurrentLinkedQueue

/**
 * The app in the hands of a person: what can be seen, touched and typed, and what happens to apps on a phone. Waiting
 * means letting both the main looper and the core get on until a condition holds.
 */
class Phone(
    val compose: ComposeTestRule,
) : AutoCloseable {
    private val application: WhimbrelApplication = ApplicationProvider.getApplicationContext()
    private var activity: ActivityController<MainActivity>? = null

    val modelFolder = File(application.noBackupFilesDir, "models")
    val receiptsFolder = File(application.noBackupFilesDir, "receipts")
    val installer = ModelInstaller(modelFolder)

    /** What the phone says of its network. */
    val device = FixedDeviceState()

    /** When the outbox is to run again, as the app has asked for. */
    val plans = mutableListOf<NextRun>()

    /** The time on the screen's clock. */
    var nowMs = NOON_MS

    /** Outlives the process, as the system's does. */
    private val vault = MemoryKeyVault()

    private val uncaught = ConcurrentLinkedQueue<Throwable>()

    init {
        showBars()
        // What would end the app on a phone must end the test.
        Thread.setDefaultUncaughtExceptionHandler { _, error -> uncaught += error }
    }

    /** Puts the app together, as the real one where nothing is said. */
    fun prepare(
        openGateway: () -> ModelGateway,
        offered: List<OfferedModel> = emptyList(),
        installer: ModelInstaller = this.installer,
        letterSender: LetterSender = StandInSender(application.cacheDir),
        schedule: OutboxSchedule = OutboxSchedule { plans += it },
        isPrivate: Boolean = true,
        now: () -> Long = { nowMs },
    ) {
        application.container =
            AppContainer(installer, letterSender, openGateway, schedule, device, isPrivate, now) { offered }
    }

    /** What the work in the background does when the system gives it time. */
    fun runOutbox(): NextRun? = runBlocking { application.container.outboxRunner().run() }

    /** Options of a real gateway, with a store and a vault of this phone's. */
    fun options(
        contextLength: Int,
        policy: PolicyDocument = PolicyDocument.OfPreset(Preset.PRIVATE),
        generation: () -> GenerationOptions = { GenerationOptions() },
    ) = GatewayOptions(
        store = File(application.noBackupFilesDir, "receipts/ledger"),
        vault = vault,
        device = device,
        policy = policy,
        // To this one SmolLM2 answers questions about what was said before.
        conversation = ConversationOptions(contextLength, system = "Give clear and correct answers."),
        generation = generation,
    )

    /** The way to the real core. All that come from one call use the same assistant. */
    fun realGateways(options: GatewayOptions): () -> ModelGateway {
        val shared = SharedAssistant(options)
        return { WhimbrelGateway(shared, options) }
    }

    /** Installs [bundle] beforehand and talks to it with the real core. */
    fun prepareReal(
        bundle: File,
        contextLength: Int = 768,
        generation: GenerationOptions = GenerationOptions(),
    ) {
        install(bundle)
        prepare(realGateways(options(contextLength) { generation }))
    }

    fun install(bundle: File) = runBlocking { installer.install(FolderModelSource(bundle)).collect {} }

    fun launch(saved: Bundle? = null) {
        activity =
            Robolectric.buildActivity(MainActivity::class.java).also {
                if (saved == null) it.setup() else it.setup(saved)
            }
    }

    /** Turned round: another activity with the same view model. */
    fun rotate() {
        val isUpright = application.resources.configuration.run { screenWidthDp < screenHeightDp }
        RuntimeEnvironment.setQualifiers(if (isUpright) "+land" else "+port")
        activity().configurationChange(application.resources.configuration)
        // Robolectric makes the other activity without a window.
        if (activity()
                .get()
                .window.decorView.parent == null
        ) {
            activity().visible()
        }
        settle()
    }

    /** Ends the process as the system does under memory pressure, and starts the app again from what it had saved. */
    fun killAndRelaunch() {
        val saved = Bundle()
        activity().pause().stop().saveInstanceState(saved)
        settle()
        activity().destroy()
        settle()
        launch(throughParcel(saved))
    }

    fun type(text: String) = compose.onNode(hasSetTextAction()).performTextInput(text)

    /** Writes [text] in place of what is written there. */
    fun rewrite(text: String) = compose.onNode(hasSetTextAction()).performTextReplacement(text)

    fun tap(words: String) =
        compose.onNode((hasText(words) or hasContentDescription(words)) and hasClickAction()).performClick()

    /** The same within the messages, where the input has a thing of that name too. */
    fun tapInMessages(words: String) =
        compose.onNode(hasText(words) and hasClickAction() and hasAnyAncestor(hasTestTag(MESSAGES_TAG))).performClick()

    /** Of several things with these words, the one on top. */
    fun tapLast(words: String) = compose.onAllNodes(hasText(words) and hasClickAction()).onLast().performClick()

    /** Of several things with these words, the one that comes first. */
    fun tapFirst(words: String) = compose.onAllNodes(hasText(words) and hasClickAction()).onFirst().performClick()

    fun goBack() = activity().get().onBackPressedDispatcher.onBackPressed()

    fun ask(question: String) {
        type(question)
        tap("Send")
    }

    /** Asks without the input, which would have the focus then. */
    fun askWithoutTyping(question: String) {
        model().write(question)
        model().send()
    }

    fun model(): AssistantViewModel = ViewModelProvider(activity().get())[AssistantViewModel::class.java]

    fun node(words: String): SemanticsNodeInteraction =
        compose.onNode(hasText(words, substring = true), useUnmergedTree = true)

    fun sees(words: String) = count(hasText(words, substring = true) or hasContentDescription(words)) > 0

    fun count(matcher: SemanticsMatcher) =
        compose.onAllNodes(matcher, useUnmergedTree = true).fetchSemanticsNodes().size

    /** The texts of the messages, from the top. */
    fun messages(): List<String> =
        compose
            .onAllNodes(hasTestTag(MESSAGE_TAG), useUnmergedTree = true)
            .fetchSemanticsNodes()
            .map { it.text() }

    /** The text of the one node that has this name for tests. */
    fun textOf(tag: String): String =
        compose.onNode(hasTestTag(tag), useUnmergedTree = true).fetchSemanticsNode().text()

    private fun texts() =
        compose
            .onAllNodes(isAnything, useUnmergedTree = true)
            .fetchSemanticsNodes()
            .map {
                it.text()
            }.filter { it.isNotEmpty() }

    private val isAnything = SemanticsMatcher("anything") { true }

    private fun SemanticsNode.text() =
        config
            .getOrElse(SemanticsProperties.Text) {
                emptyList()
            }.joinToString("") { it.text }

    fun draft(): String =
        compose
            .onNode(hasSetTextAction())
            .fetchSemanticsNode()
            .config[SemanticsProperties.EditableText]
            .text

    /** Every text that has no room where it stands. */
    fun cutTexts(): List<String> =
        compose
            .onAllNodes(SemanticsMatcher.keyIsDefined(SemanticsActions.GetTextLayoutResult), useUnmergedTree = true)
            .fetchSemanticsNodes()
            .filter { node ->
                val layouts = mutableListOf<TextLayoutResult>()
                node.config[SemanticsActions.GetTextLayoutResult].action?.invoke(layouts)
                layouts.any { it.isCut() }
            }.map { it.text() }

    /** More lines than are shown, or one that is higher or wider than its place by more than a rounding. */
    private fun TextLayoutResult.isCut() =
        multiParagraph.didExceedMaxLines ||
            multiParagraph.height > size.height + 1 ||
            (0 until lineCount).any { getLineRight(it) - getLineLeft(it) > size.width + 1 }

    /** Everything that can be touched has words and is large enough. */
    fun checkTouchables(
        state: String,
        countMin: Int,
    ) {
        val nodes = compose.onAllNodes(SemanticsMatcher.keyIsDefined(SemanticsActions.OnClick)).fetchSemanticsNodes()
        assertTrue("$state: ${nodes.size} things to touch", nodes.size >= countMin)
        for (node in nodes) {
            val words =
                node.config.getOrElse(SemanticsProperties.ContentDescription) { emptyList() } +
                    node.config.getOrElse(SemanticsProperties.Text) { emptyList() }.map { it.text } +
                    listOfNotNull(node.config.getOrElseNullable(SemanticsProperties.EditableText) { null }?.text)
            assertTrue("$state: something to touch without a label", words.any { it.isNotBlank() })
            val size = node.touchBoundsInRoot.size
            val edge = with(node.layoutInfo.density) { TOUCHABLE_MIN.toPx() }
            assertTrue(
                "$state: $words is ${node.size.toSize()}, too small to touch",
                size.width >= edge && size.height >= edge,
            )
        }
    }

    fun waitFor(words: String) = waitUntil("\"$words\" on the screen") { sees(words) }

    fun waitUntil(
        what: String,
        condition: () -> Boolean,
    ) {
        var holds = false
        try {
            compose.waitUntil(WAIT_MS) {
                settle()
                condition().also { holds = it }
            }
        } catch (error: ComposeTimeoutException) {
            throw AssertionError("waited in vain for $what; there is ${texts()}", error)
        }
        assertTrue(what, holds)
    }

    /** Lets everything happen that can happen by now. */
    fun settle() {
        shadowOf(Looper.getMainLooper()).idle()
        compose.waitForIdle()
    }

    fun activity(): ActivityController<MainActivity> = checkNotNull(activity) { "the app was not launched" }

    /** Ends the app as its user does. */
    fun quit() {
        activity?.pause()?.stop()?.destroy()
        activity = null
        settle()
    }

    override fun close() {
        quit()
        Thread.setDefaultUncaughtExceptionHandler(null)
        uncaught.firstOrNull()?.let { throw AssertionError("the app would have crashed", it) }
    }

    /** What is kept for an app leaves the process as bytes. */
    private fun throughParcel(bundle: Bundle): Bundle {
        val parcel = Parcel.obtain()
        parcel.writeBundle(bundle)
        assertTrue("the saved state is far below the limit of a transaction", parcel.dataSize() < SAVED_STATE_BYTES_MAX)
        val bytes = parcel.marshall()
        parcel.recycle()
        val restored = Parcel.obtain()
        restored.unmarshall(bytes, 0, bytes.size)
        restored.setDataPosition(0)
        return checkNotNull(restored.readBundle(javaClass.classLoader)).also { restored.recycle() }
    }

    /** Bars as a phone has them: without this all insets are 0. Robolectric keeps the switch to itself. */
    private fun showBars() {
        val bars = Class.forName("org.robolectric.shadows.SystemUi")
        val behaviours =
            listOf("STANDARD_STATUS_BAR", "GESTURAL_NAVIGATION").map { name ->
                bars.getDeclaredField(name).apply { isAccessible = true }.get(null)
            }
        val display = bars.getDeclaredMethod("systemUiForDefaultDisplay").apply { isAccessible = true }.invoke(null)
        val set = bars.declaredMethods.single { it.name == "setBehavior" }.apply { isAccessible = true }
        set.invoke(display, behaviours[0], behaviours[1])
    }

    companion object {
        /** Noon of 29 November 2026, in the time zone that tests have. */
        const val NOON_MS = 1_795_953_600_000L

        /** Long enough for a slow machine: nothing here measures time. */
        private const val WAIT_MS = 60_000L

        private val TOUCHABLE_MIN = 48.dp

        private const val SAVED_STATE_BYTES_MAX = 200_000
    }
}
