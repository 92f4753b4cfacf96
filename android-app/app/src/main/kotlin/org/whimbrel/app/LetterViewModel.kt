package org.whimbrel.app

import android.app.Application
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.setValue
import androidx.lifecycle.AndroidViewModel
import androidx.lifecycle.SavedStateHandle
import androidx.lifecycle.viewModelScope
import kotlinx.coroutines.flow.StateFlow
import org.whimbrel.app.ui.LetterActions

/**
 * Keeps the letter over changes of the configuration, and its text also over the end of the process. What is done with
 * it is in [LetterModel].
 */
class LetterViewModel(
    application: Application,
    private val saved: SavedStateHandle,
) : AndroidViewModel(application),
    LetterActions {
    private val model = LetterModel(viewModelScope, (application as WhimbrelApplication).container.letterSender)

    val state: StateFlow<LetterState> = model.state

    /** Whether the letter is on the screen, in place of the conversation. */
    var isOpen: Boolean by mutableStateOf(saved[OPEN] ?: false)
        private set

    /** Not part of a flow: a text field must see what it wrote at once. */
    var letter: String by mutableStateOf(saved[LETTER] ?: SAMPLE_LETTER)
        private set

    fun open() = show(true)

    override fun leave() {
        model.forget()
        show(false)
    }

    override fun write(text: String) {
        letter = text.take(LETTER_CHARACTERS_MAX)
        saved[LETTER] = letter
        // What is shown belongs to the letter above it.
        model.forget()
    }

    override fun writeSample() = write(SAMPLE_LETTER)

    override fun send() = model.send(letter)

    override fun cancel() = model.forget()

    private fun show(isOpen: Boolean) {
        this.isOpen = isOpen
        saved[OPEN] = isOpen
    }

    companion object {
        /** Characters of a letter: a page or two. */
        const val LETTER_CHARACTERS_MAX: Int = 4_096

        private const val LETTER = "letter"
        private const val OPEN = "letter_open"
    }
}
