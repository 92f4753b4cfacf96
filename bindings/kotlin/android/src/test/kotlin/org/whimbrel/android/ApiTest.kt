package org.whimbrel.android

import org.jetbrains.kotlin.abi.tools.AbiFilters
import org.jetbrains.kotlin.abi.tools.AbiTools
import java.io.File
import kotlin.test.Test
import kotlin.test.assertEquals

/** The public interface is the one on record. `-Dapi.write` records a new one. */
class ApiTest {
    @Test
    fun `the public interface is the recorded one`() {
        val classes = File("target/classes").walk().filter { it.extension == "class" }.toList()
        val api = buildString { AbiTools.getInstance().printJvmDump(this, classes, AbiFilters.EMPTY) }
        val record = File("api/whimbrel-android.api")
        if (System.getProperty("api.write") != null) record.writeText(api)
        assertEquals(record.readText(), api)
    }
}
