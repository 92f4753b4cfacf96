// The package for Android apps as an AAR: the sources of its sibling modules, the native library, and rules for R8. An
// app that depends on this module needs none of the others.

import org.jetbrains.kotlin.gradle.dsl.KotlinVersion

plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.android)
    alias(libs.plugins.serialization)
}

val abis = listOf("arm64-v8a", "x86_64")
val nativeLibraries = layout.buildDirectory.dir("jniLibs")

android {
    namespace = "org.whimbrel.android"
    compileSdk = 34
    ndkVersion = libs.versions.ndk.get()

    defaultConfig {
        minSdk = 26
        consumerProguardFiles("consumer-rules.pro")
    }

    sourceSets["main"].apply {
        kotlin.srcDirs("src/main/kotlin", "../ffi/src/main/kotlin", "../whimbrel/src/main/kotlin")
        jniLibs.srcDir(nativeLibraries)
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

// The record of the public interface is kept by the Maven build, which compiles these sources alone.
tasks.withType<Test>().configureEach { exclude("**/ApiTest*") }

kotlin {
    jvmToolchain(17)
    // Apps with an older Kotlin can use the package.
    coreLibrariesVersion = libs.versions.stdlib.get()
    compilerOptions {
        languageVersion = KotlinVersion.fromVersion(libs.versions.language.get())
        apiVersion = languageVersion
    }
}

dependencies {
    api(libs.coroutines.android)
    api(libs.serialization.json)
    implementation(variantOf(libs.jna) { artifactType("aar") })
    testImplementation(libs.abi.tools)
    testImplementation(libs.junit4)
    testImplementation(libs.kotlin.test.junit)
}

/** Compiles the core for phones with cargo-ndk, which finds the NDK by ANDROID_NDK_HOME. */
val cargoNdk by tasks.registering(Exec::class) {
    description = "Builds libwhimbrel.so for ${abis.joinToString()}."
    val repository = projectDir.resolve("../../..")
    inputs.files(
        fileTree(repository) {
            include("rust-core/**/*.rs", "bindings/ffi/**/*.rs", "**/Cargo.toml", "Cargo.lock")
        },
    )
    outputs.dir(nativeLibraries)
    workingDir = repository
    environment("ANDROID_NDK_HOME", android.ndkDirectory.path)
    val targets = abis.flatMap { listOf("--target", it) }
    val folder = nativeLibraries.get().asFile.path
    commandLine(
        listOf("cargo", "ndk") + targets +
            listOf("--platform", "26", "--output-dir", folder, "build", "--release", "--package", "whimbrel-ffi"),
    )
}

tasks.named("preBuild") { dependsOn(cargoNdk) }
