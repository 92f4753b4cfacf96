package org.whimbrel.app

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject
import org.whimbrel.PlaceKind
import org.whimbrel.PrivacyClass
import org.whimbrel.android.FileMoves
import java.io.File
import java.io.IOException
import kotlin.time.Duration.Companion.milliseconds

/**
 * Keeps the conversation in one small JSON file, which is replaced as a whole: whenever the process dies, the file is
 * one that was written completely. Its functions block.
 */
class ConversationStore(
    private val file: File,
) {
    /** A file that cannot be read and could not be put aside stays, so nothing is written in its place. */
    private var isStuck = false

    /** The file is there but is not a conversation. It was put aside. */
    class Unreadable : Exception("the file of the conversation cannot be read")

    /**
     * The messages of the file, none where there is no file. An answer without an end was cut off by the end of the
     * process.
     *
     * @throws Unreadable when the file is damaged, of a newer version or larger than [FILE_BYTES_MAX].
     */
    @Synchronized
    fun read(): List<ChatMessage> {
        if (!file.exists()) return emptyList()
        try {
            if (file.length() > FILE_BYTES_MAX) throw Unreadable()
            val root = JSONObject(file.readText())
            if (root.getInt(VERSION_KEY) != VERSION) throw Unreadable()
            val messages = root.getJSONArray("messages")
            return List(messages.length()) { messages.getJSONObject(it).toMessage(it.toLong()) }
        } catch (error: JSONException) {
            throw aside()
        } catch (error: IOException) {
            throw aside()
        } catch (error: IllegalArgumentException) {
            throw aside()
        } catch (error: Unreadable) {
            throw aside()
        }
    }

    /**
     * Replaces the file. [messages] is called when it is this call's turn, so that of two calls the later state wins.
     *
     * @throws IOException when the file cannot be written; the one before is then still there.
     */
    @Synchronized
    fun write(messages: () -> List<ChatMessage>) {
        if (isStuck) throw IOException("the conversation before cannot be put aside")
        val kept = JSONArray(messages().takeLast(MESSAGES_MAX).map { it.toJson() })
        val part = File(file.path + ".part")
        file.absoluteFile.parentFile?.mkdirs()
        part.writeText(JSONObject().put(VERSION_KEY, VERSION).put("messages", kept).toString())
        FileMoves.replace(part, file)
    }

    /** The user's words are not thrown away because this version cannot read them. */
    private fun aside(): Unreadable {
        try {
            FileMoves.moveAside(file, File(file.path + ".unreadable"))
        } catch (error: IOException) {
            isStuck = true
        }
        return Unreadable()
    }

    companion object {
        /** Messages that are kept; older ones are forgotten. Even: a question and its answer stay together. */
        const val MESSAGES_MAX: Int = 500

        /** A larger file is not read. The largest that is written stays far below. */
        const val FILE_BYTES_MAX: Long = 64L shl 20

        private const val VERSION = 1
        private const val VERSION_KEY = "version"

        private fun ChatMessage.toJson(): JSONObject =
            when (this) {
                is ChatMessage.Question -> JSONObject().put("question", text).put(privacy)
                is ChatMessage.Answer -> toJson()
            }

        private fun ChatMessage.Answer.toJson(): JSONObject =
            JSONObject().put("answer", text).also { json ->
                ending?.let { json.put("ending", it.name.lowercase()) }
                figures?.let {
                    json.put("tokens", it.tokens)
                    json.put("total_ms", it.total.inWholeMilliseconds)
                    json.put("tokens_per_second", it.tokensPerSecond)
                    json.put("dropped_messages", it.droppedMessages)
                }
                provenance?.let {
                    json.put("place", it.place.name.lowercase())
                    json.put("place_name", it.name)
                    json.put("receipt", it.receipt)
                    json.put("summary", it.summary)
                    json.put("bytes_out", it.bytesOut)
                }
                json.put(privacy)
            }

        private fun JSONObject.put(privacy: Privacy?): JSONObject {
            privacy?.privacyClass?.let { put("class", it.name.lowercase()) }
            privacy?.recipients?.let { put("recipients", JSONArray(it)) }
            return this
        }

        private fun JSONObject.toMessage(id: Long): ChatMessage {
            if (has("question")) return ChatMessage.Question(id, getString("question"), toPrivacy())
            return ChatMessage.Answer(
                id,
                getString("answer"),
                if (has("ending")) Ending.valueOf(getString("ending").uppercase()) else Ending.INTERRUPTED,
                if (has("tokens")) toFigures() else null,
                if (has("receipt")) toProvenance() else null,
                toPrivacy(),
            )
        }

        /** Files of earlier versions say nothing of it. */
        private fun JSONObject.toPrivacy(): Privacy? {
            if (!has("class") && !has("recipients")) return null
            val recipients = optJSONArray("recipients")
            return Privacy(
                privacyClass = if (has("class")) PrivacyClass.valueOf(getString("class").uppercase()) else null,
                recipients = recipients?.let { names -> List(names.length()) { names.getString(it) } },
            )
        }

        private fun JSONObject.toProvenance() =
            Provenance(
                place = PlaceKind.valueOf(getString("place").uppercase()),
                name = getString("place_name"),
                receipt = getLong("receipt"),
                summary = getString("summary"),
                bytesOut = getLong("bytes_out"),
            )

        private fun JSONObject.toFigures() =
            Figures(
                tokens = getInt("tokens"),
                total = getLong("total_ms").milliseconds,
                tokensPerSecond = getDouble("tokens_per_second"),
                droppedMessages = getInt("dropped_messages"),
            )
    }
}
