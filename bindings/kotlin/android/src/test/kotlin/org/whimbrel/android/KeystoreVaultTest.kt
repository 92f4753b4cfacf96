package org.whimbrel.android

import android.security.keystore.KeyPermanentlyInvalidatedException
import android.security.keystore.UserNotAuthenticatedException
import org.junit.Rule
import org.junit.rules.TemporaryFolder
import org.whimbrel.KeyVaultException
import java.io.File
import javax.crypto.spec.SecretKeySpec
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNull
import kotlin.test.assertTrue

/** With a key in memory: this machine has no key store of Android's. */
class KeystoreVaultTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private val folder by lazy { File(temporary.root, "keys") }

    private fun vault(key: Byte = 1) = KeystoreVault(folder) { SecretKeySpec(ByteArray(32) { key }, "AES") }

    @Test
    fun `a secret is kept, replaced and forgotten`() {
        assertNull(vault().get("key.cloud"))
        vault().put("key.cloud", "first secret".toByteArray())
        vault().put("key.cloud", "second".toByteArray())
        assertContentEquals("second".toByteArray(), vault().get("key.cloud"))
        repeat(2) { vault().delete("key.cloud") }
        assertNull(vault().get("key.cloud"))
    }

    @Test
    fun `a folder with the name of a secret stays`() {
        val mine = File(folder, "key.cloud/mine")
        mine.parentFile.mkdirs()
        mine.writeText("mine")
        assertFailsWith<KeyVaultException> { vault().put("key.cloud", "a secret".toByteArray()) }
        assertFailsWith<KeyVaultException> { vault().delete("key.cloud") }
        assertEquals("mine", mine.readText())
    }

    @Test
    fun `a key that the system invalidated is named so, and replaced for the next secret`() {
        vault().put("a", "a secret".toByteArray())
        var isInvalidated = true
        val invalidated =
            KeystoreVault(folder, forgetKey = { isInvalidated = false }) {
                if (isInvalidated) throw KeyPermanentlyInvalidatedException()
                SecretKeySpec(ByteArray(32) { 3 }, "AES")
            }
        assertTrue(assertFailsWith<KeyVaultException> { invalidated.get("a") }.isInvalidated)
        invalidated.delete("a")
        invalidated.put("a", "another".toByteArray())
        assertContentEquals("another".toByteArray(), invalidated.get("a"))
        val locked = KeystoreVault(folder) { throw UserNotAuthenticatedException() }
        val error = assertFailsWith<KeyVaultException> { locked.get("a") }
        assertTrue(error.isLocked && !error.isInvalidated)
    }

    @Test
    fun `what was changed, moved or belongs to another key is not read`() {
        val secret = "a secret".toByteArray()
        vault().put("a", secret)
        assertFalse("secret" in File(folder, "a").readText(Charsets.ISO_8859_1))
        assertFailsWith<KeyVaultException> { vault(key = 2).get("a") }
        File(folder, "a").copyTo(File(folder, "b"))
        assertFailsWith<KeyVaultException> { vault().get("b") }
        val bytes = File(folder, "a").readBytes()
        for (at in bytes.indices) {
            File(folder, "a").writeBytes(bytes.clone().also { it[at] = (it[at].toInt() xor 1).toByte() })
            assertFailsWith<KeyVaultException> { vault().get("a") }
        }
        for (length in 0 until bytes.size) {
            File(folder, "a").writeBytes(bytes.copyOf(length))
            assertFailsWith<KeyVaultException> { vault().get("a") }
        }
        File(folder, "a").writeBytes(bytes)
        assertContentEquals(secret, vault().get("a"))
    }
}
