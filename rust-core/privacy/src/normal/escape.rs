//! Decodes escapes and light markup: HTML's character references, percent encoding (RFC 3986, 2.1), backslash escapes as in JSON
//! and most programming languages, tags inside a line, and Markdown's double signs.

/// The longest tag that is passed over.
const TAG_BYTES_MAX: usize = 64;
/// The longest name of a field in a query.
const FIELD_BYTES_MAX: usize = 48;

/// What begins at a place of a text.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Escape {
    /// Nothing but the character that stands there.
    None,
    /// A character in another way of writing, up to this byte.
    Character(char, usize),
    /// What only formats the text, up to this byte.
    Nothing(usize),
}

/// Character references by name: those for signs that values contain, for blanks, and for the letters of ISO 8859-1.
#[rustfmt::skip]
const NAMED: &[(&str, char)] = &[
    ("AElig", 'Æ'), ("Aacute", 'Á'), ("Acirc", 'Â'), ("Agrave", 'À'), ("Aring", 'Å'), ("Atilde", 'Ã'), ("Auml", 'Ä'),
    ("Ccedil", 'Ç'), ("ETH", 'Ð'), ("Eacute", 'É'), ("Ecirc", 'Ê'), ("Egrave", 'È'), ("Euml", 'Ë'), ("Iacute", 'Í'),
    ("Icirc", 'Î'), ("Igrave", 'Ì'), ("Iuml", 'Ï'), ("Ntilde", 'Ñ'), ("Oacute", 'Ó'), ("Ocirc", 'Ô'), ("Ograve", 'Ò'),
    ("Oslash", 'Ø'), ("Otilde", 'Õ'), ("Ouml", 'Ö'), ("THORN", 'Þ'), ("Uacute", 'Ú'), ("Ucirc", 'Û'), ("Ugrave", 'Ù'),
    ("Uuml", 'Ü'), ("Yacute", 'Ý'), ("aacute", 'á'), ("acirc", 'â'), ("aelig", 'æ'), ("agrave", 'à'), ("amp", '&'),
    ("apos", '\''), ("aring", 'å'), ("ast", '*'), ("atilde", 'ã'), ("auml", 'ä'), ("bsol", '\\'), ("ccedil", 'ç'),
    ("colon", ':'), ("comma", ','), ("commat", '@'), ("dash", '-'), ("dollar", '$'), ("eacute", 'é'), ("ecirc", 'ê'),
    ("egrave", 'è'), ("emsp", ' '), ("ensp", ' '), ("equals", '='), ("eth", 'ð'), ("euml", 'ë'), ("excl", '!'), ("gt", '>'),
    ("hyphen", '-'), ("iacute", 'í'), ("icirc", 'î'), ("igrave", 'ì'), ("iuml", 'ï'), ("lowbar", '_'), ("lpar", '('),
    ("lrm", '\u{200e}'), ("lt", '<'), ("mdash", '—'), ("nbsp", ' '), ("ndash", '–'), ("ntilde", 'ñ'), ("num", '#'),
    ("oacute", 'ó'), ("ocirc", 'ô'), ("ograve", 'ò'), ("oslash", 'ø'), ("otilde", 'õ'), ("ouml", 'ö'), ("percnt", '%'),
    ("period", '.'), ("plus", '+'), ("quest", '?'), ("quot", '"'), ("rlm", '\u{200f}'), ("rpar", ')'), ("semi", ';'),
    ("shy", '\u{ad}'), ("sol", '/'), ("szlig", 'ß'), ("thinsp", ' '), ("thorn", 'þ'), ("uacute", 'ú'), ("ucirc", 'û'),
    ("ugrave", 'ù'), ("uuml", 'ü'), ("yacute", 'ý'), ("yuml", 'ÿ'), ("zwj", '\u{200d}'), ("zwnj", '\u{200c}'),
];

/// Tags that only change how the text in them looks.
const INLINE_TAGS: &[&str] = &[
    "a", "abbr", "b", "big", "code", "del", "em", "font", "i", "ins", "kbd", "label", "mark", "s", "samp", "small",
    "span", "strong", "sub", "sup", "tt", "u", "var", "wbr",
];
/// Tags that part what stands before and behind them.
const PARTING_TAGS: &[&str] = &["br", "dd", "div", "dt", "li", "p", "td", "th", "tr"];

