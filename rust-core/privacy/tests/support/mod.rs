//! Texts put together at random, for the tests of laws.

// No test uses all of it.
#![allow(dead_code)]

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// Pieces that tests put beside each other: values, what looks like placeholders, and what joins or parts them.
const PIECES: &[&str] = &[
    "Anna Kowalska",
    "anna",
    "KOWALSKA",
    "Dr. Okonkwo",
    "a.b@example.org",
    "a",
    "+49 30 1234567",
    "4111 1111 1111 1111",
    "4111111111111111",
    "DE89 3704 0044 0532 0130 00",
    "078-05-1120",
    "10.0.0.1",
    "2001:db8::1:2:3",
    "00:1b:44:11:3a:b7",
    "https://u:secret1@h.example/",
    "sk_live_abcdefghij0123456789",
    "password: hunter2!x",
    "born 12.03.1980",
    "12 Main Street, Springfield, IL 62704",
    "Hauptstraße 5",
    "bluebird",
    "BlueBird",
    "⟨PERSON_1⟩",
    "⟨person 2⟩",
    "PERSON_1",
    "PERSON_12",
    "<EMAIL_1>",
    "[PHONE_1]",
    "⟨",
    "⟩",
    "<",
    ">",
    "_",
    "1",
    "2",
    " ",
    " ",
    " ",
    "\n",
    ", ",
    ". ",
    "-",
    "(",
    ")",
    "PERSON",
    "IBAN_",
    "my name is ",
    "é",
    "日本",
    "👩‍👩‍👧",
    "\u{301}",
    "é",
    "ß",
    "@",
    "://",
    ":",
    "Maria",
    "maria",
    "the ",
    "and ",
    "İ",
    "-----BEGIN RSA PRIVATE KEY-----",
    "passport number K8L2M4N61",
    "DB_PASSWORD=zwalbenfeld",
    "contraseña: zwalbenfeld",
    "密码：q7Kd20xx",
    "routing number 026009593",
    "home: 47.37174, 8.54226",
    "<password>zwalbenfeld</password>",
    "DOB 04061976",
];

/// Cases drawn at random from a seed.
pub(crate) struct Cases(Pcg64);

impl Cases {
    pub(crate) fn new(seed: u64) -> Cases {
        Cases(Pcg64::seed_from_u64(seed))
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.0.next_u64() % limit as u64) as usize
    }

    pub(crate) fn text(&mut self) -> String {
        let pieces = self.below(14);
        (0..pieces).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }

    /// As [`Cases::text`], each character perhaps in another form: wide, escaped, with something invisible or a line break beside it.
    pub(crate) fn soup(&mut self) -> String {
        let often = 2 + self.below(12);
        let mut soup = String::new();
        for character in self.text().chars() {
            let code = u32::from(character);
            let form = if self.below(often) == 0 { self.below(12) } else { 12 };
            match form {
                0 if ('!'..='~').contains(&character) => soup.extend(char::from_u32(code + 0xfee0)),
                1 => soup.push_str(&format!("&#{code};")),
                2 => soup.push_str(&format!("&#x{code:x};")),
                3 => soup.extend(
                    character
                        .encode_utf8(&mut [0; 4])
                        .bytes()
                        .map(|byte| format!("%{byte:02x}")),
                ),
                4 => soup.extend(
                    character
                        .encode_utf16(&mut [0; 2])
                        .iter()
                        .map(|unit| format!("\\u{unit:04x}")),
                ),
                5 if character.is_ascii_digit() => soup.extend(char::from_u32(code - 0x30 + 0x660)),
                5 if character.is_ascii_lowercase() => soup.extend(char::from_u32(code - 0x61 + 0x1d41a)),
                form => {
                    soup.push(character);
                    let hidden = [
                        "\u{200b}", "\u{ad}", "\u{336}", "\n", "\t", "**", "<b></b>", "密", "\n> ", "  ", "_", "\0",
                    ];
                    soup.push_str(hidden.get(form).unwrap_or(&""));
                }
            }
        }
        soup
    }

    /// The text in pieces of a few bytes, cut between characters.
    pub(crate) fn cut<'t>(&mut self, mut text: &'t str) -> Vec<&'t str> {
        let mut pieces = Vec::new();
        while !text.is_empty() {
            let mut at = (1 + self.below(9)).min(text.len());
            while !text.is_char_boundary(at) {
                at += 1;
            }
            let (piece, rest) = text.split_at(at);
            pieces.push(piece);
            text = rest;
        }
        pieces
    }
}
