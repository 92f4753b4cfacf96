package org.whimbrel.android

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.withContext
import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.io.InputStream

/**
 * The progress of an installation.
 *
 * @property doneBytes bytes copied.
 * @property totalBytes bytes to copy; `null` if the source does not know.
 */
public data class InstallProgress(
    public val doneBytes: Long,
    public val totalBytes: Long?,
)

/**
 * Stores one installed model in the app's own folder. It copies the files without validating them: the core checks
 * every byte of a bundle before its first use. An installed model is always complete: a copy is moved to its place only
 * when it is complete, even if the process dies during the copy.
 *
 * @param folder where the model is stored, preferably in `Context.getNoBackupFilesDir()`, because a model is too large
 *   for a backup.
 * @param io the dispatcher for reading and writing files.
 * @param freeBytes returns the free space for the folder.
 */
public class ModelInstaller(
    private val folder: File,
    private val io: CoroutineDispatcher = Dispatchers.IO,
    private val freeBytes: (File) -> Long = File::getUsableSpace,
) {
    private val installed = File(folder, "installed")
    private val part = File(folder, "installed.part")
    private val replaced = File(folder, "installed.old")

    /**
     * The folder of the installed model, or `null`. Also cleans up after an installation during which the process died.
     */
    public suspend fun installed(): File? =
        withContext(io) {
            part.deleteRecursively()
            // The process died between the two renames of an exchange.
            if (!installed.isDirectory && replaced.isDirectory) replaced.renameTo(installed)
            replaced.deleteRecursively()
            installed.takeIf { File(it, MANIFEST).isFile }
        }

    /**
     * Copies a bundle and replaces the installed model with it. Collecting the flow starts the copy. Cancelling the
     * collection stops it and leaves everything unchanged, unless the copy was already complete. The flow fails with
     * [InstallException].
     */
    public fun install(source: ModelSource): Flow<InstallProgress> =
        flow {
            val files = list(source)
            val total = files.map { it.bytes }.takeIf { null !in it }?.sumOf { it ?: 0 }
            try {
                prepare(files.sumOf { it.bytes ?: 0 })
                var done = 0L
                emit(InstallProgress(done, total))
                for (file in files) done = copy(source, file, done, total)
                exchange()
            } finally {
                part.deleteRecursively()
            }
        }.conflate().flowOn(io)

    /** Removes the installed model. Close it first. */
    public suspend fun remove(): Unit =
        withContext(io) {
            // Renamed first: a folder that is half removed must not look like a model.
            if (installed.renameTo(replaced)) replaced.deleteRecursively()
            if (installed.exists()) throw InstallException.NotWritable(null)
        }

    private fun list(source: ModelSource): List<ModelFile> {
        val files = reading { source.files() }
        if (files.size > FILES_MAX) throw InstallException.TooManyFiles(FILES_MAX)
        if (files.none { it.path == MANIFEST }) throw InstallException.NotAModel()
        if (files.any { file -> !isWithin(file.path) }) throw InstallException.SourceUnreadable(null)
        return files
    }

    private fun prepare(neededBytes: Long) {
        if (!part.deleteRecursively() || !part.mkdirs()) throw InstallException.NotWritable(null)
        val needed = neededBytes + SPARE_BYTES
        val free = freeBytes(folder)
        if (free < needed) throw InstallException.NoSpace(needed, free)
    }

    /** Copies one file and returns the number of bytes of all files copied so far. */
    private suspend fun FlowCollector<InstallProgress>.copy(
        source: ModelSource,
        file: ModelFile,
        doneBefore: Long,
        total: Long?,
    ): Long {
        var done = doneBefore
        val target = File(part, file.path)
        writing { target.parentFile?.mkdirs() }
        reading { source.open(file) }.use { input ->
            writing { FileOutputStream(target) }.use { output ->
                val buffer = ByteArray(BUFFER_BYTES)
                while (true) {
                    val count = reading { input.read(buffer) }
                    if (count < 0) break
                    writing { output.write(buffer, 0, count) }
                    done += count
                    emit(InstallProgress(done, total))
                }
                writing { output.fd.sync() }
            }
        }
        if (file.bytes != null && done - doneBefore != file.bytes) throw InstallException.SourceUnreadable(null)
        return done
    }

    private fun exchange() {
        replaced.deleteRecursively()
        if (installed.exists() && !installed.renameTo(replaced)) throw InstallException.NotWritable(null)
        if (!part.renameTo(installed)) {
            replaced.renameTo(installed)
            throw InstallException.NotWritable(null)
        }
        replaced.deleteRecursively()
    }

    public companion object {
        /** Maximum number of files in a bundle, so that picking another folder by mistake does not copy all of it. */
        public const val FILES_MAX: Int = 64

        /** Maximum depth of nested folders. */
        public const val FOLDERS_DEEP_MAX: Int = 4

        /** The space that is left free for the system. */
        public const val SPARE_BYTES: Long = 64L shl 20

        private const val MANIFEST = "manifest.json"
        private const val BUFFER_BYTES = 1 shl 18

        /** A provider of documents chooses their names: none may lead out of the folder. */
        private fun isWithin(path: String) =
            path.split('/').none {
                it.isEmpty() || it == "." || it == ".." ||
                    '\u0000' in it
            }

        private inline fun <T> reading(call: () -> T): T =
            try {
                call()
            } catch (error: IOException) {
                throw InstallException.SourceUnreadable(error)
            } catch (error: SecurityException) {
                // The permission for a picked folder does not outlive everything.
                throw InstallException.SourceUnreadable(error)
            }

        private inline fun <T> writing(call: () -> T): T =
            try {
                call()
            } catch (error: IOException) {
                throw InstallException.NotWritable(error)
            }
    }
}
