package org.whimbrel

import kotlinx.coroutines.runBlocking
import java.io.File

// A program for KeptTest: an app that ends while it has something to keep.

/**
 * `queue FOLDER URL QUESTION` asks without a network and ends at once; `answer FOLDER URL QUESTION` begins an answer and waits to be killed.
 * Both print the conversation's id.
 */
fun main(arguments: Array<String>): Unit =
    runBlocking {
        val (command, folder, url, question) = arguments
        val phone = Phone(File(folder), url)
        val assistant = phone.start(if (command == "queue") Network.OFFLINE else Network.UNMETERED)
        val conversation = assistant.conversations.create()
        println(conversation.id)
        if (command == "queue") {
            val report = conversation.reportOf(question)
            println("${report.outcome} ${report.queued} ${report.isKept}")
        } else {
            conversation.ask(question).collect { event ->
                // The answer is on the disk soon after it began.
                while (event is Event.Text) {
                    val kept = assistant.conversations.show(checkNotNull(conversation.id))
                    val answer = kept.messages.last()
                    if (answer.content.isNotEmpty()) println(answer.state)
                    Thread.sleep(PAUSE_MS)
                }
            }
        }
        // As the system ends an app: nothing is closed.
        Runtime.getRuntime().halt(0)
    }

private const val PAUSE_MS = 50L
