plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.compose.compiler)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "org.whimbrel.app"
    compileSdk = 34

    defaultConfig {
        applicationId = "org.whimbrel.app"
        minSdk = 26
        targetSdk = 34
        versionCode = 1
        versionName = "0.1.0"
    }

    buildFeatures.compose = true

    // Weights are mapped from files, so nothing is gained by compressing them, and they hardly shrink.
    androidResources.noCompress += "bin"

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    // `-Pwhimbrel.models=FOLDER` puts every bundle in FOLDER/models into the app.
    providers.gradleProperty("whimbrel.models").orNull?.let { sourceSets["main"].assets.srcDir(it) }

    testOptions.unitTests {
        isIncludeAndroidResources = true
        all { test ->
            test.environment("WHIMBREL_TINY_BUNDLE", rootDir.resolve("../shared-models/tiny").path)
            // WHIMBREL_SMOLLM2_BUNDLE comes from outside. The core for the desktop, as `cargo build -p whimbrel-ffi` makes it.
            test.systemProperty("jna.library.path", rootDir.resolve("../target/debug").path)
            test.systemProperty("robolectric.pixelCopyRenderMode", "hardware")
            test.jvmArgs("--add-opens=java.base/java.io=ALL-UNNAMED")
            test.maxHeapSize = "2g"
        }
    }
}

kotlin {
    jvmToolchain(17)
    compilerOptions.allWarningsAsErrors = true
}

dependencies {
    implementation(project(":whimbrel-android"))
    implementation(libs.activity.compose)
    implementation(libs.compose.foundation)
    implementation(libs.compose.icons)
    implementation(libs.compose.material3)
    implementation(libs.compose.ui)
    implementation(libs.core)
    implementation(libs.coroutines.android)
    implementation(libs.lifecycle.runtime.compose)
    implementation(libs.lifecycle.viewmodel.savedstate)
    implementation(libs.work)
    debugImplementation(libs.compose.ui.test.manifest)
    testImplementation(libs.compose.ui.test)
    testImplementation(libs.coroutines.test)
    // The one for desktops.
    testImplementation(libs.jna)
    testImplementation(libs.junit4)
    testImplementation(libs.kotlin.test.junit)
    testImplementation(libs.robolectric)
    testImplementation(libs.test.core)
}
