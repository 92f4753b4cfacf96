//! The whole tokenizer over a small vocabulary: special tokens, files good and bad, and the laws that hold for any text.
#![allow(clippy::unwrap_used)]

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;

use super::*;

const SENTINEL: char = '\u{fdd0}';

/// Tokens 0 to 255 are the bytes.
fn parts(pre_tokenizer: PreTokenizer) -> TokenizerParts {
    let mut parts = TokenizerParts {
        algorithm: Algorithm::Merges,
        pre_tokenizer,
        ignore_merges: false,
        tokens: (0..=u8::MAX).map(|byte| vec![byte]).collect(),
        kinds: vec![TokenKind::Normal; 256],
        merges: Vec::new(),
        bos: None,
        eos: None,
        add_bos: false,
        end_of_turn: Vec::new(),
    };
    for pair in [
        ["h", "e"],
        ["l", "l"],
        ["he", "ll"],
        ["hell", "o"],
        [" ", "hello"],
        ["\n", "\n"],
        ["1", "2"],
    ] {
        let [left, right] = pair.map(|text| find(&parts, text));
        parts.merges.extend(left.zip(right));
        parts.tokens.push(pair.concat().into_bytes());
        parts.kinds.push(TokenKind::Normal);
    }
    for (text, kind) in [
        ("<|start|>", TokenKind::Control),
        ("<|end|>", TokenKind::Control),
        ("<|end|>!", TokenKind::Control),
        ("end|><|", TokenKind::Control),
        ("<unknown>", TokenKind::Unknown),
        ("##", TokenKind::UserDefined),
        ("###", TokenKind::UserDefined),
        ("  ", TokenKind::UserDefined),
        ("§", TokenKind::Control),
        ("never", TokenKind::Unused),
    ] {
        parts.tokens.push(text.into());
        parts.kinds.push(kind);
    }
    (parts.bos, parts.eos) = (find(&parts, "<|start|>"), find(&parts, "<|end|>"));
    parts.end_of_turn = parts.eos.into_iter().collect();
    parts
}

/// A sentencepiece vocabulary: the bytes but `~`, characters and words with scores, and special tokens.
fn pieces(add_space_prefix: bool) -> TokenizerParts {
    let mut parts = TokenizerParts {
        algorithm: Algorithm::Merges,
        pre_tokenizer: PreTokenizer::Whole,
        ignore_merges: false,
        tokens: (0..=u8::MAX).map(|byte| vec![byte]).collect(),
        kinds: vec![TokenKind::Byte; 256],
        merges: Vec::new(),
        bos: None,
        eos: None,
        add_bos: false,
        end_of_turn: Vec::new(),
    };
    parts.kinds[usize::from(b'~')] = TokenKind::Unused;
    let mut scores = vec![0.0; 256];
    let mut add = |text: &str, kind: TokenKind, score: f32| {
        parts.tokens.push(text.into());
        parts.kinds.push(kind);
        scores.push(score);
    };
    for (text, score) in [
        (" ", -9.0),
        ("  ", -8.0),
        ("h", -7.0),
        ("é", -7.0),
        ("he", -1.0),
        ("el", -3.0),
        ("ll", -2.0),
        ("hell", -4.0),
        (" hell", -3.5),
    ] {
        add(text, TokenKind::Normal, score);
    }
    add("<s>", TokenKind::Control, 0.0);
    add("</s>", TokenKind::Control, 0.0);
    add("<unk>", TokenKind::Unknown, 0.0);
    add("##", TokenKind::UserDefined, 0.0);
    parts.algorithm = Algorithm::Scores {
        scores,
        add_space_prefix,
        strip_after: Vec::new(),
    };
    (parts.bos, parts.eos) = (find(&parts, "<s>"), find(&parts, "</s>"));
    parts.end_of_turn = parts.eos.into_iter().collect();
    parts
}