/// What begins at byte `at` of `text`, which is in ASCII.
pub(super) fn read(text: &str, at: usize, in_query: bool) -> Escape {
    let rest = &text.as_bytes()[at..];
    let found = match rest[0] {
        b'&' => reference(rest),
        b'%' => percent(rest),
        b'\\' => backslash(rest),
        b'<' => return tag(rest, at),
        b'+' if in_query => Some((' ', 1)),
        b'*' if is_pair(text.as_bytes(), at) => return Escape::Nothing(at + 2),
        _ => None,
    };
    found.map_or(Escape::None, |(character, bytes)| {
        Escape::Character(character, at + bytes)
    })
}

/// Whether a query's field begins here: "name=".
pub(super) fn is_query(rest: &[u8]) -> bool {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.[]%".contains(byte);
    let name = rest.iter().take(FIELD_BYTES_MAX).take_while(|byte| part(byte)).count();
    name > 0 && rest.get(name) == Some(&b'=')
}

/// Exactly two asterisks: more of them hide something.
fn is_pair(bytes: &[u8], at: usize) -> bool {
    bytes.get(at + 1) == Some(&b'*') && bytes.get(at + 2) != Some(&b'*') && (at == 0 || bytes[at - 1] != b'*')
}

/// "&#64;", "&#x40;", "&commat;".
fn reference(rest: &[u8]) -> Option<(char, usize)> {
    let (digits, radix) = match rest.get(1..3)? {
        [b'#', b'x' | b'X'] => (3, 16),
        [b'#', _] => (2, 10),
        _ => return named(rest),
    };
    let (code, bytes) = number(&rest[digits..], radix, 7)?;
    let end = digits + bytes;
    let semicolon = usize::from(rest.get(end) == Some(&b';'));
    Some((char::from_u32(code)?, end + semicolon))
}

fn named(rest: &[u8]) -> Option<(char, usize)> {
    let length = rest[1..]
        .iter()
        .take(8)
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    let name = &rest[1..=length];
    if rest.get(length + 1) != Some(&b';') {
        return None;
    }
    let at = NAMED.binary_search_by_key(&name, |(name, _)| name.as_bytes()).ok()?;
    Some((NAMED[at].1, length + 2))
}

