// scripts/bindings-values.py writes this from bindings/ffi/src/model_file.rs: change that, then run  make bindings.
package org.whimbrel

/** What an import is doing. */
public enum class ImportPhase {
    /** Reading the file, to tell whether it was imported before. */
    HASHING,

    /** Waiting for another import of the same file. */
    WAITING,

    /** Writing the bundle. */
    WRITING,
}

/** What happens during an import. */
public sealed interface ImportEvent {
    /**
     * It goes on.
     *
     * @property phase what is being done.
     * @property done bytes that this phase has processed.
     * @property total all bytes of this phase; 0 while waiting.
     */
    public data class Progress(
        public val phase: ImportPhase,
        public val done: Long,
        public val total: Long,
    ) : ImportEvent

    /**
     * What people should know of the bundle, such as a chat template that could not be used.
     *
     * @property text the sentence.
     */
    public data class Notice(
        public val text: String,
    ) : ImportEvent

    /**
     * It ended.
     *
     * @property path the bundle's folder, from which the model can be opened.
     */
    public data class Finished(
        public val path: String,
    ) : ImportEvent
}