fn find(parts: &TokenizerParts, text: &str) -> Option<u32> {
    parts
        .tokens
        .iter()
        .position(|token| token == text.as_bytes())
        .map(|id| id as u32)
}

fn tokenizer(pre_tokenizer: PreTokenizer) -> Tokenizer {
    Tokenizer::from_bytes(&parts(pre_tokenizer).to_bytes().unwrap()).unwrap()
}

/// The tokens as text, with `|` between them.
fn shown(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    let tokens: Vec<_> = ids
        .iter()
        .map(|&id| String::from_utf8_lossy(tokenizer.decode_bytes(id)))
        .collect();
    tokens.join("|")
}

#[test]
fn special_tokens_are_found_before_words() {
    let tokenizer = tokenizer(PreTokenizer::Gpt2);
    let check = |text: &str, parse_special: bool, expected: &str| {
        assert_eq!(
            shown(&tokenizer, &tokenizer.encode(text, parse_special)),
            expected,
            "{text:?}"
        );
    };
    check("", true, "");
    check("hello hello", true, "hello| hello");
    check("<|start|>hello<|end|>", true, "<|start|>|hello|<|end|>");
    check("<|end|>", false, "<|||e|n|d|||>");
    check("<unknown>", true, "<unknown>");
    check("<unknown>", false, "<|u|n|k|n|o|w|n|>");
    // The longest claims its place first, then each from the left.
    check("<|end|>!", true, "<|end|>!");
    check("<|end|><|end|>", true, "<|end|>|<|end|>");
    check("<|end|><|", true, "<|end|>|<||");
    check("#####", true, "###|##");
    check("#####", false, "###|##");
    check("a  b", false, "a|  |b");
    check("§", true, "§");
    check("never", true, "n|e|v|e|r");
}

#[test]
fn pieces_are_merged_by_their_scores() {
    let check = |add_space_prefix: bool, text: &str, parse_special: bool, expected: &str| {
        let tokenizer = Tokenizer::from_bytes(&pieces(add_space_prefix).to_bytes().unwrap()).unwrap();
        let ids = tokenizer.encode(text, parse_special);
        assert_eq!(shown(&tokenizer, &ids), expected, "{text:?}");
    };
    check(false, "", true, "");
    check(true, "", true, "");
    check(false, "hell", true, "hell");
    check(false, "hello", true, "hell|o");
    check(false, "he l", true, "he| |l");
    // A space is put before the text and behind special tokens, and its sign is a space.
    check(true, "hell", true, " hell");
    check(true, "<s>hell</s>", true, "<s>| hell|</s>");
    check(true, "##hell", false, "##| hell");
    check(false, "\u{2581}hell\u{2581}\u{2581}", true, " hell|  ");
    // Control tokens are never met by merging, and a byte without a token is left out.
    check(false, "<s>", false, "<|s|>");
    check(false, "<unk>~", true, "<unk>");
    let tokenizer = Tokenizer::from_bytes(&pieces(false).to_bytes().unwrap()).unwrap();
    let bytes: Vec<u32> = "日".bytes().map(u32::from).collect();
    assert_eq!(tokenizer.encode("日", true), bytes);
    assert_eq!(
        tokenizer.encode("é", true),
        [tokenizer.token_id("é".as_bytes()).unwrap()]
    );
}

#[test]
fn whitespace_behind_some_special_tokens_is_left_out() {
    let mut parts = pieces(true);
    let id = find(&parts, "</s>").unwrap();
    if let Algorithm::Scores { strip_after, .. } = &mut parts.algorithm {
        strip_after.push(id);
    }
    let bytes = parts.to_bytes().unwrap();
    assert_eq!(TokenizerParts::from_bytes(&bytes).unwrap(), parts);
    let tokenizer = Tokenizer::from_bytes(&bytes).unwrap();
    let check = |text: &str, expected: &str| {
        assert_eq!(shown(&tokenizer, &tokenizer.encode(text, true)), expected, "{text:?}");
        assert_eq!(tokenizer.encode_marked(text, SENTINEL), tokenizer.encode(text, true));
    };
    check("</s> \n hell", "</s>| hell");
    check("<s> hell", "<s>| | hell");
    check("</s> \n </s>\n", "</s>|</s>");
    check("</s>##", "</s>|##");
    for strip_after in [vec![id, id], vec![9999]] {
        let mut parts = parts.clone();
        if let Algorithm::Scores { strip_after: ids, .. } = &mut parts.algorithm {
            *ids = strip_after;
        }
        assert!(parts.to_bytes().is_err());
    }
}

