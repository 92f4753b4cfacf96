// scripts/bindings-values.py writes this from bindings/ffi/src/vault.rs: change that, then run  make bindings.
package org.whimbrel

/** How the secrets of a vault are protected, from weakest to strongest. */
public enum class VaultLevel {
    /** In this process's memory only. */
    MEMORY,

    /** By the permissions of a file. */
    FILE,

    /** By the operating system's key store, in software. */
    SOFTWARE,

    /** By hardware that never reveals its key. */
    HARDWARE,
}
