// scripts/bindings-values.py writes this from bindings/ffi/src/vault.rs: change that, then run  make bindings.
package org.whimbrel

/** What protects the secrets of a vault, from the weakest to the strongest. */
public enum class VaultLevel {
    /** Nothing but this process's memory. */
    MEMORY,

    /** The permissions of a file. */
    FILE,

    /** The operating system's key store, in software. */
    SOFTWARE,

    /** Hardware that does not give its key away. */
    HARDWARE,
}
