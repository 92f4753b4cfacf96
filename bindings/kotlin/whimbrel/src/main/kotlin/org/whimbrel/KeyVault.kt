package org.whimbrel

import java.util.concurrent.ConcurrentHashMap
import org.whimbrel.ffi.KeyVault as CoreKeyVault
import org.whimbrel.ffi.KeyVaultException as CoreKeyVaultException
import org.whimbrel.ffi.VaultLevel as CoreVaultLevel

/**
 * A call to a key vault failed.
 *
 * @property code a short error code of the system, without any secret in it.
 * @property isLocked whether the system's key store is only temporarily locked, for example before the first unlock.
 * @property isInvalidated whether the system's key store has given up its key, for example because the phone's lock was
 *   removed. The secrets are lost for good.
 */
public class KeyVaultException(
    public val code: String,
    public val isLocked: Boolean = false,
    public val isInvalidated: Boolean = false,
    cause: Throwable? = null,
) : Exception(code, cause)

/**
 * Stores small secrets by name for the app and one store: the keys of endpoints, and those that seal the ledger and
 * conversations. It is called from any thread and should answer within milliseconds. Every function may throw a [KeyVaultException]; any
 * other exception counts as a failure without a code.
 */
public interface KeyVault {
    /** How the secrets are protected. */
    public val level: VaultLevel

    /** Returns the secret with this name, or `null` if there is none. Throws if the secret cannot be read. */
    public fun get(name: String): ByteArray?

    /** Stores a secret, replacing the one with this name. When it has returned, the secret survives a crash. */
    public fun put(
        name: String,
        secret: ByteArray,
    )

    /** Deletes a secret. Succeeds if there is none. */
    public fun delete(name: String)
}

/** A vault whose content is lost with the process. For tests: a store cannot be opened again without its vault. */
public class MemoryKeyVault : KeyVault {
    private val secrets = ConcurrentHashMap<String, ByteArray>()

    override val level: VaultLevel = VaultLevel.MEMORY

    override fun get(name: String): ByteArray? = secrets[name]?.copyOf()

    override fun put(
        name: String,
        secret: ByteArray,
    ) {
        secrets[name] = secret.copyOf()
    }

    override fun delete(name: String) {
        secrets.remove(name)
    }
}

/** An app's vault, as the core sees it. */
internal class ForeignVault(
    private val vault: KeyVault,
) : CoreKeyVault {
    override fun get(name: String): ByteArray? = answered { vault.get(name) }

    override fun put(
        name: String,
        secret: ByteArray,
    ): Unit = answered { vault.put(name, secret) }

    override fun delete(name: String): Unit = answered { vault.delete(name) }

    override fun level(): CoreVaultLevel = answered { vault.level.toCore() }

    private inline fun <T> answered(call: () -> T): T =
        try {
            call()
        } catch (error: KeyVaultException) {
            throw when {
                error.isLocked -> CoreKeyVaultException.Locked()
                error.isInvalidated -> CoreKeyVaultException.Invalidated()
                else -> CoreKeyVaultException.Failed(error.code)
            }
        }
}
