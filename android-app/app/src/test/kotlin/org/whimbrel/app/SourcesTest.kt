package org.whimbrel.app

import android.content.ContentProvider
import android.content.ContentValues
import android.content.pm.ProviderInfo
import android.content.res.AssetManager
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.DocumentsContract
import android.provider.DocumentsContract.Document
import androidx.test.core.app.ApplicationProvider
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.whimbrel.WhimbrelClient
import org.whimbrel.android.AssetModelSource
import org.whimbrel.android.InstallException
import org.whimbrel.android.ModelFile
import org.whimbrel.android.ModelInstaller
import org.whimbrel.android.ModelSource
import org.whimbrel.android.TreeModelSource
import java.io.File
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream

/** The package's sources that need Android: what comes with an app, and what a user picks. */
@RunWith(RobolectricTestRunner::class)
class SourcesTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private val tiny =
        Bundles.tiny
            .walk()
            .filter { it.isFile }
            .map { ModelFile(it.relativeTo(Bundles.tiny).path, it.length()) }
            .toSet()

    /** Lists, copies and opens: the core finds every byte in its place. */
    private fun check(source: ModelSource) =
        runBlocking {
            assertEquals(tiny, source.files().toSet())
            val installer = ModelInstaller(temporary.newFolder())
            installer.install(source).toList()
            WhimbrelClient().use { assertEquals("Whimbrel Tiny", it.openModel(installer.installed()!!.path).info.name) }
        }

    @Test
    fun `a model that came with the app`() {
        val packed = temporary.newFile("packed.apk")
        ZipOutputStream(packed.outputStream()).use { zip ->
            for (file in tiny) {
                zip.putNextEntry(ZipEntry("assets/models/tiny/${file.path}"))
                zip.write(File(Bundles.tiny, file.path).readBytes())
            }
        }
        // As the system adds the app's own package; not public.
        val assets =
            AssetManager::class.java
                .getDeclaredConstructor()
                .apply { isAccessible = true }
                .newInstance()
        AssetManager::class.java
            .getDeclaredMethod("addAssetPath", String::class.java)
            .apply {
                isAccessible = true
            }.invoke(assets, packed.path)
        check(AssetModelSource(assets, "models/tiny"))
    }

    @Test
    fun `a folder that the user picked`() {
        val tree = provide(Bundles.tiny)
        check(TreeModelSource(resolver(), tree))
    }

    @Test
    fun `a picked folder that is something else`() =
        runBlocking {
            val folder = temporary.newFolder("holiday")
            File(folder, "picture.jpg").writeText("x")
            val source = TreeModelSource(resolver(), provide(folder))
            val error = runCatching { ModelInstaller(temporary.newFolder()).install(source).toList() }.exceptionOrNull()
            assertEquals(InstallException.NotAModel::class.java, error?.javaClass)
        }

    @Test
    fun `a document that was not listed`() {
        val source = TreeModelSource(resolver(), provide(Bundles.tiny))
        assertThrows(java.io.FileNotFoundException::class.java) { source.open(ModelFile("manifest.json", null)) }
    }

    private fun resolver() = ApplicationProvider.getApplicationContext<WhimbrelApplication>().contentResolver

    private fun provide(folder: File): Uri {
        Documents.root = folder
        Robolectric.buildContentProvider(Documents::class.java).create(ProviderInfo().apply { authority = AUTHORITY })
        return DocumentsContract.buildTreeDocumentUri(AUTHORITY, "/")
    }

    /** A provider of documents over a folder, as file managers are. */
    class Documents : ContentProvider() {
        override fun onCreate() = true

        override fun query(
            uri: Uri,
            projection: Array<out String>?,
            selection: String?,
            selectionArgs: Array<out String>?,
            sortOrder: String?,
        ): Cursor {
            val columns = checkNotNull(projection)
            val rows = MatrixCursor(columns)
            // .../tree/{id}/document/{id}/children
            for (file in File(root, uri.pathSegments[3]).listFiles().orEmpty()) {
                val values =
                    mapOf(
                        Document.COLUMN_DOCUMENT_ID to file.relativeTo(root).path,
                        Document.COLUMN_DISPLAY_NAME to file.name,
                        Document.COLUMN_MIME_TYPE to
                            if (file.isDirectory) Document.MIME_TYPE_DIR else "application/octet-stream",
                        Document.COLUMN_SIZE to file.length(),
                    )
                rows.addRow(columns.map { values[it] })
            }
            return rows
        }

        override fun openFile(
            uri: Uri,
            mode: String,
        ): ParcelFileDescriptor =
            ParcelFileDescriptor.open(File(root, uri.pathSegments[3]), ParcelFileDescriptor.MODE_READ_ONLY)

        override fun getType(uri: Uri): String? = null

        override fun insert(
            uri: Uri,
            values: ContentValues?,
        ): Uri? = null

        override fun delete(
            uri: Uri,
            selection: String?,
            selectionArgs: Array<out String>?,
        ) = 0

        override fun update(
            uri: Uri,
            values: ContentValues?,
            selection: String?,
            selectionArgs: Array<out String>?,
        ) = 0

        companion object {
            lateinit var root: File
        }
    }

    private companion object {
        const val AUTHORITY = "org.whimbrel.test.documents"
    }
}
