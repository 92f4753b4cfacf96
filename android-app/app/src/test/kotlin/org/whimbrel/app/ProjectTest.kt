package org.whimbrel.app

import org.junit.Test
import org.w3c.dom.Element
import java.io.File
import javax.xml.parsers.DocumentBuilderFactory
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** The two builds and the languages, held against each other. */
class ProjectTest {
    @Test
    fun `both builds take the same versions`() {
        val catalogue =
            File("../gradle/libs.versions.toml")
                .readLines()
                .dropWhile { it != "[versions]" }
                .drop(1)
                .takeWhile { !it.startsWith("[") }
                .mapNotNull { Regex("""^([\w-]+) = "([^"]+)"""").find(it)?.destructured }
                .associate { (name, version) -> name to version }
        val maven = properties("../../bindings/kotlin/pom.xml") + properties("../pom.xml")
        assertEquals(catalogue - GRADLE_ONLY, maven - MAVEN_ONLY)
        assertEquals(GRADLE_ONLY, GRADLE_ONLY intersect catalogue.keys)
    }

    private fun properties(pom: String) =
        elements(File(pom), "properties")
            .flatMap { it.children() }
            .filter { it.tagName.endsWith(".version") }
            .associate { it.tagName.removeSuffix(".version") to it.textContent }

    @Test
    fun `both builds say the same of the app`() {
        val gradle = File("build.gradle.kts").readText()
        val settings = org.json.JSONObject(File("android.json").readText())
        val lines =
            listOf(
                "namespace = \"${settings.getString("package")}\"",
                "applicationId = \"${settings.getString("package")}\"",
                "minSdk = ${settings.getString("sdk_min")}",
                "targetSdk = ${settings.getString("sdk_target")}",
                "versionCode = ${settings.getString("version_code")}",
                "versionName = \"${settings.getString("version_name")}\"",
            )
        for (line in lines) assertTrue(line in gradle, line)
    }

    @Test
    fun `the app does not reach into the generated code`() {
        val sources = File("src").walk().filter { it.extension == "kt" && it.name != "ProjectTest.kt" }.toList()
        assertTrue(sources.size > 10)
        assertEquals(emptyList(), sources.filter { "org.whimbrel.ffi" in it.readText() })
    }

    @Test
    fun `every language has every text, with the same places for values`() {
        val english = texts("values")
        for (language in listOf("values-de", "values-ar")) {
            val translated = texts(language)
            // The suggestions are in the language of the model.
            val everywhere = english.keys.filterNot { it == "app_name" || it.startsWith("suggestion_") }.toSet()
            assertEquals(everywhere, translated.keys, language)
            for ((name, forms) in translated) {
                // A plural form may leave the number out, as in "two tokens" of a language with a dual.
                val places = english.getValue(name).flatMap { places(it) }.toSet()
                for (form in forms) assertTrue(places.containsAll(places(form)), "$language, $name")
                assertEquals(places, forms.flatMap { places(it) }.toSet(), "$language, $name")
            }
        }
    }

    @Test
    fun `plurals have the forms of their language`() {
        val forms =
            mapOf(
                "values" to setOf("one", "other"),
                "values-de" to setOf("one", "other"),
                "values-ar" to setOf("zero", "one", "two", "few", "many", "other"),
            )
        for ((language, expected) in forms) {
            for (plural in elements(strings(language), "plurals")) {
                assertEquals(expected, plural.children().map { it.getAttribute("quantity") }.toSet(), language)
            }
        }
    }

    private fun texts(language: String): Map<String, List<String>> =
        elements(strings(language), "string").associate { it.getAttribute("name") to listOf(it.textContent) } +
            elements(strings(language), "plurals").associate { plural ->
                plural.getAttribute("name") to plural.children().map { it.textContent }
            }

    private fun strings(language: String) = File("src/main/res/$language/strings.xml")

    private fun places(text: String) = Regex("""%\d\$(\.\d)?[a-z]""").findAll(text).map { it.value }.toList()

    private fun elements(
        file: File,
        tag: String,
    ): List<Element> {
        val document = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(file)
        val nodes = document.getElementsByTagName(tag)
        return List(nodes.length) { nodes.item(it) as Element }
    }

    private fun Element.children() = List(childNodes.length) { childNodes.item(it) }.filterIsInstance<Element>()

    private companion object {
        val GRADLE_ONLY = setOf("agp", "ndk")

        /** How Maven itself works, and tests that only it runs. */
        val MAVEN_ONLY =
            setOf(
                "junit",
                "surefire",
                "ktlint-plugin",
                "dependency-plugin",
                "android-all",
                "android-all-instrumentation",
                "r8",
            )
    }
}
