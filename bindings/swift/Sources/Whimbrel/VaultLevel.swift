// scripts/bindings-values.py writes this from bindings/ffi/src/vault.rs: change that, then run  make bindings.

/// What protects the secrets of a vault, from the weakest to the strongest.
public enum VaultLevel: Sendable, Hashable, CaseIterable {
    /// Nothing but this process's memory.
    case memory
    /// The permissions of a file.
    case file
    /// The operating system's key store, in software.
    case software
    /// Hardware that does not give its key away.
    case hardware
}
