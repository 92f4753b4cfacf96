// The conventional build, for Android Studio. See README.md: it is not run where Whimbrel is developed.

pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositoriesMode = RepositoriesMode.FAIL_ON_PROJECT_REPOS
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "whimbrel-app"
include(":app")
include(":whimbrel-android")
project(":whimbrel-android").projectDir = file("../bindings/kotlin/android")
