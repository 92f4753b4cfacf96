package org.whimbrel.app

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.launch

/** What became of the letter. */
sealed interface LetterState {
    data object Unsent : LetterState

    data object Sending : LetterState

    data class Answered(
        val sent: SentLetter,
    ) : LetterState

    data class Failed(
        val problem: Problem,
    ) : LetterState
}

/** Sends one letter at a time. Its functions are called on one thread, that of [scope]. */
class LetterModel(
    private val scope: CoroutineScope,
    private val sender: LetterSender,
) {
    private val mutable = MutableStateFlow<LetterState>(LetterState.Unsent)
    private var sending: Job? = null

    val state: StateFlow<LetterState> = mutable.asStateFlow()

    /** Sends [letter], unless it is blank or another is on its way. */
    fun send(letter: String) {
        if (letter.isBlank() || state.value is LetterState.Sending) return
        mutable.value = LetterState.Sending
        sending =
            scope.launch {
                val outcome = outcome(letter)
                ensureActive()
                mutable.value = outcome
            }
    }

    /** Forgets what became of the letter. One that is on its way is given up. */
    fun forget() {
        sending?.cancel()
        mutable.value = LetterState.Unsent
    }

    private suspend fun outcome(letter: String): LetterState =
        try {
            LetterState.Answered(sender.send(letter))
        } catch (error: CancellationException) {
            throw error
        } catch (error: Exception) {
            LetterState.Failed(error.toProblem())
        }
}
