#!/usr/bin/env bash
# android-apk.sh [BUNDLE]: packs the app into a signed debug APK, without Gradle, and verifies it. A BUNDLE comes with the app as its model.
# The native library for phones needs an NDK, which is not here: this APK starts and says that the library is missing.
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/packages.sh"

bundle=${1:-}
source "$ROOT/scripts/android-libraries.sh"
need zip zip
need unzip unzip
need zipalign zipalign
need apksigner apksigner
[ -z "$bundle" ] || [ -f "$bundle/manifest.json" ] || fail "$bundle is not a model bundle: it has no manifest.json"

# d8 [ARGUMENT…]: Java's classes into Android's.
d8() {
	java -Xmx2g -cp "$libraries/tools/r8.jar" com.android.tools.r8.D8 --debug --min-api 26 --lib "$libraries/tools/android.jar" "$@" \
		>"$out/d8.log" 2>&1 || { tail -20 "$out/d8.log" >&2 && fail "d8 failed"; }
}

# classes FOLDER JAR: the classes of one module of ours as a jar.
classes() { (cd "$1" && zip -qr0 "$2" . -x 'META-INF/*'); }

out=$ROOT/android-app/app/target/apk
rm -rf "$out"
mkdir -p "$out/dex" "$out/add/assets/models"
say "compiling"
"${maven[@]}" --quiet compile
for module in bindings/kotlin/{ffi,whimbrel,android} android-app/app; do
	classes "$module/target/classes" "$out/$(basename "$module").jar"
done

# The slow part depends on nothing of ours.
if [ ! -f "$libraries/dex.zip" ]; then
	say "translating Android's libraries"
	d8 --intermediate --output "$out/dex.zip" "$libraries/app.jar" "$libraries"/apk/*.jar
	mv "$out/dex.zip" "$libraries/dex.zip"
fi
say "translating the app"
d8 --output "$out/dex" "$libraries/dex.zip" --classpath "$libraries/app.jar" "$ROOT/android-app/app/target/android/r.jar" \
	"$out"/{ffi,whimbrel,android,app}.jar

say "packing"
cp android-app/app/target/android/apk/resources.apk "$out/unaligned.apk"
(cd "$out/dex" && zip -q "$out/unaligned.apk" ./*.dex)
for abi in arm64-v8a x86_64; do
	for library in "$libraries"/exploded/app/*/jni/"$abi"/*.so; do
		install -D -m 644 "$library" "$out/add/lib/$abi/$(basename "$library")"
	done
done
for jar in "$libraries"/apk/*.jar "$libraries/app.jar"; do
	unzip -qo "$jar" 'META-INF/services/*' -d "$out/add" 2>/dev/null || true
done
[ -z "$bundle" ] || cp -r "$bundle" "$out/add/assets/models/$(basename "$bundle")"
# Weights hardly shrink, and what is not compressed can be read in place.
(cd "$out/add" && zip -qr -n .bin:.so "$out/unaligned.apk" .)
# -p: native libraries begin on pages, so that they too are read in place, and signing leaves them there.
zipalign -p -f 4 "$out/unaligned.apk" "$out/aligned.apk"

key=$CACHE/android/debug.p12
if [ ! -f "$key" ]; then
	keytool -genkeypair -keystore "$key" -storetype PKCS12 -storepass android -alias debug -keyalg RSA -keysize 2048 -validity 10000 \
		-dname CN=debug >/dev/null 2>&1 || fail "keytool made no key"
fi
apk=$ROOT/android-app/app/target/whimbrel-debug.apk
apksigner sign --ks "$key" --ks-pass pass:android --out "$apk" "$out/aligned.apk" 2>/dev/null || fail "apksigner could not sign"
rm -rf "$apk.idsig" "$out"

apksigner verify "$apk" 2>/dev/null || fail "apksigner verify: the signature is not right"
printf 'apksigner verify: signed\n'
zipalign -c -p 4 "$apk" >/dev/null || fail "zipalign -c: not aligned"
printf 'zipalign -c -p 4: aligned\n'
aapt2 dump badging "$apk" 2>/dev/null | grep -E '^(package|sdkVersion|targetSdk|application-label:|launchable|native-code)'
stat -c '%s bytes: %n' "android-app/app/target/whimbrel-debug.apk"
printf 'libwhimbrel.so is not in it: that needs an NDK (docs/android.md). On a phone this APK starts and says so.\n'
