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
import java.nio.file.FileAlreadyExistsException
import java.nio.file.Files

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
 * Only what the installer put there is replaced or deleted. The model has the name `installed` in the folder, and a list
 * of its files is kept with them. Something else with this name stays, and so does a file that was added to the model:
 * it is kept in a folder `installed.kept`. Only the installer uses the folder `.installed.whimbrel`, in which it works.
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
    private val work = File(folder, ".installed.whimbrel")

    /** What is being copied. */
    private val part = File(work, "new")

    /** What changes places with the copy. */
    private val aside = File(work, "aside")

    /** What is being deleted. It is never put back. */
    private val gone = File(work, "gone")

    /** The steps in which tests let something happen. */
    internal enum class Step { COPIED, CHECKED, ASIDE }

    internal var onStep: (Step) -> Unit = {}

    /**
     * The folder of the installed model, or `null`. Also cleans up after an installation during which the process died.
     */
    public suspend fun installed(): File? =
        withContext(io) {
            recover()
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
                exchange(files)
            } finally {
                recover()
            }
        }.conflate().flowOn(io)

    /** Removes the installed model. Close it first. Fails with [InstallException] if it cannot be removed. */
    public suspend fun remove(): Unit =
        withContext(io) {
            recover()
            work.mkdirs()
            try {
                // Under another name first: a folder that is half removed must not look like a model.
                writing { if (takeAside()) discard() }
            } finally {
                recover()
            }
        }

    private fun list(source: ModelSource): List<ModelFile> {
        val files = reading { source.files() }
        if (files.size > FILES_MAX) throw InstallException.TooManyFiles(FILES_MAX)
        if (files.none { it.path == MANIFEST }) throw InstallException.NotAModel()
        if (files.any { file -> !isWithin(file.path) }) throw InstallException.SourceUnreadable(null)
        return files
    }

    private fun prepare(neededBytes: Long) {
        recover()
        if (!part.mkdirs()) throw InstallException.NotWritable(null)
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

    private fun exchange(files: List<ModelFile>) =
        writing {
            File(part, LIST).writeText(files.joinToString("\n") { it.path })
            onStep(Step.COPIED)
            val hasOld = takeAside()
            onStep(Step.ASIDE)
            try {
                FileMoves.moveNew(part, installed)
            } catch (error: FileAlreadyExistsException) {
                throw InstallException.Occupied(error)
            }
            if (hasOld) discard()
        }

    /** Moves the installed model out of its place. Returns whether there was one. */
    private fun takeAside(): Boolean {
        if (installed.isVacant()) return false
        if (!installed.isOwn()) throw InstallException.Occupied(null)
        onStep(Step.CHECKED)
        FileMoves.moveNew(installed, aside)
        // Something else may have had the place by then. It is put back in the end.
        if (!aside.isOwn()) throw InstallException.Occupied(null)
        return true
    }

    /** Deletes the model that was taken aside. */
    private fun discard() {
        FileMoves.moveNew(aside, gone)
        purge()
    }

    /** Deletes the model's files, its list last. What remains is somebody else's and is kept. */
    private fun purge() {
        val list = File(gone, LIST)
        val files = if (list.isFile) list.readLines().toSet() + VERIFIED - LIST else emptySet()
        FileMoves.delete(gone) { it in files }
        FileMoves.delete(gone) { it == LIST }
        if (gone.isThere()) FileMoves.moveAside(gone, File(folder, "installed.kept"))
    }

    /** Cleans up after a failed attempt or a dead process. If the system does not let it, the next call tries again. */
    private fun recover() {
        try {
            FileMoves.delete(part) { true }
            if (gone.isThere()) purge()
            if (aside.isThere()) {
                if (installed.isVacant()) FileMoves.moveNew(aside, installed)
                // Both are models: the process died before the old one was deleted.
                if (aside.isOwn() && installed.isOwn()) discard()
            }
            if (work.isEmptyFolder()) Files.delete(work.toPath())
        } catch (error: IOException) {
            // An installation that this hinders says so.
        }
    }

    private fun File.isOwn() = isFolder() && File(this, LIST).isFile

    private fun File.isVacant() = !isThere() || isEmptyFolder()

    public companion object {
        /** Maximum number of files in a bundle, so that picking another folder by mistake does not copy all of it. */
        public const val FILES_MAX: Int = 64

        /** Maximum depth of nested folders. */
        public const val FOLDERS_DEEP_MAX: Int = 4

        /** The space that is left free for the system. */
        public const val SPARE_BYTES: Long = 64L shl 20

        private const val MANIFEST = "manifest.json"

        /** The names of the files that were copied, in the model's folder. */
        private const val LIST = ".installed-files"

        /** What the core adds to a model: a record of the files that it verified. */
        private const val VERIFIED = ".verified.json"
        private const val BUFFER_BYTES = 1 shl 18

        /** The end of a name for the system, and the end of one in the list. */
        private const val UNFIT_CHARACTERS = "\u0000\n\r"

        /** A provider of documents chooses their names: none may lead out of the folder. */
        private fun isWithin(path: String) =
            path.split('/').none {
                it.isEmpty() || it == "." || it == ".." || it.any { character -> character in UNFIT_CHARACTERS }
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
