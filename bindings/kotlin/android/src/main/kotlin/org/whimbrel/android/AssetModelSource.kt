package org.whimbrel.android

import android.content.res.AssetManager
import java.io.InputStream

/** A bundle that is included in the app, in the folder [folder] of its assets. */
public class AssetModelSource(
    private val assets: AssetManager,
    private val folder: String,
) : ModelSource {
    override fun files(): List<ModelFile> = buildList { list("", this) }

    override fun open(file: ModelFile): InputStream = assets.open("$folder/${file.path}", AssetManager.ACCESS_STREAMING)

    private fun list(
        path: String,
        files: MutableList<ModelFile>,
    ) {
        for (name in assets.list(join(folder, path)).orEmpty()) {
            if (files.size > ModelInstaller.FILES_MAX) return
            val inner = join(path, name)
            // Assets do not tell files from folders; a folder is what lists something.
            if (assets.list(join(folder, inner)).isNullOrEmpty()) {
                files += ModelFile(inner, open(ModelFile(inner, null)).use { it.available().toLong() })
            } else {
                list(inner, files)
            }
        }
    }

    private fun join(
        folder: String,
        name: String,
    ) = if (folder.isEmpty() || name.isEmpty()) folder + name else "$folder/$name"
}
