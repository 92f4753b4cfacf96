#!/usr/bin/env python3
"""Does what the Android Gradle plugin does with libraries and resources, for the build without Gradle.

    scripts/android-libraries.py unpack LIBRARIES
    scripts/android-libraries.py resources LIBRARIES APP OUT

`unpack` takes the AARs in LIBRARIES/app and LIBRARIES/test apart: classes go into LIBRARIES/app.jar and LIBRARIES/test.jar, resources are
compiled. `resources` merges manifests and links the resources of the app in the folder APP: into OUT go a manifest and a resource table for
the APK and for the tests, and the classes of R, the same for both. It does nothing when nothing changed. Needs aapt2 and javac.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

ANDROID = "{http://schemas.android.com/apk/res/android}"
TOOLS = "{http://schemas.android.com/tools}"
# What a library's manifest adds beside its application.
MERGED_AT_THE_ROOT = ("uses-permission", "permission", "queries")
# Debian's aapt2 is older than the framework's table, and than <queries>, and says so.
KNOWN_WARNINGS = ("Unknown chunk type", "unexpected element <queries>")
# A fixed date makes the same jar out of the same classes.
DATE = (1980, 1, 1, 0, 0, 0)


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    said = "\n".join(line for line in done.stderr.splitlines() if not any(known in line for known in KNOWN_WARNINGS))
    if done.returncode:
        sys.exit(f"{command[0]} {command[1]} failed\n{done.stdout}{said}")
    if said:
        print(said, file=sys.stderr)


def unpack(libraries):
    for scope in ("app", "test"):
        folders = []
        for archive in sorted((libraries / scope).glob("*.aar")):
            folder = libraries / "exploded" / scope / archive.stem
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(folder)
            if (folder / "res").is_dir():
                run("aapt2", "compile", "--dir", folder / "res", "-o", folder / "res.zip")
            folders.append(folder)
        jars = [folder / "classes.jar" for folder in folders]
        jars += [jar for folder in folders for jar in sorted((folder / "libs").glob("*.jar"))]
        jars += sorted((libraries / scope).glob("*.jar"))
        merge_jars([jar for jar in jars if jar.exists()], libraries / f"{scope}.jar")


def merge_jars(jars, target):
    """One jar of many. What is registered as a service in several is registered in the one."""
    seen, services = set(), {}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as merged:
        for jar in jars:
            with zipfile.ZipFile(jar) as opened:
                for name in opened.namelist():
                    if name.startswith("META-INF/services/") and not name.endswith("/"):
                        services[name] = services.get(name, b"") + opened.read(name) + b"\n"
                    elif not name.endswith("/") and name not in seen:
                        seen.add(name)
                        merged.writestr(zipfile.ZipInfo(name, DATE), opened.read(name))
        for name, registered in services.items():
            merged.writestr(zipfile.ZipInfo(name, DATE), registered)


def exploded(libraries, *scopes):
    return [folder for scope in scopes for folder in sorted((libraries / "exploded" / scope).iterdir())]


class Manifest:
    """The app's manifest with those of libraries merged into it: the part of the plugin's merger that androidx needs."""

    def __init__(self, settings, path, libraries):
        self.settings = settings
        self.root = self.read(path)
        self.application = self.root.find("application")
        self.root.set("package", settings["package"])
        for element in self.application.iter():
            name = element.get(ANDROID + "name", "")
            if name.startswith("."):
                element.set(ANDROID + "name", settings["package"] + name)
        for library in libraries:
            self.add(self.read(library / "AndroidManifest.xml"))
        self.obey_tools()
        sdk = ET.Element("uses-sdk")
        sdk.set(ANDROID + "minSdkVersion", settings["sdk_min"])
        sdk.set(ANDROID + "targetSdkVersion", settings["sdk_target"])
        for old in self.root.findall("uses-sdk"):
            self.root.remove(old)
        self.root.insert(0, sdk)

    def read(self, path):
        return ET.fromstring(path.read_text().replace("${applicationId}", self.settings["package"]))

    def add(self, library):
        application = library.find("application")
        for element in library:
            if element.tag in MERGED_AT_THE_ROOT:
                self.merge(self.root, element)
        if application is None:
            return
        for element in application:
            self.merge(self.application, element)
        for name, value in application.attrib.items():
            if name.startswith(ANDROID):
                self.application.attrib.setdefault(name, value)

    def merge(self, parent, element):
        """Components are the same when their names are; androidx.startup collects meta-data in one provider that way."""
        name = element.get(ANDROID + "name")
        ours = next((e for e in parent if e.tag == element.tag and e.get(ANDROID + "name") == name), None)
        if ours is None or element.tag == "queries":
            parent.append(element)
            return
        for attribute, value in element.attrib.items():
            ours.attrib.setdefault(attribute, value)
        children = {(child.tag, child.get(ANDROID + "name")) for child in ours}
        ours.extend(child for child in element if (child.tag, child.get(ANDROID + "name")) not in children)

    def obey_tools(self):
        for parent in list(self.root.iter()):
            for child in [child for child in parent if child.get(TOOLS + "node") == "remove"]:
                parent.remove(child)
        for element in self.root.iter():
            for attribute in [attribute for attribute in element.attrib if attribute.startswith(TOOLS)]:
                del element.attrib[attribute]

    def write(self, target):
        target.parent.mkdir(parents=True, exist_ok=True)
        ET.ElementTree(self.root).write(target, encoding="utf-8", xml_declaration=True)
        return target


def link(settings, libraries, folders, own, manifest, table, ids, java=None):
    command = ["aapt2", "link", "-o", table, "-I", libraries / "tools/android.jar", "--manifest", manifest, "--auto-add-overlay"]
    command += ["--min-sdk-version", settings["sdk_min"], "--target-sdk-version", settings["sdk_target"]]
    command += ["--version-code", settings["version_code"], "--version-name", settings["version_name"]]
    # What it does not know it shall only warn of.
    command += ["--no-version-vectors", "--warn-manifest-validation"]
    if java is None:
        command += ["--emit-ids", ids]
    else:
        named = [folder for folder in folders if (folder / "R.txt").exists() and (folder / "R.txt").stat().st_size]
        packages = dict.fromkeys(ET.parse(folder / "AndroidManifest.xml").getroot().get("package") for folder in named)
        # The ids of the APK, so that one set of R classes serves both.
        command += ["--stable-ids", ids, "--java", java, "--extra-packages", ":".join(packages)]
    for compiled in [*(folder / "res.zip" for folder in folders if (folder / "res.zip").exists()), own]:
        command += ["-R", compiled]
    run(*command)


def resources(libraries, app, out):
    settings = json.loads((app / "android.json").read_text())
    inputs = [Path(__file__), app / "android.json", app / "src/main/AndroidManifest.xml"]
    inputs += sorted(path for path in (app / "src/main/res").rglob("*") if path.is_file())
    state = hashlib.sha256(str(libraries).encode())
    for path in inputs:
        state.update(str(path).encode() + b"\0" + path.read_bytes())
    stamp = out / "made-from"
    if stamp.exists() and stamp.read_text() == state.hexdigest():
        return
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    run("aapt2", "compile", "--dir", app / "src/main/res", "-o", out / "res.zip")
    for name, scopes in (("apk", ["app"]), ("test", ["app", "test"])):
        folders = exploded(libraries, *scopes)
        manifest = Manifest(settings, app / "src/main/AndroidManifest.xml", folders).write(out / name / "AndroidManifest.xml")
        java = out / "java" if name == "test" else None
        link(settings, libraries, folders, out / "res.zip", manifest, out / name / "resources.apk", out / "ids.txt", java)
    run("javac", "--release", "17", "-nowarn", "-d", out / "r-classes", *(out / "java").rglob("*.java"))
    with zipfile.ZipFile(out / "r.jar", "w") as jar:
        for path in sorted((out / "r-classes").rglob("*.class")):
            jar.writestr(zipfile.ZipInfo(str(path.relative_to(out / "r-classes")), DATE), path.read_bytes())
    # How Robolectric finds them; the Android Gradle plugin writes the same file.
    config = out / "test-resources/com/android/tools/test_config.properties"
    config.parent.mkdir(parents=True)
    where = {"merged_manifest": "AndroidManifest.xml", "resource_apk": "resources.apk"}
    lines = [f"android_{name}={out.resolve() / 'test' / file}" for name, file in where.items()]
    config.write_text("\n".join([*lines, f"android_custom_package={settings['package']}", ""]))
    stamp.write_text(state.hexdigest())


def main():
    ET.register_namespace("android", ANDROID[1:-1])
    match sys.argv[1:]:
        case ["unpack", libraries]:
            unpack(Path(libraries))
        case ["resources", libraries, app, out]:
            resources(Path(libraries), Path(app), Path(out))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
