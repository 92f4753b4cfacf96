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
