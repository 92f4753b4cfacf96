package org.whimbrel

import com.sun.jna.Native
import com.sun.jna.NativeLibrary
import com.sun.jna.Platform
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.runBlocking
import org.whimbrel.ffi.uniffiEnsureInitialized
import java.io.File

// How the native library is loaded, and what to do when it cannot be. The generated code would load it by itself, but
// on the caller's thread and with errors that give no advice.

/** The native library, which is loaded once in a process: that takes a quarter of a second, so the caller's thread does not wait. */
internal object CoreLibrary {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.IO)
    private val loading: Deferred<Unit> = scope.async(start = CoroutineStart.LAZY) { loadLibrary() }

    /** Loads the library, or waits until it is loaded. Every call fails with the same [WhimbrelException.Library] when it cannot be. */
    suspend fun load(): Unit = loading.await()

    /** As [load], and holds the caller's thread meanwhile. */
    fun loadNow(): Unit = runBlocking { load() }

    /** Starts [work] in the background, with the library loaded. */
    fun <T> begin(work: () -> T): Deferred<T> =
        scope.async {
            load()
            work()
        }

    /** Runs [work] when the library is loaded, which may be at once. It does not have the library loaded. */
    fun whenLoaded(work: () -> Unit) {
        loading.invokeOnCompletion { failure -> if (failure == null) work() }
    }
}

private const val LIBRARY_NAME = "whimbrel"

private fun loadLibrary() {
    try {
        uniffiEnsureInitialized()
    } catch (error: LinkageError) {
        throw libraryError(error)
    }
}

private fun libraryError(error: LinkageError): WhimbrelException.Library =
    when {
        !succeeds { Native.POINTER_SIZE } -> unloadable(JNA_ADVICE, error)
        succeeds { NativeLibrary.getInstance(LIBRARY_NAME, CoreLibrary::class.java.classLoader) } -> otherVersion(error)
        isFound() -> unloadable(unloadableAdvice(), error)
        else -> WhimbrelException.Library("missing", missingAdvice(), error)
    }

private fun succeeds(call: () -> Unit): Boolean =
    try {
        call()
        true
    } catch (_: LinkageError) {
        false
    }

private val libraryFile: String
    get() = System.mapLibraryName(LIBRARY_NAME)

/** Where JNA looks for the library on the class path. */
private val libraryResource: String
    get() = "${Platform.RESOURCE_PREFIX}/$libraryFile"

private fun isFound(): Boolean {
    val folders = System.getProperty("jna.library.path").orEmpty().split(File.pathSeparator)
    return folders.any { it.isNotEmpty() && File(it, libraryFile).exists() } ||
        CoreLibrary::class.java.classLoader?.getResource(libraryResource) != null
}

private fun missingAdvice(): String =
    if (Platform.isAndroid()) {
        "the APK has no $libraryFile for ${Platform.RESOURCE_PREFIX}: build the app with the library for this " +
            "processor, and check abiFilters and splits"
    } else {
        "the class path has no $libraryResource, and no folder of the system property jna.library.path has " +
            "$libraryFile: run `make packages` on a machine of this kind (${Platform.RESOURCE_PREFIX}) and depend on " +
            "that org.whimbrel:whimbrel, or set -Djna.library.path to the folder with $libraryFile"
    }

private fun unloadableAdvice(): String =
    "$libraryFile was found, but ${Platform.RESOURCE_PREFIX} cannot load it: it is damaged, built for another " +
        "processor, or needs a newer C library; run `make packages` on a machine of this kind. " +
        "If the system forbids programs in its temporary folder, set -Djna.tmpdir to another one"

private const val JNA_ADVICE =
    "JNA (net.java.dev.jna:jna), which loads the library, cannot be loaded itself: check that it is on the class " +
        "path in version 5.18 or newer, on Android as an AAR (jna@aar)"

private fun unloadable(
    advice: String,
    error: LinkageError,
) = WhimbrelException.Library("unloadable", advice, error)

private fun otherVersion(error: LinkageError) =
    WhimbrelException.Library(
        "other_version",
        "$libraryFile is of another version than this package: use the one that was built with it, and look for " +
            "older copies in the folders of jna.library.path, which are searched before the class path",
        error,
    )
