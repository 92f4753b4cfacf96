// scripts/bindings-values.py writes this from bindings/ffi/src/model_file.rs: change that, then run  make bindings.

/// What an import is doing.
public enum ImportPhase: Sendable, Hashable, CaseIterable {
    /// Reading the file, to tell whether it was imported before.
    case hashing
    /// Waiting for another import of the same file.
    case waiting
    /// Writing the bundle.
    case writing
}

/// What happens during an import.
public enum ImportEvent: Sendable, Equatable {
    /// It goes on.
    case progress(phase: ImportPhase, done: Int, total: Int)
    /// What people should know of the bundle, such as a chat template that could not be used.
    case notice(text: String)
    /// It ended.
    case finished(path: String)
}
