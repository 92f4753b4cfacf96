#!/usr/bin/env python3
"""Makes the scanner's lists of names and of ordinary words of other languages than English. See privacy_words.sh.

    privacy_words.py PACKAGES OUTPUT

PACKAGES is a folder with the unpacked packages, OUTPUT is rust-core/privacy/data. Words are folded as src/letters.rs folds them.
"""

import collections
import json
import pathlib
import re
import sys
import unicodedata

PACKAGES, OUTPUT = map(pathlib.Path, sys.argv[1:3])
# The languages whose ordinary words are listed, and which code each source has for them.
LANGUAGES = "de fr es it pt nl sv da no fi pl cs hu ro tr ru uk".split()
CODES = {"pt": ("pt", "pt-BR", "pt_BR", "pt-br"), "no": ("no", "nb", "nb_NO", "no_NO")}
# The most words of a language, the most frequent first.
WORDS_MAX = 2200
# The languages whose names are listed: a letter of their group, and mimesis' and faker's codes. A name must be in the lists of two
# groups or packages; the family names of the groups in WHOLE are all taken.
NAMES = [
    ("de", ("de", "de-at", "de-ch"), ("de", "de_CH")), ("fr", ("fr",), ("fr", "fr_BE", "fr_CH")), ("it", ("it",), ("it",)),
    ("es", ("es", "es-mx"), ("es", "es_MX")), ("pt", ("pt", "pt-br"), ("pt_PT", "pt_BR")), ("nl", ("nl", "nl-be"), ("nl", "nl_BE")),
    ("sv", ("sv",), ("sv",)), ("da", ("da",), ("da",)), ("no", ("no",), ("nb_NO",)), ("fi", ("fi",), ("fi",)), ("pl", ("pl",), ("pl",)),
    ("cs", ("cs", "sk"), ("cs_CZ", "sk")), ("hu", ("hu",), ("hu",)), ("tr", ("tr",), ("tr",)), ("hr", ("hr",), ("hr", "sr_RS_latin", "sl_SI")),
    ("ro", (), ("ro",)), ("in", (), ("en_IN",)), ("en", ("en", "en-gb"), ("en",)), ("ru", ("ru",), ("ru",)), ("uk", ("uk",), ("uk",)), ("id", (), ("id_ID",)), ("et", ("et",), ("lv",)),
    ("is", ("is",), ()),
]
WHOLE = "de fr it es pt sv da no fi pl tr in en".split()
LATIN = {"æ": "ae", "ð": "d", "ø": "o", "þ": "th", "ß": "ss", "đ": "d", "ħ": "h", "ı": "i", "ĳ": "ij", "ĸ": "k", "ł": "l", "ŀ": "l",
         "ŉ": "n", "ŋ": "n", "œ": "oe", "ŧ": "t", "ſ": "s"}


def fold(word):
    """As src/letters.rs: in lower case, the letters from U+00C0 to U+017F without accents."""
    out = []
    for character in unicodedata.normalize("NFC", word):
        lower = "i" if character == "İ" else character.lower()
        if 0xC0 <= ord(character) <= 0x17F:
            lower = LATIN.get(lower) or unicodedata.normalize("NFKD", lower)[0]
        out.append(lower)
    return "".join(out)


def usable(word, least=2):
    return word.isalpha() and len(word) >= least and len(word.encode()) <= 24


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def texts(language):
    """Interface texts in a language."""
    for code in CODES.get(language, (language, f"{language}_{language.upper()}")):
        for pattern in (f"homeassistant/components/*/translations/{code}.json", f"hass_frontend/static/translations/{code}-*.json",
                        f"hass_frontend/static/translations/*/{code}-*.json", f"jupyterlab_language_pack_*/locale/{code}/LC_MESSAGES/*.json",
                        f"superset/translations/{code}/LC_MESSAGES/*.json"):
            for path in sorted(PACKAGES.glob(pattern)):
                yield from set(strings(json.loads(path.read_text())))
        for path in sorted(PACKAGES.glob(f"wagtail/*/locale/{code}/LC_MESSAGES/*.po")) + sorted(PACKAGES.glob(f"wagtail/*/*/locale/{code}/LC_MESSAGES/*.po")):
            yield from ("".join(re.findall(r'"(.*)"', part)) for part in re.findall(r'^msgstr(?:\[\d\])? ((?:".*"\n)+)', path.read_text(), re.M))


