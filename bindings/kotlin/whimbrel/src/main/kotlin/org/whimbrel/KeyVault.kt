package org.whimbrel

import java.util.concurrent.ConcurrentHashMap
import org.whimbrel.ffi.KeyVault as CoreKeyVault
import org.whimbrel.ffi.KeyVaultException as CoreKeyVaultException
import org.whimbrel.ffi.VaultLevel as CoreVaultLevel

/**
 * A key vault did not do what it was asked.
 *
 * @property code a short code of the system's, without any secret in it.
 * @property isLocked whether the system's key store is only locked for now.
 */
public class KeyVaultException(
    public val code: String,
    public val isLocked: Boolean = false,
    cause: Throwable? = null,
) : Exception(code, cause)

/**
 * Keeps small secrets by name, for the app and for one ledger: keys of endpoints, and what the ledger is sealed with. It is called from
 * any thread and should answer within milliseconds. Every function may throw a [KeyVaultException]; what else it throws counts as a
 * failure without a code.
 */
public interface KeyVault {
    /** What protects the secrets. */
    public val level: VaultLevel

    /** The secret of this name, or `null` when there is none. A secret that cannot be read is an exception. */
    public fun get(name: String): ByteArray?

    /** Keeps a secret, in place of the one that had this name. When it has returned, the secret survives a crash. */
    public fun put(
        name: String,
        secret: ByteArray,
    )

    /** Forgets a secret. It is no error when there is none. */
    public fun delete(name: String)
}

/** A vault that forgets everything with the process. For tests: a ledger cannot be opened again without its vault. */
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
            throw if (error.isLocked) CoreKeyVaultException.Locked() else CoreKeyVaultException.Failed(error.code)
        }
}
