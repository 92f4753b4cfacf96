package org.whimbrel.android

import java.io.File
import java.io.IOException
import java.nio.file.FileAlreadyExistsException
import java.nio.file.FileVisitResult
import java.nio.file.Files
import java.nio.file.LinkOption.NOFOLLOW_LINKS
import java.nio.file.NoSuchFileException
import java.nio.file.Path
import java.nio.file.SimpleFileVisitor
import java.nio.file.StandardCopyOption.ATOMIC_MOVE
import java.nio.file.attribute.BasicFileAttributes

/**
 * Renames of files and folders that lose nothing. Everything in the package and its app that renames does it here. A
 * rename happens in one step, even if the process dies.
 */
public object FileMoves {
    /** How many names [moveAside] tries. */
    private const val NAMES_MAX = 1_000

    /**
     * Gives the file [from] the name [to], and replaces the file that has this name. A folder with this name stays.
     *
     * @throws IOException when the file cannot be renamed. Nothing was changed then.
     */
    public fun replace(
        from: File,
        to: File,
    ) {
        Files.move(from.toPath(), to.toPath(), ATOMIC_MOVE)
    }

    /**
     * Gives a file or a folder the name [to], unless something has this name. An empty folder counts as nothing when a
     * folder takes its place.
     *
     * @throws FileAlreadyExistsException when something has this name, even if it appeared a moment ago.
     * @throws IOException when it cannot be renamed. Nothing was changed then.
     */
    public fun moveNew(
        from: File,
        to: File,
    ) {
        val (source, target) = from.toPath() to to.toPath()
        if (!from.isThere()) throw NoSuchFileException(from.path)
        // The system replaces a file, but of folders only an empty one: the name of a file is claimed first.
        if (!from.isFolder()) Files.createFile(target)
        try {
            Files.move(source, target, ATOMIC_MOVE)
        } catch (error: IOException) {
            throw if (to.isThere()) FileAlreadyExistsException(to.path).apply { initCause(error) } else error
        }
    }

    /**
     * Gives a file or a folder the name [to], or, when something has this name, the first free one of `to2`, `to3` and
     * so on. Returns the name.
     *
     * @throws IOException when it cannot be renamed. Nothing was changed then.
     */
    public fun moveAside(
        from: File,
        to: File,
    ): File {
        for (number in 1..NAMES_MAX) {
            val name = if (number == 1) to else File(to.path + number)
            try {
                moveNew(from, name)
                return name
            } catch (error: FileAlreadyExistsException) {
                continue
            }
        }
        throw FileAlreadyExistsException(to.path)
    }

    /**
     * Deletes the files in a folder whose path in it is one of [which], and the folders that are empty then. Links are
     * deleted and not followed.
     */
    internal fun delete(
        folder: File,
        which: (String) -> Boolean,
    ) {
        if (folder.isThere()) Files.walkFileTree(folder.toPath(), Deletion(folder.toPath(), which))
    }

    private class Deletion(
        private val root: Path,
        private val which: (String) -> Boolean,
    ) : SimpleFileVisitor<Path>() {
        override fun visitFile(
            file: Path,
            attributes: BasicFileAttributes,
        ): FileVisitResult {
            if (which(root.relativize(file).joinToString("/"))) Files.delete(file)
            return FileVisitResult.CONTINUE
        }

        override fun postVisitDirectory(
            folder: Path,
            error: IOException?,
        ): FileVisitResult {
            if (error != null) throw error
            if (folder.toFile().isEmptyFolder()) Files.delete(folder)
            return FileVisitResult.CONTINUE
        }
    }
}

/** Whether something has this name, be it a link to nothing. */
internal fun File.isThere(): Boolean = Files.exists(toPath(), NOFOLLOW_LINKS)

/** Whether this is a folder, and not a link to one. */
internal fun File.isFolder(): Boolean = Files.isDirectory(toPath(), NOFOLLOW_LINKS)

internal fun File.isEmptyFolder(): Boolean = isFolder() && list()?.isEmpty() == true