/// One character of UTF-8 in percent encoding.
fn percent(rest: &[u8]) -> Option<(char, usize)> {
    let mut utf8 = [0; 4];
    let byte_at = |at: usize| {
        let digits = rest.get(3 * at..3 * at + 3)?;
        (digits[0] == b'%').then_some(())?;
        number(&digits[1..], 16, 2).filter(|(_, bytes)| *bytes == 2)
    };
    let first = byte_at(0)?.0 as u8;
    let length = match first {
        0..0x80 => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    for (at, byte) in utf8.iter_mut().enumerate().take(length) {
        *byte = byte_at(at)?.0 as u8;
    }
    let character = std::str::from_utf8(&utf8[..length]).ok()?.chars().next()?;
    Some((character, 3 * length))
}

/// "\u0040", "\u{40}", "\U00000040", "\x40", "\n", "\t", "\"", "\/".
fn backslash(rest: &[u8]) -> Option<(char, usize)> {
    match rest.get(1)? {
        b'u' if rest.get(2) == Some(&b'{') => {
            let (code, bytes) = number(&rest[3..], 16, 6)?;
            (rest.get(3 + bytes) == Some(&b'}')).then_some(())?;
            Some((char::from_u32(code)?, bytes + 4))
        }
        b'u' => unit(rest).and_then(|first| match first {
            0xd800..0xdc00 => {
                let second = unit(rest.get(6..)?).filter(|second| (0xdc00..0xe000).contains(second))?;
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                Some((char::from_u32(code)?, 12))
            }
            _ => Some((char::from_u32(first)?, 6)),
        }),
        b'U' => exactly(&rest[2..], 8).and_then(|code| Some((char::from_u32(code)?, 10))),
        b'x' => exactly(&rest[2..], 2).and_then(|code| Some((char::from_u32(code)?, 4))),
        b'n' | b'r' => Some(('\n', 2)),
        b't' => Some(('\t', 2)),
        sign @ (b'"' | b'/' | b'\\') => Some((char::from(*sign), 2)),
        _ => None,
    }
}

/// One UTF-16 code unit, "\uXXXX".
fn unit(rest: &[u8]) -> Option<u32> {
    rest.starts_with(b"\\u").then_some(())?;
    exactly(&rest[2..], 4)
}

fn exactly(rest: &[u8], digits: usize) -> Option<u32> {
    number(rest, 16, digits)
        .filter(|(_, bytes)| *bytes == digits)
        .map(|(code, _)| code)
}

/// The number that at most `digits_max` digits write, with how many there are.
fn number(rest: &[u8], radix: u32, digits_max: usize) -> Option<(u32, usize)> {
    let digit = |byte: &u8| char::from(*byte).to_digit(radix);
    let mut code: u32 = 0;
    let mut bytes = 0;
    for digit in rest.iter().take(digits_max).map_while(digit) {
        code = code.checked_mul(radix)?.checked_add(digit)?;
        bytes += 1;
    }
    (bytes > 0).then_some((code, bytes))
}

/// A tag: nothing when it is one inside a line, a line break when it parts lines. One with what may be a value in it stays.
fn tag(rest: &[u8], at: usize) -> Escape {
    let slash = usize::from(rest.get(1) == Some(&b'/'));
    let begin = 1 + slash;
    let letters = |byte: &&u8| byte.is_ascii_alphabetic();
    let length = rest[begin..].iter().take(7).take_while(letters).count();
    let name = &rest[begin..begin + length];
    let is_in = |tags: &[&str]| tags.iter().any(|tag| tag.as_bytes().eq_ignore_ascii_case(name));
    let end = rest.iter().take(TAG_BYTES_MAX).position(|byte| *byte == b'>');
    let Some(end) = end.filter(|end| matches!(rest[begin + length], b' ' | b'/' | b'>') && *end >= begin + length)
    else {
        return Escape::None;
    };
    if rest[1..end].iter().any(|byte| b"@%&<\n".contains(byte)) {
        Escape::None
    } else if is_in(INLINE_TAGS) {
        Escape::Nothing(at + end + 1)
    } else if is_in(PARTING_TAGS) {
        Escape::Character('\n', at + end + 1)
    } else {
        Escape::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_references_are_in_order() {
        assert!(NAMED.is_sorted_by(|one, other| one.0 < other.0));
    }

    #[test]
    fn escapes_are_read_whole_or_not_at_all() {
        let check = |text: &str, expected: Option<(char, usize)>| {
            let expected = expected.map_or(Escape::None, |(character, end)| Escape::Character(character, end));
            assert_eq!(read(text, 0, false), expected, "{text}");
        };
        check("&#64;x", Some(('@', 5)));
        check("&#x40;", Some(('@', 6)));
        check("&#64x", Some(('@', 4)));
        check("&uuml;", Some(('ü', 6)));
        check("&uuml", None);
        check("&#;", None);
        check("&#1114112;", None);
        check("%40", Some(('@', 3)));
        check("%c3%a9", Some(('é', 6)));
        check("%e3%80%80", Some(('\u{3000}', 9)));
        check("%c3", None);
        check("%c3%28", None);
        check("100%", None);
        check("%4", None);
        check("\\u0040", Some(('@', 6)));
        check("\\ud83d\\ude00", Some(('😀', 12)));
        check("\\ud83d", None);
        check("\\u{1F600}", Some(('😀', 9)));
        check("\\u{110000}", None);
        check("\\x40", Some(('@', 4)));
        check("\\U0001F600", Some(('😀', 10)));
        check("\\d", None);
        check("\\", None);
        check("<br/>", Some(('\n', 5)));
        assert_eq!(read("</span> x", 0, false), Escape::Nothing(7));
        assert_eq!(read("a**b", 1, false), Escape::Nothing(3));
        for text in ["<", "<b", "<b &#64;>", "<x>", "***", "<a href=\"mailto:a@b.example\">"] {
            assert_eq!(read(text, 0, false), Escape::None, "{text}");
        }
        assert_eq!(read("+", 0, true), Escape::Character(' ', 1));
    }
}
