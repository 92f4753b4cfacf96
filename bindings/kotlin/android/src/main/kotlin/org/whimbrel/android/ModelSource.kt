package org.whimbrel.android

import java.io.File
import java.io.IOException
import java.io.InputStream

/** A source from which a model bundle is copied. Its functions block and are called on an I/O thread. */
public interface ModelSource {
    /**
     * The files of the bundle, including those in its folders.
     *
     * @throws IOException if they cannot be listed.
     */
    public fun files(): List<ModelFile>

    /**
     * Opens one of [files].
     *
     * @throws IOException if it cannot be read.
     */
    public fun open(file: ModelFile): InputStream
}

/**
 * One file of a bundle.
 *
 * @property path its path within the bundle, such as `q4_1/weights.bin`.
 * @property bytes its size; `null` if the source does not know.
 */
public data class ModelFile(
    public val path: String,
    public val bytes: Long?,
)

/** A bundle in a folder of the file system. */
public class FolderModelSource(
    private val folder: File,
) : ModelSource {
    override fun files(): List<ModelFile> =
        folder
            .walk()
            .filter { it.isFile }
            .take(ModelInstaller.FILES_MAX + 1)
            .map { ModelFile(it.relativeTo(folder).invariantSeparatorsPath, it.length()) }
            .toList()

    override fun open(file: ModelFile): InputStream = File(folder, file.path).inputStream()
}
