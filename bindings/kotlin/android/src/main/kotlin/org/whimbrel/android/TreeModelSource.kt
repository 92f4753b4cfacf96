package org.whimbrel.android

import android.content.ContentResolver
import android.net.Uri
import android.provider.DocumentsContract
import android.provider.DocumentsContract.Document
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream

/** A bundle in a folder that the user picked with `ACTION_OPEN_DOCUMENT_TREE`. */
public class TreeModelSource(
    private val resolver: ContentResolver,
    private val tree: Uri,
) : ModelSource {
    private val documents = mutableMapOf<String, String>()

    override fun files(): List<ModelFile> =
        buildList {
            documents.clear()
            list(DocumentsContract.getTreeDocumentId(tree), "", this)
        }

    override fun open(file: ModelFile): InputStream {
        val document = documents[file.path] ?: throw FileNotFoundException(file.path)
        return resolver.openInputStream(DocumentsContract.buildDocumentUriUsingTree(tree, document))
            ?: throw FileNotFoundException(file.path)
    }

    private fun list(
        folder: String,
        path: String,
        files: MutableList<ModelFile>,
    ) {
        val children = DocumentsContract.buildChildDocumentsUriUsingTree(tree, folder)
        val rows = resolver.query(children, COLUMNS, null, null, null) ?: throw IOException("cannot list the folder")
        rows.use {
            while (rows.moveToNext() && files.size <= ModelInstaller.FILES_MAX) {
                val document = rows.getString(0)
                val inner = if (path.isEmpty()) rows.getString(1) else "$path/${rows.getString(1)}"
                if (rows.getString(2) == Document.MIME_TYPE_DIR) {
                    if (inner.count { it == '/' } < ModelInstaller.FOLDERS_DEEP_MAX) list(document, inner, files)
                } else {
                    documents[inner] = document
                    files += ModelFile(inner, if (rows.isNull(SIZE)) null else rows.getLong(SIZE))
                }
            }
        }
    }

    private companion object {
        val COLUMNS =
            arrayOf(
                Document.COLUMN_DOCUMENT_ID,
                Document.COLUMN_DISPLAY_NAME,
                Document.COLUMN_MIME_TYPE,
                Document.COLUMN_SIZE,
            )
        const val SIZE = 3
    }
}
