package org.whimbrel.app

import java.io.File

/** The models that the tests run, as the script that starts them says. */
object Bundles {
    val tiny = File(variable("WHIMBREL_TINY_BUNDLE"))
    val smollm2 = File(variable("WHIMBREL_SMOLLM2_BUNDLE"))

    private fun variable(name: String) = System.getenv(name) ?: error("$name is not set: run scripts/android-test.sh")
}
