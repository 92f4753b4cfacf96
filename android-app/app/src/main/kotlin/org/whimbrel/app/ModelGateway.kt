package org.whimbrel.app

import java.io.File

// What the app asks of Whimbrel's package, so that pictures and tests can be made with answers that are always the
// same. WhimbrelGateway is the package behind it.

/** Opens the model of this phone and what is kept on it. Closing it gives back what it opened. */
interface ModelGateway : AutoCloseable {
    /** Opens the bundle in [folder], in place of the model before. */
    suspend fun openModel(folder: File): OpenModel

    /** Opens the bundle in [folder] unless a model is open already, for this gateway or another one of the app. */
    suspend fun needModel(folder: File)

    /** Closes the model, if one is open. */
    suspend fun closeModel()

    /** Opens the conversations and the questions that wait, where that has not happened yet. */
    suspend fun kept(): Kept
}

/**
 * What people see of an open model.
 *
 * @property name its name.
 * @property limits what to know before trusting it, where its bundle says so.
 */
data class OpenModel(
    val name: String,
    val limits: String?,
)
