package org.whimbrel.android

/** Why a model could not be installed. No message contains the name of a user's file. */
public sealed class InstallException(
    message: String,
    cause: Throwable?,
) : Exception(message, cause) {
    /** There is no `manifest.json`: the source is not a model bundle. */
    public class NotAModel internal constructor() : InstallException("there is no manifest.json", null)

    /** There are more than [limit] files: the source is not a model bundle. */
    public class TooManyFiles internal constructor(
        public val limit: Int,
    ) : InstallException("more than $limit files", null)

    /** The model needs [neededBytes], including a reserve for the system; [freeBytes] are free. */
    public class NoSpace internal constructor(
        public val neededBytes: Long,
        public val freeBytes: Long,
    ) : InstallException("$neededBytes bytes needed, $freeBytes free", null)

    /** The source cannot be read, or provided more or fewer bytes than announced. */
    public class SourceUnreadable internal constructor(
        cause: Throwable?,
    ) : InstallException("the source cannot be read", cause)

    /** The app's own folder is not writable. */
    public class NotWritable internal constructor(
        cause: Throwable?,
    ) : InstallException("the folder for models cannot be written", cause)

    /** Something that the installer did not put there has the place of the model. It stays as it is. */
    public class Occupied internal constructor(
        cause: Throwable?,
    ) : InstallException("something else has the place of the model", cause)
}