#[test]
fn the_rest_of_a_text_gets_no_space() {
    let tokenizer = Tokenizer::from_bytes(&pieces(true).to_bytes().unwrap()).unwrap();
    let rest = |marked: &str| shown(&tokenizer, &tokenizer.encode_marked_rest(marked, SENTINEL));
    assert_eq!(rest("hell<s>hell"), "hell|<s>| hell");
    assert_eq!(rest("<s>"), "<s>");
    let whole = tokenizer.encode_marked("hell<s>\u{fdd0}hell", SENTINEL);
    assert_eq!(shown(&tokenizer, &whole), " hell|<s>| hell");
}

#[test]
fn pieces_keep_what_messages_say() {
    let mut generator = Pcg64::new(4, 1);
    let tokenizer = Tokenizer::from_bytes(&pieces(false).to_bytes().unwrap()).unwrap();
    for _ in 0..3000 {
        let text = random_text(&mut generator).replace(['~', '\u{2581}'], "");
        let ids = tokenizer.encode(&text, false);
        assert!(!ids.iter().any(|&id| tokenizer.is_control(id)), "{text:?}");
        let decoded: Vec<u8> = ids.iter().flat_map(|&id| tokenizer.decode_bytes(id)).copied().collect();
        assert_eq!(decoded, text.as_bytes());
        let protected = tokenizer.protect(&text, SENTINEL);
        assert_eq!(tokenizer.encode_marked(&protected, SENTINEL), ids, "{text:?}");
    }
    for piece in ["l", "he", " ", "日", "<s>"] {
        let text = piece.repeat((1 << 18) / piece.len());
        assert!(!tokenizer.encode(&text, true).is_empty());
    }
}

/// As [`pieces`], with merges of characters.
fn characters() -> TokenizerParts {
    let mut parts = pieces(false);
    parts.algorithm = Algorithm::Characters;
    parts.pre_tokenizer = PreTokenizer::Lines;
    for text in ["l", "e", "\n", "\n\n\n"] {
        parts.tokens.push(text.into());
        parts.kinds.push(TokenKind::Normal);
    }
    let id = |text: &str| {
        let is_word = |id: &usize| parts.kinds[*id] == TokenKind::Normal && parts.tokens[*id] == text.as_bytes();
        (0..parts.tokens.len()).find(is_word).unwrap() as u32
    };
    parts.merges = [("l", "l"), ("h", "e"), ("he", "ll"), (" ", " ")]
        .map(|(left, right)| (id(left), id(right)))
        .into();
    parts
}

