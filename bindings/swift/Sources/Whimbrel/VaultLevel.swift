// scripts/bindings-values.py writes this from bindings/ffi/src/vault.rs: change that, then run  make bindings.

/// How the secrets of a vault are protected, from weakest to strongest.
public enum VaultLevel: Sendable, Hashable, CaseIterable {
    /// In this process's memory only.
    case memory
    /// By the permissions of a file.
    case file
    /// By the operating system's key store, in software.
    case software
    /// By hardware that never reveals its key.
    case hardware
}
