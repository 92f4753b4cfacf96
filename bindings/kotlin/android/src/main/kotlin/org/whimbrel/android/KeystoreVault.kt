package org.whimbrel.android

import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyPermanentlyInvalidatedException
import android.security.keystore.KeyProperties
import android.security.keystore.UserNotAuthenticatedException
import org.whimbrel.KeyVault
import org.whimbrel.KeyVaultException
import org.whimbrel.VaultLevel
import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.nio.channels.FileChannel
import java.nio.file.StandardOpenOption
import java.security.GeneralSecurityException
import java.security.KeyStore
import java.security.ProviderException
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

/**
 * A key vault that consists of files, each encrypted (AES in Galois/counter mode) with a key that Android's key store
 * made and never reveals. A secret is bound to its name: it cannot be read from a file with another name.
 *
 * If the system has invalidated the key, reading fails with an error that says so, and the next secret is stored under a
 * new key.
 *
 * @param folder where the files are stored, preferably in `Context.getNoBackupFilesDir()`, because no other device has
 *   the key.
 * @param forgetKey deletes the key, so that another one is created.
 * @param key finds or creates the key.
 */
public class KeystoreVault internal constructor(
    private val folder: File,
    private val forgetKey: () -> Unit = {},
    private val key: () -> SecretKey,
) : KeyVault {
    /** A vault in [folder] that uses the key [alias]. */
    public constructor(folder: File, alias: String) : this(folder, { forgetSystemKey(alias) }, { systemKey(alias) })

    /** Hardware protects the key on most phones, but not on all. */
    override val level: VaultLevel = VaultLevel.SOFTWARE

    @Synchronized
    override fun get(name: String): ByteArray? =
        answered {
            val file = File(folder, name)
            if (!file.exists()) return null
            val bytes = file.readBytes()
            if (bytes.size <= NONCE_BYTES + TAG_BITS / Byte.SIZE_BITS) throw KeyVaultException("too-short")
            cipher(name, Cipher.DECRYPT_MODE, GCMParameterSpec(TAG_BITS, bytes, 0, NONCE_BYTES))
                .doFinal(bytes, NONCE_BYTES, bytes.size - NONCE_BYTES)
        }

    @Synchronized
    override fun put(
        name: String,
        secret: ByteArray,
    ): Unit =
        answered {
            // The key store chooses the nonce.
            val cipher =
                try {
                    cipher(name, Cipher.ENCRYPT_MODE, null)
                } catch (_: KeyPermanentlyInvalidatedException) {
                    // Nothing that it encrypted can be read any more.
                    forgetKey()
                    cipher(name, Cipher.ENCRYPT_MODE, null)
                }
            val encrypted = cipher.doFinal(secret)
            folder.mkdirs()
            val part = File(folder, ".$name.part")
            FileOutputStream(part).use { stream ->
                stream.write(cipher.iv)
                stream.write(encrypted)
                stream.fd.sync()
            }
            FileMoves.replace(part, File(folder, name))
            // The new name survives a crash too.
            FileChannel.open(folder.toPath(), StandardOpenOption.READ).use { it.force(true) }
        }

    @Synchronized
    override fun delete(name: String) {
        val file = File(folder, name)
        // A folder is no secret of this vault.
        if (file.isFolder() || (!file.delete() && file.exists())) throw KeyVaultException("not-deleted")
    }

    private fun cipher(
        name: String,
        mode: Int,
        parameters: GCMParameterSpec?,
    ): Cipher =
        Cipher.getInstance(TRANSFORMATION).apply {
            if (parameters == null) init(mode, key()) else init(mode, key(), parameters)
            updateAAD(name.toByteArray())
        }

    private inline fun <T> answered(call: () -> T): T =
        try {
            call()
        } catch (error: KeyPermanentlyInvalidatedException) {
            throw KeyVaultException(error.javaClass.simpleName, isInvalidated = true, cause = error)
        } catch (error: UserNotAuthenticatedException) {
            throw KeyVaultException(error.javaClass.simpleName, isLocked = true, cause = error)
        } catch (error: GeneralSecurityException) {
            throw KeyVaultException(error.javaClass.simpleName, cause = error)
        } catch (error: ProviderException) {
            // What the key store of Android throws when it fails.
            throw KeyVaultException(error.javaClass.simpleName, cause = error)
        } catch (error: IOException) {
            throw KeyVaultException(error.javaClass.simpleName, cause = error)
        }

    private companion object {
        const val TRANSFORMATION = "AES/GCM/NoPadding"
        const val PROVIDER = "AndroidKeyStore"
        const val NONCE_BYTES = 12
        const val TAG_BITS = 128
        const val KEY_BITS = 256

        fun forgetSystemKey(alias: String) = KeyStore.getInstance(PROVIDER).apply { load(null) }.deleteEntry(alias)

        @Synchronized
        fun systemKey(alias: String): SecretKey {
            val store = KeyStore.getInstance(PROVIDER).apply { load(null) }
            (store.getKey(alias, null) as SecretKey?)?.let { return it }
            val purposes = KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT
            val specification =
                KeyGenParameterSpec
                    .Builder(alias, purposes)
                    .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
                    .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
                    .setKeySize(KEY_BITS)
                    .build()
            return KeyGenerator
                .getInstance(KeyProperties.KEY_ALGORITHM_AES, PROVIDER)
                .apply { init(specification) }
                .generateKey()
        }
    }
}