#[test]
fn characters_are_merged_and_what_is_none_becomes_bytes() {
    let parts = characters();
    let bytes = parts.to_bytes().unwrap();
    assert_eq!(TokenizerParts::from_bytes(&bytes).unwrap(), parts);
    assert_eq!(bytes[8..12], 3_u32.to_le_bytes(), "the version");
    let tokenizer = Tokenizer::from_bytes(&bytes).unwrap();
    let check = |text: &str, expected: &str| {
        assert_eq!(shown(&tokenizer, &tokenizer.encode(text, true)), expected, "{text:?}");
    };
    check("hello", "hell|o");
    check("  h\u{2581}é", "  |h| |é");
    // A run of line feeds that is a token is one, whatever the merges say.
    check("l\n\n\nl\n\nl", "l|\n\n\n|l|\n|\n|l");
    check("##hell<s>", "##|hell|<s>");
    let bird = tokenizer.encode("🐦", true);
    assert_eq!(bird, "🐦".bytes().map(u32::from).collect::<Vec<_>>());
    let decoded: Vec<u8> = bird
        .iter()
        .flat_map(|&id| tokenizer.decode_bytes(id))
        .copied()
        .collect();
    assert_eq!(decoded, "🐦".as_bytes());
    // The flag and the version go together.
    for (at, value) in [(8, 1_u32), (8, 2), (16, 0)] {
        let mut changed = bytes.clone();
        changed[at..at + 4].copy_from_slice(&value.to_le_bytes());
        assert!(Tokenizer::from_bytes(&changed).is_err(), "{value} at {at}");
    }
}

