#!/usr/bin/env python3
"""Makes texts with personal and secret values in known places, for measuring the privacy scanner. See privacy.sh.

    privacy.py development|held-out OUTPUT.jsonl

A line: the text, and its spans as [kind, start, end] in characters; names also say how many of their words the scanner's lists hold
("all", "some", "none"). The kind "neutral" marks what is personal to some (a lone town, a lone street): finding it is neither right
nor wrong. Templates are presidio-evaluator's and privacy_templates.txt; each belongs to one of the two sets, and so does every word
of a name and of a street. Check digits are made here, from the specifications, and share nothing with the scanner's code.
"""

import base64
import datetime
import hashlib
import importlib.metadata
import ipaddress
import json
import pathlib
import random
import re
import string
import sys
import unicodedata

import faker

HERE = pathlib.Path(__file__).parent
DATA = HERE.parent.parent / "rust-core/privacy/data"
LOCALES = {
    "en": ["en_US"] * 5 + ["en_GB"] * 3 + ["en_IN", "de_DE", "es_ES", "it_IT", "pl_PL", "nl_NL", "sv_SE", "fr_FR", "fi_FI", "cs_CZ", "no_NO"],
    "de": ["de_DE", "de_AT"], "fr": ["fr_FR"], "es": ["es_ES"], "it": ["it_IT"], "pl": ["pl_PL"], "nl": ["nl_NL"], "sv": ["sv_SE"],
    "fi": ["fi_FI"], "pt": ["pt_BR"],
}
TEXTS = {"development": 3000, "held-out": 4000}
FAKERS = {}


def half(word):
    """Which set a word or a template belongs to."""
    return ("development", "held-out")[hashlib.sha256(word.encode()).digest()[0] % 2]


def fold(word):
    word = word.lower().translate(str.maketrans({"ß": "ss", "ø": "o", "đ": "d", "ł": "l", "æ": "ae"}))
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))


KNOWN = {word for name in ("first_names.txt", "surnames.txt") for word in (DATA / name).read_text().split()}