def ordinary(language, brands):
    """How often each word stands in small letters; in German, where nouns have capitals, also with one inside a sentence."""
    count = collections.Counter()
    for text in texts(language):
        text = re.sub(r"\{[^{}]*\}|%\(\w+\)\w|<[^<>]*>|https?:\S+|`[^`]*`", " ", text)
        for match in re.finditer(r"[^\W\d_]+", text):
            word, before = match[0], text[:match.start()].rstrip()[-1:]
            small = word == word.lower()
            noun = language == "de" and word[1:] == word[1:].lower() and word not in brands and before not in ".!?:"
            if small or noun:
                count[fold(word)] += 1
    for name in ("annotations",):
        data = json.loads((PACKAGES / f"cldr/annotations/{'no' if language == 'no' else language}/annotations.json").read_text())
        for entry in strings(data["annotations"]["annotations"]):
            for word in re.findall(r"[^\W\d_]+", entry):
                if word == word.lower() or language == "de":
                    count[fold(word)] += 2
    for word in json.loads((PACKAGES / "stopwordsiso/stopwords-iso.json").read_text()).get(language, []):
        for part in re.findall(r"[^\W\d_]+", word):
            count[fold(part)] += 3
    return count


def brands():
    """Words with a capital inside sentences of at least four languages."""
    seen = collections.Counter()
    for language in LANGUAGES:
        seen.update({word for text in texts(language) for word in re.findall(r"(?<=[\w,] )[^\W\d_]+", text) if word[0].isupper()})
    return {word for word, count in seen.items() if count >= 4}


def names(kind, endings):
    """The names of a kind, those that end as family names do apart: the scanner knows them without a list."""
    faker = json.loads((PACKAGES / "faker.json").read_text())
    lists, whole = collections.defaultdict(set), set()
    for group, mimesis, codes in NAMES:
        sources = [strings(faker[code]["first_name" if kind == "names" else "last_name"]) for code in codes]
        paths = [PACKAGES / f"mimesis/datasets/{code}/person.json" for code in mimesis]
        sources += [strings(json.loads(path.read_text()).get(kind, [])) for path in paths]
        for source, values in enumerate(sources):
            for value in values:
                words = {fold(word) for word in re.findall(r"[^\W\d_]+", value) if word[0].isupper()}
                for word in words:
                    lists[word].add((group, source >= len(codes)))
                if kind == "surnames" and group in WHOLE or group == "in":
                    whole |= words
    taken = whole | {word for word, found in lists.items() if len(found) >= 2}
    return {word for word in taken if usable(word, 3) and not (len(word) >= 5 and word.endswith(endings))}


def script_names():
    """Family names in Han and Hangul, and the letters of Chinese given names, as lines for the scanner."""
    faker = json.loads((PACKAGES / "faker.json").read_text())
    mimesis = lambda code, kind: list(strings(json.loads((PACKAGES / f"mimesis/datasets/{code}/person.json").read_text())[kind]))
    han = lambda word: all("\u4e00" <= character <= "\u9fff" or character == "々" for character in word)
    japanese = {name for name in faker["ja"]["last_name"] + mimesis("ja", "surnames") if han(name) and 2 <= len(name) <= 4}
    chinese = set(faker["zh_CN"]["last_name"]) | set(faker["zh_TW"]["last_name"])
    letters = collections.Counter("".join(faker["zh_CN"]["first_name"] + faker["zh_TW"]["first_name"] + mimesis("zh", "names")))
    korean = {name for name in faker["ko"]["last_name"]}
    rows = [("ja", "surname", japanese), ("zh", "surname", {name for name in chinese if han(name)}), ("ko", "surname", korean),
            ("zh", "given", {letter for letter, count in letters.items() if count >= 2 and han(letter)})]
    for language, role, words in rows:
        line = ""
        for word in sorted(words):
            if len(line) + len(word) > 120:
                yield f"{language} {role}:{line}"
                line = ""
            line += " " + word
        yield f"{language} {role}:{line}"


def main():
    read = lambda name: set((OUTPUT / name).read_text().split())
    given, family = read("first_names.txt"), read("surnames.txt") | read("surnames_world.txt")
    english = read("common_words.txt")
    known_brands = brands()
    words = collections.Counter()
    for language in LANGUAGES:
        count = ordinary(language, known_brands)
        frequent = sorted((-times, word) for word, times in count.items() if usable(word) and times >= 2)[:WORDS_MAX]
        for times, word in ((-times, word) for times, word in frequent):
            words[word] = max(words[word], times)
    lines = (OUTPUT / "name_words.txt").read_text().splitlines()
    endings = tuple(word for line in lines if " surname_ending: " in line for word in line.split(": ")[1].split())
    more_given, more_family = names("names", ()) - given, names("surnames", endings) - family
    # English words are in another list. A rare word that is a name is more often the name.
    named = given | family | more_given | more_family
    kept = {word for word, times in words.items() if word not in english and (word not in named or times >= 4)}
    write = lambda name, values: (OUTPUT / name).write_text("\n".join(values if isinstance(values, list) else sorted(values)) + "\n")
    write("foreign_words.txt", kept)
    write("more_first_names.txt", more_given - english)
    write("more_surnames.txt", more_family - english)
    write("script_names.txt", ["# Made by scripts/golden/privacy_words.sh.", *script_names()])
    print(len(kept), "words,", len(kept & named), "of them names;", len(more_given), "given names,", len(more_family), "surnames")


if __name__ == "__main__":
    main()