#[test]
fn scores_that_make_no_tokenizer_are_refused() {
    let check = |change: fn(&mut TokenizerParts), expected: &str| {
        let mut parts = pieces(true);
        change(&mut parts);
        let error = parts.to_bytes().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(
        |parts| {
            if let Algorithm::Scores { scores, .. } = &mut parts.algorithm {
                scores[3] = f32::NAN;
            }
        },
        "the score of token 3 is NaN",
    );
    check(
        |parts| {
            if let Algorithm::Scores { scores, .. } = &mut parts.algorithm {
                scores.pop();
            }
        },
        "269 tokens, but 268 scores",
    );
    check(|parts| parts.tokens[7] = b"ab".to_vec(), "token 7 is of kind byte");
    check(|parts| parts.merges.push((260, 261)), "merge 0");
    check(|parts| parts.tokens[257] = b" ".to_vec(), "repeats another token");
}

#[test]
fn whole_words_come_before_merges_where_the_vocabulary_says_so() {
    let mut parts = parts(PreTokenizer::LlamaBpe);
    parts.tokens.push(b"abc".to_vec());
    parts.kinds.push(TokenKind::Normal);
    for (ignore_merges, expected) in [(false, "a|b|c"), (true, "abc")] {
        parts.ignore_merges = ignore_merges;
        let tokenizer = Tokenizer::from_bytes(&parts.to_bytes().unwrap()).unwrap();
        assert_eq!(shown(&tokenizer, &tokenizer.encode("abc", true)), expected);
        assert_eq!(shown(&tokenizer, &tokenizer.encode("hello", true)), "hello");
    }
}

#[test]
fn bytes_without_a_token_are_left_out() {
    let mut parts = parts(PreTokenizer::Gpt2);
    parts.kinds[usize::from(b'x')] = TokenKind::Unused;
    let tokenizer = Tokenizer::from_bytes(&parts.to_bytes().unwrap()).unwrap();
    assert_eq!(shown(&tokenizer, &tokenizer.encode("hexllo", true)), "he|ll|o");
}

#[test]
fn what_ends_a_turn_is_a_control_token() {
    let mut parts = parts(PreTokenizer::Gpt2);
    parts.end_of_turn.push(find(&parts, "##").unwrap());
    let tokenizer = Tokenizer::from_bytes(&parts.to_bytes().unwrap()).unwrap();
    assert!(tokenizer.is_control(tokenizer.token_id(b"##").unwrap()));
    assert_eq!(shown(&tokenizer, &tokenizer.encode("##", false)), "#|#");
    assert_eq!(shown(&tokenizer, &tokenizer.encode("##", true)), "##");
}

#[test]
fn facts_about_tokens() {
    let tokenizer = tokenizer(PreTokenizer::Smollm);
    let id = |text: &str| tokenizer.token_id(text.as_bytes());
    assert_eq!(tokenizer.vocabulary_len(), 273);
    assert_eq!(
        (id("hello"), id("<|start|>"), id("nothing"), id("never")),
        (Some(259), Some(263), None, None)
    );
    assert_eq!(
        (tokenizer.bos(), tokenizer.eos(), tokenizer.add_bos()),
        (id("<|start|>"), id("<|end|>"), false)
    );
    assert_eq!(tokenizer.end_of_turn(), [264]);
    assert!(tokenizer.is_control(263) && !tokenizer.is_control(259) && !tokenizer.is_control(9999));
    assert_eq!(tokenizer.decode_bytes(9999), b"");
    let texts: Vec<&str> = tokenizer.special_texts().collect();
    assert_eq!(
        texts,
        [
            "  ",
            "##",
            "###",
            "<unknown>",
            "<|end|>",
            "<|end|>!",
            "<|start|>",
            "end|><|",
            "§"
        ]
    );
    assert_eq!(
        format!("{tokenizer:?}"),
        "Tokenizer { pre_tokenizer: Smollm, tokens: 273, .. }"
    );
}

const SPECIALS: [&str; 9] = [
    "<|start|>",
    "<|end|>",
    "<|end|>!",
    "end|><|",
    "<unknown>",
    "##",
    "###",
    "  ",
    "§",
];

/// A text made of pieces of special tokens, words and any characters.
fn random_text(generator: &mut Pcg64) -> String {
    let mut below = |limit: usize| generator.next_u64() as usize % limit;
    let mut text = String::new();
    for _ in 0..below(8) {
        let special = SPECIALS[below(SPECIALS.len())];
        match below(6) {
            0 => text += special,
            1 => text.extend(special.chars().take(below(8))),
            2 => text.extend(special.chars().skip(below(8))),
            3 => text += [" ", "\n", "  \n", "hello", "é", "'s", "12345", "|>", "<"][below(9)],
            4 => text.extend(char::from_u32(below(0x11_0000) as u32).filter(|&any| any != SENTINEL)),
            _ => text.extend(char::from_u32(below(0x250) as u32)),
        }
    }
    text
}

#[test]
fn decoding_what_was_encoded_gives_the_text() {
    let mut generator = Pcg64::new(1, 1);
    for rule in PreTokenizer::ALL {
        let tokenizer = tokenizer(rule);
        for _ in 0..3000 {
            let text = random_text(&mut generator);
            for parse_special in [false, true] {
                let ids = tokenizer.encode(&text, parse_special);
                let decoded: Vec<u8> = ids.iter().flat_map(|&id| tokenizer.decode_bytes(id)).copied().collect();
                assert_eq!(decoded, text.as_bytes());
                assert!(
                    parse_special || !ids.iter().any(|&id| tokenizer.is_control(id)),
                    "{text:?}"
                );
            }
        }
    }
}

#[test]
fn protected_text_is_text_and_the_rest_is_as_before() {
    let tokenizer = tokenizer(PreTokenizer::Smollm);
    let mut generator = Pcg64::new(2, 1);
    for _ in 0..3000 {
        let text = random_text(&mut generator);
        assert_eq!(
            tokenizer.encode_marked(&text, SENTINEL),
            tokenizer.encode(&text, true),
            "{text:?}"
        );
        let protected = tokenizer.protect(&text, SENTINEL);
        assert_eq!(protected.replace(SENTINEL, ""), text);
        assert_eq!(
            tokenizer.encode_marked(&protected, SENTINEL),
            tokenizer.encode(&text, false),
            "{text:?}"
        );
    }
}

/// Whatever a template puts around a content, and whether it trims it or not, no control token lies over any of it.
#[test]
fn no_control_token_reaches_into_a_content() {
    let tokenizer = tokenizer(PreTokenizer::Smollm);
    let mut generator = Pcg64::new(3, 1);
    for _ in 0..20_000 {
        let [before, content, after] = [(); 3].map(|()| random_text(&mut generator));
        let protected = tokenizer.protect(&content, SENTINEL);
        for middle in [
            &*protected,
            protected.trim(),
            protected.trim_start(),
            protected.trim_end(),
        ] {
            let (text, found) = tokenizer.claim_marked(&[&before, middle, &after].concat(), SENTINEL);
            let inside = before.len()..text.len() - after.len();
            let reaches_in = |found: &&Found| {
                let overlaps = found.bytes.start < inside.end && found.bytes.end > inside.start;
                overlaps && !inside.is_empty() && tokenizer.is_control(found.id)
            };
            assert_eq!(found.iter().find(reaches_in), None, "{before:?} {middle:?} {after:?}");
        }
    }
}

#[test]
fn the_sentinel_occurs_nowhere_else() {
    let tokenizer = tokenizer(PreTokenizer::Gpt2);
    let check = |texts: &[&str], expected| assert_eq!(tokenizer.sentinel(texts.iter().copied()), expected);
    check(&[], Some('\u{fdd0}'));
    check(&["a\u{fdd0}", "\u{fdd1}"], Some('\u{fdd2}'));
    let all: String = ('\u{fdd0}'..='\u{fdef}').collect();
    check(&[&all], None);
}

/// These would run for hours if any step were quadratic.
#[test]
fn long_words_take_no_longer_than_others() {
    for rule in PreTokenizer::ALL {
        let tokenizer = tokenizer(rule);
        for piece in [
            "l", "7", " ", "\n", "<", "é", "\u{3000}", "<|end|>", "'s", " 7", "\r\n ",
        ] {
            let text = piece.repeat((1 << 18) / piece.len());
            let protected = tokenizer.protect(&text, SENTINEL);
            assert_eq!(
                tokenizer.encode_marked(&protected, SENTINEL),
                tokenizer.encode(&text, false)
            );
        }
    }
}

#[test]
fn parts_come_back_from_their_file() {
    for rule in PreTokenizer::ALL {
        let parts = TokenizerParts {
            algorithm: Algorithm::Merges,
            ignore_merges: true,
            add_bos: true,
            ..parts(rule)
        };
        let bytes = parts.to_bytes().unwrap();
        assert_eq!(TokenizerParts::from_bytes(&bytes).unwrap(), parts);
        assert_eq!(PreTokenizer::from_name(rule.name()), Some(rule));
    }
    let parts = pieces(true);
    let bytes = parts.to_bytes().unwrap();
    assert_eq!(bytes[8..12], 2_u32.to_le_bytes(), "the version");
    assert_eq!(TokenizerParts::from_bytes(&bytes).unwrap(), parts);
    assert_eq!(PreTokenizer::from_name("gpt-3"), None);
}

#[test]
fn repeated_merges_count_once() {
    let mut parts = parts(PreTokenizer::Gpt2);
    let merges = parts.merges.clone();
    parts.merges.extend_from_slice(&merges);
    assert_eq!(
        TokenizerParts::from_bytes(&parts.to_bytes().unwrap()).unwrap().merges,
        merges
    );
}

#[test]
fn the_file_is_as_documented() {
    let parts = TokenizerParts {
        algorithm: Algorithm::Merges,
        pre_tokenizer: PreTokenizer::Smollm,
        ignore_merges: true,
        tokens: vec![b"b".to_vec(), b"a".to_vec(), b"ab".to_vec(), b"<>".to_vec()],
        kinds: vec![
            TokenKind::Normal,
            TokenKind::Byte,
            TokenKind::Normal,
            TokenKind::Control,
        ],
        merges: vec![(1, 0)],
        bos: None,
        eos: Some(3),
        add_bos: false,
        end_of_turn: vec![3],
    };
    let numbers = |list: &[u32]| -> Vec<u8> { list.iter().flat_map(|number| number.to_le_bytes()).collect() };
    let expected = [
        b"WHIMTOK\0".to_vec(),
        numbers(&[1, 2, 1, u32::MAX, 3, 4, 1, 1, 4]),
        numbers(&[3]),
        numbers(&[1, 2, 4, 6]),
        numbers(&[1, 0, 2]),
        numbers(&[3, 1, 2, 0]),
        vec![1, 6, 1, 3],
        b"baab<>".to_vec(),
    ];
    assert_eq!(parts.to_bytes().unwrap(), expected.concat());
}

fn check_refused(change: impl FnOnce(&mut TokenizerParts), expected: &str) {
    let mut parts = parts(PreTokenizer::Gpt2);
    change(&mut parts);
    let error = parts.to_bytes().unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn parts_that_make_no_tokenizer_are_refused() {
    check_refused(|parts| parts.kinds.truncate(3), "273 tokens, but 3 kinds");
    check_refused(
        |parts| parts.tokens[7] = b"a".to_vec(),
        "token 97 repeats another token",
    );
    check_refused(|parts| parts.tokens[270] = b"<|end|>".to_vec(), "repeats another");
    check_refused(
        |parts| parts.tokens[263].clear(),
        "special token 263 is empty or not UTF-8",
    );
    check_refused(
        |parts| parts.tokens[263] = b"\xff".to_vec(),
        "special token 263 is empty or not UTF-8",
    );
    check_refused(
        |parts| parts.merges.push((1, 273)),
        "merge 7 names the unknown token 273",
    );
    check_refused(
        |parts| parts.merges.push((1, 2)),
        "merge 7 of tokens 1 and 2 gives no token",
    );
    check_refused(|parts| parts.bos = Some(273), "token 273 has a role");
    check_refused(|parts| parts.end_of_turn.push(273), "token 273 has a role");
    check_refused(|parts| (parts.add_bos, parts.bos) = (true, None), "none is named");
}

#[test]
fn limits_of_a_tokenizer() {
    let accepted = |change: &dyn Fn(&mut TokenizerParts)| {
        let mut parts = parts(PreTokenizer::Gpt2);
        change(&mut parts);
        parts.to_bytes().is_ok()
    };
    assert!(accepted(&|parts| parts.end_of_turn = vec![0; 256]));
    assert!(!accepted(&|parts| parts.end_of_turn = vec![0; 257]));
    assert!(accepted(&|parts| parts.tokens[270] = vec![b'x'; 4096]));
    assert!(!accepted(&|parts| parts.tokens[270] = vec![b'x'; 4097]));
    let with_tokens = |parts: &mut TokenizerParts, count: usize| {
        parts.tokens.resize(count, Vec::new());
        parts.kinds.resize(count, TokenKind::Unused);
    };
    assert!(accepted(&|parts| with_tokens(parts, 1 << 20)));
    assert!(!accepted(&|parts| with_tokens(parts, (1 << 20) + 1)));
}

/// Whatever is done to a file, reading it ends with a tokenizer or an error, and a tokenizer can be used.
#[test]
fn damaged_files_do_no_harm() {
    let whole = parts(PreTokenizer::Smollm).to_bytes().unwrap();
    for length in 0..whole.len() {
        assert!(Tokenizer::from_bytes(&whole[..length]).is_err(), "{length}");
    }
    assert!(Tokenizer::from_bytes(&[whole.as_slice(), b"x"].concat()).is_err());
    for position in 0..whole.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[position] ^= change;
            if let Ok(tokenizer) = Tokenizer::from_bytes(&bytes) {
                tokenizer.encode("hello <|end|>! §é12", true);
                tokenizer.protect("<|end|>", SENTINEL);
            }
        }
    }
}

#[test]
fn counts_beyond_the_file_take_no_memory() {
    let whole = parts(PreTokenizer::Smollm).to_bytes().unwrap();
    for field in 5..9 {
        for count in [1 << 20, 1 << 31, u32::MAX] {
            let mut bytes = whole.clone();
            bytes[8 + field * 4..][..4].copy_from_slice(&u32::to_le_bytes(count));
            assert!(Tokenizer::from_bytes(&bytes).is_err());
        }
    }
}