class Values:
    """The functions that templates name. Each gives a text, its kind, and for names how well the lists know it."""

    def __init__(self, part, seed):
        self.part = part
        self.random = random.Random(seed)
        self.locale = "en_US"

    @property
    def faker(self):
        return FAKERS[self.locale]

    def mine(self, make, words=lambda text: re.findall(r"\w{3,}", text)):
        """A value whose words all belong to this set."""
        for _ in range(400):
            text = make()
            if all(half(fold(word)) == self.part for word in words(text)):
                return text
        return text

    def digits(self, count, first="0123456789"):
        return self.random.choice(first) + "".join(self.random.choices(string.digits, k=count - 1))

    def name(self, *parts):
        text = " ".join(self.mine(part) for part in parts)
        words = [fold(word) for word in re.findall(r"\w{2,}", text)]
        known = sum(word in KNOWN for word in words)
        return text, "person_name", "all" if known == len(words) else "some" if known else "none"

    def first(self):
        return self.name(lambda: self.faker.first_name())

    def last(self):
        return self.name(lambda: self.faker.last_name())

    def person(self):
        return self.name(lambda: self.faker.first_name(), lambda: self.faker.last_name())

    def title(self):
        return self.random.choice(["Mr", "Ms", "Mrs", "Dr"]), None

    def age(self):
        return str(self.random.randint(18, 90)), None

    def street(self):
        return self.mine(lambda: self.faker.street_name(), lambda text: [max(re.findall(r"\w+", text), key=len)])

    def address(self):
        def make():
            text = self.faker.address()
            return text.replace("\n", ", ") if self.random.random() < 0.6 else text
        # The town and the ending of a street are few; the first long word is what tells addresses apart.
        return self.mine(make, lambda text: re.findall(r"[^\W\d]{5,}", text)[:1]), "street_address"

    def phone(self):
        return self.faker.phone_number(), "phone"

    def email(self):
        name = fold(self.faker.first_name()).replace(" ", "") + self.random.choice([".", "_", "", "-"]) + fold(self.faker.last_name()).replace(" ", "")
        name = re.sub(r"[^a-z._-]", "", name)
        return name + self.random.choice(["", str(self.random.randint(1, 99))]) + "@" + self.faker.domain_name(), "email"

    def birth(self):
        day = self.faker.date_between(datetime.date(1930, 1, 1), datetime.date(2012, 1, 1))
        numeric = ["%d.%m.%Y", "%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y"]
        english = ["%m/%d/%Y", "%d %B %Y", "%B %d, %Y", "%d %b %Y", "%m/%d/%y"]
        return day.strftime(self.random.choice(numeric + english if self.locale.startswith("en") else numeric)), "date_of_birth"

    def birthless_date(self):
        return self.faker.date(), None

    def card(self):
        prefix, length = self.random.choice([("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16), ("36", 14), ("3528", 16)])
        body = prefix + self.digits(length - len(prefix) - 1)
        number = body + self.luhn(body)
        cuts = {16: (4, 8, 12), 15: (4, 10), 14: (4, 10)}[length]
        separator = self.random.choice(["", "", " ", "-"])
        return separator.join(number[a:b] for a, b in zip((0, *cuts), (*cuts, length))), "payment_card"

    @staticmethod
    def luhn(body):
        doubled = [int(d) * (2 if i % 2 == 0 else 1) for i, d in enumerate(reversed(body))]
        return str(-sum(d // 10 + d % 10 for d in doubled) % 10)

    def iban(self):
        country, form = self.random.choice(
            [("DE", "9" * 18), ("FR", "9" * 10 + "X" * 11 + "99"), ("GB", "A" * 4 + "9" * 14), ("NL", "A" * 4 + "9" * 10), ("ES", "9" * 20), ("IT", "A" + "9" * 22),
             ("PL", "9" * 24), ("SE", "9" * 20), ("CH", "9" * 17), ("AT", "9" * 16), ("BE", "9" * 12), ("PT", "9" * 21), ("NO", "9" * 11), ("FI", "9" * 14)])
        sets = {"9": string.digits, "A": string.ascii_uppercase, "X": string.digits + string.ascii_uppercase}
        body = "".join(self.random.choice(sets[c]) for c in form)
        numeric = "".join(str(int(c, 36)) for c in body + country + "00")
        text = f"{country}{98 - int(numeric) % 97:02}{body}"
        if self.random.random() < 0.6:
            text = " ".join(text[i:i + 4] for i in range(0, len(text), 4))
        return text, "iban"

    def id(self, text):
        return text, "national_id"

    def ssn(self):
        area = self.random.choice([n for n in range(1, 900) if n != 666])
        return self.id(f"{area:03}-{self.random.randint(1, 99):02}-{self.random.randint(1, 9999):04}")

    def itin(self):
        return self.id(f"9{self.random.randint(0, 99):02}-{self.random.choice([*range(50, 66), *range(70, 89), 90, 91, 92, *range(94, 100)])}-{self.digits(4)}")

    def nhs(self):
        while True:
            body = self.digits(9, "4679")
            check = 11 - sum(int(d) * w for d, w in zip(body, range(10, 1, -1))) % 11
            if check != 10:
                text = body + str(check % 11)
                return self.id(self.random.choice([text, f"{text[:3]} {text[3:6]} {text[6:]}"]))

    def nino(self):
        prefix = self.random.choice(["AB", "CE", "HJ", "JK", "LM", "PR", "SE", "WM", "YA", "ZX"])
        d = self.digits(6)
        return self.id(self.random.choice([f"{prefix}{d}C", f"{prefix} {d[:2]} {d[2:4]} {d[4:]} A"]))

    def sin(self):
        body = self.digits(8, "1234567")
        text = body + self.luhn(body)
        return self.id(self.random.choice([f"{text[:3]} {text[3:6]} {text[6:]}", f"{text[:3]}-{text[3:6]}-{text[6:]}", text]))

    def tfn(self):
        while True:
            text = self.digits(9, "123456789")
            if sum(int(d) * w for d, w in zip(text, (1, 4, 3, 7, 5, 8, 6, 9, 10))) % 11 == 0:
                return self.id(self.random.choice([text, f"{text[:3]} {text[3:6]} {text[6:]}"]))

    def nric(self):
        series = self.random.choice("STFG")
        body = self.digits(7)
        total = sum(int(d) * w for d, w in zip(body, (2, 7, 6, 5, 4, 3, 2))) + (4 if series in "TG" else 0)
        return self.id(series + body + ("JZIHGFEDCBA" if series in "ST" else "XWUTRQPNMLK")[total % 11])

    def aadhaar(self):
        multiply = [[(i + j) % 5 if i < 5 and j < 5 else (i + (j - 5)) % 5 + 5 if i < 5 else (i - 5 - j) % 5 + 5 if j < 5 else (i - j) % 5 for j in range(10)] for i in range(10)]
        permute = [list(range(10)), [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
        for _ in range(6):
            permute.append([permute[-1][permute[1][i]] for i in range(10)])
        body = self.digits(11, "23456789")
        for check in string.digits:
            value = 0
            for index, digit in enumerate(reversed(body + check)):
                value = multiply[value][permute[index % 8][int(digit)]]
            if value == 0:
                text = body + check
                return self.id(self.random.choice([text, f"{text[:4]} {text[4:8]} {text[8:]}"]))

    def steuer_id(self):
        ten = self.random.sample(string.digits, 9)
        while ten[0] == "0":
            ten = self.random.sample(string.digits, 9)
        ten.insert(self.random.randint(1, 9), self.random.choice(ten))
        product = 10
        for digit in ten:
            total = (int(digit) + product) % 10 or 10
            product = total * 2 % 11
        text = "".join(ten) + str((11 - product) % 10)
        return self.id(self.random.choice([text, f"{text[:2]} {text[2:5]} {text[5:8]} {text[8:]}"]))

    def nir(self):
        text = f"{self.random.choice('12')}{self.random.randint(0, 99):02}{self.random.randint(1, 12):02}{self.random.randint(1, 95):02}{self.digits(3)}{self.digits(3)}"
        text += f"{97 - int(text) % 97:02}"
        return self.id(self.random.choice([text, re.sub(r"(.)(..)(..)(..)(...)(...)(..)", r"\1 \2 \3 \4 \5 \6 \7", text)]))

    def dni(self):
        body = self.digits(8)
        return self.id(body + self.random.choice(["", "-"]) + "TRWAGMYFPDXBNJZSQVHLCKE"[int(body) % 23])

    def nie(self):
        first = self.random.choice("XYZ")
        body = self.digits(7)
        return self.id(first + body + "TRWAGMYFPDXBNJZSQVHLCKE"[int(str("XYZ".index(first)) + body) % 23])

    def codice_fiscale(self):
        odd = dict(zip(string.digits + string.ascii_uppercase, [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]))
        letters = "".join(self.random.choices("BCDFGLMNPRST", k=6))
        text = f"{letters}{self.digits(2)}{self.random.choice('ABCDEHLMPRST')}{self.random.randint(1, 31):02}{self.random.choice('ABCDEFGHL')}{self.digits(3)}"
        even = {c: int(c) if c.isdigit() else ord(c) - 65 for c in odd}
        total = sum(odd[c] if i % 2 == 0 else even[c] for i, c in enumerate(text))
        return self.id(text + chr(65 + total % 26))

    def pesel(self):
        day = self.faker.date_between(datetime.date(1930, 1, 1), datetime.date(2012, 1, 1))
        body = f"{day.year % 100:02}{day.month + (20 if day.year >= 2000 else 0):02}{day.day:02}{self.digits(4)}"
        return self.id(body + str(-sum(int(d) * w for d, w in zip(body, (1, 3, 7, 9) * 3)) % 10))

    def bsn(self):
        while True:
            body = self.digits(8, "123456789")
            check = sum(int(d) * w for d, w in zip(body, range(9, 1, -1))) % 11
            if check < 10:
                return self.id(body + str(check))

    def personnummer(self):
        day = self.faker.date_between(datetime.date(1930, 1, 1), datetime.date(2012, 1, 1))
        body = day.strftime("%y%m%d") + self.digits(3)
        text = body + self.luhn(body)
        return self.id(self.random.choice([f"{text[:6]}-{text[6:]}", f"{day.year // 100}{text[:6]}-{text[6:]}", f"{day.year // 100}{text}"]))

    def hetu(self):
        day = self.faker.date_between(datetime.date(1930, 1, 1), datetime.date(2012, 1, 1))
        serial = f"{self.random.randint(2, 899):03}"
        date = day.strftime("%d%m%y")
        return self.id(date + ("A" if day.year >= 2000 else "-") + serial + "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(date + serial) % 31])

    def cpf(self):
        text = self.digits(9)
        for start in (10, 11):
            remainder = sum(int(d) * w for d, w in zip(text, range(start, 1, -1))) % 11
            text += str(0 if remainder < 2 else 11 - remainder)
        return self.id(self.random.choice([text, f"{text[:3]}.{text[3:6]}.{text[6:9]}-{text[9:]}"]))

    def ipv4(self):
        return str(ipaddress.IPv4Address(self.random.randrange(1 << 24, 224 << 24))), "ip_address"

    def ipv6(self):
        parts = [f"{self.random.randrange(1 << 16):x}" for _ in range(8)]
        return self.random.choice([":".join(["2001", *parts[1:]]), "2001:db8::" + ":".join(parts[:3]), "fe80::" + ":".join(parts[:4])]), "ip_address"

    def mac(self):
        separator = self.random.choice(":-")
        text = separator.join(f"{self.random.randrange(256):02x}" for _ in range(6))
        return self.random.choice([text, text.upper()]), "mac_address"

    def text_of(self, characters, count):
        return "".join(self.random.choices(characters, k=count))

    def url_credentials(self):
        scheme, port = self.random.choice([("https", ""), ("postgres", ":5432"), ("ftp", ""), ("mongodb+srv", ""), ("redis", ":6379"), ("amqp", ":5672")])
        secret = self.text_of(string.ascii_letters + string.digits, self.random.randint(6, 16))
        return f"{scheme}://{self.faker.user_name()}:{secret}@{self.faker.domain_name()}{port}/{self.faker.word()}", "url_credentials"

    def aws_key(self):
        return "AKIA" + self.text_of(string.ascii_uppercase + "234567", 15) + "7", "api_key"

    def api_key(self):
        both = string.ascii_letters + string.digits
        return self.random.choice([
            "ghp_" + self.text_of(both, 35) + "4", "sk-proj-" + self.text_of(both, 47) + "2", "sk_live_" + self.text_of(both, 23) + "1", "AIza" + self.text_of(both, 34) + "9",
            "xoxb-" + self.digits(12) + "-" + self.digits(12) + "-" + self.text_of(both, 24), "glpat-" + self.text_of(both, 19) + "3", "hf_" + self.text_of(both, 33) + "5",
            "npm_" + self.text_of(both, 35) + "6"]), "api_key"

    def jwt(self):
        encode = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
        claims = {"sub": self.digits(8), "exp": 1700000000 + self.random.randrange(10**7)}
        return f"{encode({'alg': 'HS256', 'typ': 'JWT'})}.{encode(claims)}.{self.text_of(string.ascii_letters + string.digits + '-_', 42)}a", "api_key"

    def random_key(self):
        return self.random.choice([self.text_of("0123456789abcdef", 31) + "a7", self.text_of(string.ascii_letters + string.digits, 30) + "b3"]), "api_key"

    def private_key(self):
        body = "\n".join(self.text_of(string.ascii_letters + string.digits + "+/", 64) for _ in range(3))
        kind = self.random.choice(["RSA ", "EC ", "OPENSSH ", ""])
        return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----", "api_key"

    def password(self):
        word = self.text_of(string.ascii_lowercase, self.random.randint(4, 8))
        return self.random.choice([word.capitalize() + self.digits(3) + "!", word + self.random.choice("#$%&*") + self.digits(4) + "x", word.capitalize() + self.digits(4) + word[:2]]), "api_key"


    # presidio-evaluator's names for values
    first_name = first_name_male = first_name_female = first_name_nonbinary = first
    last_name = last_name_male = last_name_female = last
    name_male = name_female = name_ = person
    credit_card_number, phone_number = card, phone

    def ip_address(self):
        return self.random.choice([self.ipv4, self.ipv6])()

    def date_of_birth(self):
        return self.birth()

    def neutral(self, text):
        return text, "neutral"

    def street_name(self):
        return self.neutral(self.street())

    def building_number(self):
        return self.neutral(self.faker.building_number())

    def secondary_address(self):
        return self.neutral(FAKERS["en_US"].secondary_address())

    def city(self):
        return self.neutral(self.faker.city())

    def postcode(self):
        return self.neutral(self.faker.postcode())

    zipcode = postcode

    def state_abbr(self):
        return self.neutral(FAKERS["en_US"].state_abbr())

    def country(self):
        return self.neutral(FAKERS["en_US"].country())

    nation_woman = nation_plural = nationality = lambda self: (self.random.choice(["French", "Dutch", "Turkish", "Kenyan", "Peruvian", "Danish"]), None)
    prefix_male = lambda self: (self.random.choice(["Mr.", "Dr."]), None)
    prefix_female = lambda self: (self.random.choice(["Ms.", "Mrs.", "Dr."]), None)
    prefix = prefix_female
    organization = lambda self: self.neutral(self.faker.company())
    job = lambda self: (FAKERS["en_US"].job().lower(), None)
    year = lambda self: (str(self.random.randint(1950, 2024)), None)
    day_of_week = lambda self: (self.random.choice(["Monday", "Tuesday", "Friday"]), None)
    date_time = lambda self: (self.faker.date(), None)
    url = lambda self: self.neutral("https://www." + self.faker.domain_name() + "/" + self.faker.word())
    us_driver_license = lambda self: self.neutral(self.text_of(string.ascii_uppercase, 1) + self.digits(7))


ADDRESS_PARTS = {"street_name", "building_number", "secondary_address", "city", "postcode", "zipcode", "state_abbr", "country"}


def templates():
    # The package is read, not imported: its own imports are a language pipeline that is of no use here.
    package = importlib.metadata.distribution("presidio-evaluator").locate_file("presidio_evaluator")
    text = (package / "data_generator/raw_data/templates.txt").read_text(encoding="utf-8", errors="replace")
    for line in text.splitlines():
        yield "en", re.sub(r"\{\{(\w+)\}\}", r"{\1}", line.replace("{street_name}", "{{street_name}}") if "{{" not in line else line)
    for line in (HERE / "privacy_templates.txt").read_text().splitlines():
        if not line.startswith("#"):
            yield line.split("|", 1)


def fill(template, values):
    """The text and its spans."""
    text, spans = "", []
    for piece in re.split(r"(\{\{|\}\}|\{\w+\})", template.replace("\\n", "\n")):
        if not re.fullmatch(r"\{\w+\}", piece):
            text += {"{{": "{", "}}": "}"}.get(piece, piece)
            continue
        field = piece[1:-1]
        made = getattr(values, "name_" if field == "name" else field)()
        if made[1]:
            said = re.search(r"(?i)born|birth|dob|geb|\bnée?\b|nac|nasc|geboorte", re.sub(r"\{\w+\}", "", template))
            birth_unsaid = made[1] == "date_of_birth" and not said
            spans.append([field, "neutral" if birth_unsaid else made[1], len(text), len(text) + len(made[0]), *made[2:]])
        text += made[0]
    return text, join_addresses(text, spans)


def join_addresses(text, spans):
    """A street with its house number, and what follows it closely, is one address."""
    joined = []
    for field, kind, start, end, *known in spans:
        last = joined[-1] if joined else None
        near = last and last[0] in ADDRESS_PARTS and field in ADDRESS_PARTS and not re.search(r"\w", text[last[3]:start])
        if near:
            last[3] = end
            last[4].append(field)
        else:
            joined.append([field, kind, start, end, [field], *known])
    for span in joined:
        if {"street_name", "building_number"} <= set(span[4]):
            span[1] = "street_address"
    return [[kind, start, end, *known] for _, kind, start, end, _, *known in joined]


def main():
    part, output = sys.argv[1:]
    for locale in {locale for locales in LOCALES.values() for locale in locales}:
        FAKERS[locale] = faker.Faker(locale)
        FAKERS[locale].seed_instance(f"{part} {locale}")
    mine = [template for template in templates() if half(template[1]) == part]
    values = Values(part, f"privacy {part}")
    with open(output, "w", encoding="utf-8") as file:
        for index in range(TEXTS[part]):
            language, template = mine[index % len(mine)]
            values.locale = values.random.choice(LOCALES[language])
            text, spans = fill(template, values)
            file.write(json.dumps({"template": hashlib.sha256(template.encode()).hexdigest()[:8], "text": text, "spans": spans}, ensure_ascii=False) + "\n")
    print(f"{part}: {len(mine)} templates, {TEXTS[part]} texts", file=sys.stderr)


if __name__ == "__main__":
    main()
