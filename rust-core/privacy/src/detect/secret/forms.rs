//! Tokens with a known form: a documented prefix, the characters that may follow, and their number. Values after words like
//! "password" are in `cue`.

use std::sync::LazyLock;

use crate::detect::view::{Shape, View};

/// The letters of a token behind its beginning.
#[derive(Clone, Copy, Debug)]
enum Alphabet {
    /// Hexadecimal digits in lower case.
    Hex,
    /// Capitals and digits.
    Upper,
    /// Letters and digits.
    Alnum,
    /// Those of base64 for URLs: letters, digits, `-` and `_`.
    Url,
    /// Those, and `.`, `/`, `+` and `=`.
    Any,
}

impl Alphabet {
    fn has(self, byte: u8) -> bool {
        match self {
            Alphabet::Hex => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            Alphabet::Upper => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            Alphabet::Alnum => byte.is_ascii_alphanumeric(),
            Alphabet::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Alphabet::Any => is_body(byte),
        }
    }
}

use Alphabet::{Alnum, Any, Hex, Upper, Url};

/// A beginning, the letters behind it, and how many there are at least.
type Form = (&'static str, Alphabet, usize);

/// Forms after the issuers' documentation, by the first letter.
#[rustfmt::skip]
const FORMS: &[Form] = &[
    ("A3-", Upper, 6), ("ABIA", Upper, 16), ("ABSK", Any, 40), ("ACCA", Upper, 16), ("AGE-SECRET-KEY-1", Upper, 50), ("AIza", Url, 35),
    ("AKC", Alnum, 10), ("AKIA", Upper, 16), ("APP_USR-", Url, 30), ("AQVN", Url, 35), ("AROA", Upper, 16), ("ASIA", Upper, 16),
    ("ATATT3", Any, 60), ("ATBB", Alnum, 28), ("ATCTT3", Any, 60), ("CCIPAT_", Url, 30), ("CLOJARS_", Alnum, 60), ("EAAA", Url, 56),
    ("EAAC", Alnum, 80), ("EAACEdEose0cBA", Alnum, 10), ("EAAM", Alnum, 80), ("EZAK", Alnum, 54), ("EZTK", Alnum, 54),
    ("FLWPUBK_TEST-", Alnum, 12), ("FLWSECK-", Url, 12), ("FLWSECK_TEST-", Alnum, 12), ("GOCSPX-", Url, 24), ("GR1348941", Url, 20),
    ("HRKU-", Url, 36), ("LTAI", Alnum, 16), ("NRAK-", Upper, 27), ("NRII-", Url, 30), ("NRJS-", Hex, 19), ("PMAK-", Any, 50),
    ("SG.", Any, 40), ("TF.", Any, 60), ("YC", Url, 38), ("aio_", Alnum, 28), ("api_org_", Alnum, 30), ("bkua_", Hex, 40),
    ("cmVmd", Alnum, 59), ("dapi", Hex, 32), ("dckr_oat_", Url, 20), ("dckr_pat_", Url, 20), ("dnkey-", Url, 50), ("doo_v1_", Hex, 40),
    ("dop_v1_", Hex, 40), ("dor_v1_", Hex, 40), ("dp.pt.", Alnum, 40), ("dp.st.", Any, 40), ("dt0c01.", Any, 60), ("duffel_", Url, 43),
    ("eyJ", Any, 30), ("figd_", Url, 20), ("fio-u-", Url, 60), ("fm1a_", Any, 60), ("fm1r_", Any, 60), ("fm2_", Any, 60), ("fo1_", Url, 40),
    ("ghe_", Alnum, 30), ("gho_", Alnum, 30), ("ghp_", Alnum, 30), ("ghr_", Alnum, 30), ("ghs_", Alnum, 30), ("ghu_", Alnum, 30),
    ("github_pat_", Url, 40), ("glagent-", Url, 50), ("glcbt-", Url, 20), ("glc_", Any, 32), ("gldt-", Url, 20), ("glffct-", Url, 20),
    ("glft-", Url, 20), ("glimt-", Url, 25), ("gloas-", Url, 60), ("glpat-", Any, 18), ("glptt-", Hex, 40), ("glrt-", Any, 20),
    ("glrtr-", Any, 20), ("glsa_", Url, 30), ("glsoat-", Url, 20), ("gsk_", Alnum, 30), ("hf_", Alnum, 30), ("hvb.", Url, 20),
    ("hvs.", Url, 20), ("ico-", Alnum, 32), ("key-", Hex, 32), ("lin_api_", Alnum, 30), ("lin_oauth_", Alnum, 30), ("live_", Url, 36),
    ("lsv2_pt_", Url, 36), ("lsv2_sk_", Url, 36), ("nfp_", Alnum, 36), ("npm_", Alnum, 30), ("ntn_", Alnum, 40), ("nvapi-", Url, 40),
    ("ops_eyJ", Any, 60), ("oy2", Alnum, 43), ("pat-", Url, 30), ("pat.", Any, 50), ("pcsk_", Url, 40), ("phc_", Alnum, 40), ("phx_", Alnum, 40),
    ("pk.eyJ", Any, 60), ("pk_live_", Alnum, 16), ("pk_test_", Alnum, 16), ("pnu_", Alnum, 36), ("pplx-", Alnum, 40),
    ("pscale_oauth_", Any, 32), ("pscale_pw_", Any, 32), ("pscale_tkn_", Any, 32), ("pubkey-", Hex, 32), ("pul-", Hex, 40),
    ("pypi-", Url, 40), ("r8_", Alnum, 30), ("rdme_", Alnum, 70), ("re_", Url, 24), ("rk_live_", Alnum, 16), ("rk_prod_", Alnum, 16), ("rk_test_", Alnum, 16),
    ("rubygems_", Hex, 48), ("rzp_live_", Alnum, 14), ("rzp_test_", Alnum, 14), ("s-s4t2af-", Hex, 64), ("s-s4t2ud-", Hex, 64),
    ("sat.", Any, 50), ("sbp_", Hex, 40), ("sc_", Any, 60), ("scauth_", Any, 60), ("secret_", Alnum, 30), ("sgp_", Alnum, 40), ("sha256~", Url, 43),
    ("shippo_live_", Hex, 40), ("shippo_test_", Hex, 40), ("shpat_", Alnum, 30), ("shpca_", Alnum, 30), ("shppa_", Alnum, 30),
    ("shpss_", Alnum, 30), ("sk-", Url, 20), ("sk.eyJ", Any, 60), ("sk_live_", Alnum, 16), ("sk_prod_", Alnum, 16), ("sk_test_", Alnum, 16),
    ("sl.", Url, 100), ("sm_aat_", Alnum, 16), ("sm_pat_", Alnum, 16), ("sm_sat_", Alnum, 16), ("sntrys_", Any, 60), ("sntryu_", Hex, 60),
    ("sq0atp-", Url, 20), ("sq0csp-", Url, 30), ("sqa_", Hex, 40), ("sqp_", Hex, 40), ("squ_", Hex, 40), ("tfp_", Any, 50), ("tk-us-", Url, 40),
    ("tskey-", Url, 20), ("tvly-", Url, 28), ("v1.0-", Hex, 24), ("whsec_", Any, 24), ("xai-", Alnum, 40), ("xapp-", Url, 20), ("xkeysib-", Url, 64),
    ("xoxa-", Url, 10), ("xoxb-", Url, 10), ("xoxe-", Url, 10), ("xoxe.xoxb-", Url, 40), ("xoxe.xoxp-", Url, 40), ("xoxo-", Url, 10),
    ("xoxp-", Url, 10), ("xoxr-", Url, 10), ("xoxs-", Url, 10), ("ya29.", Url, 20),
];

/// Forms without a long beginning, which are whole only with exactly so many letters.
const EXACT: &[Form] = &[("SK", Hex, 32), ("AC", Hex, 32)];

/// The places in [`FORMS`] of the forms that begin with each ASCII character.
static BY_FIRST: LazyLock<Vec<Vec<&'static Form>>> = LazyLock::new(|| {
    let of = |byte: u8| FORMS.iter().filter(|form| form.0.as_bytes()[0] == byte).collect();
    (0..128).map(of).collect()
});

/// The second characters of the forms that begin with each ASCII character, a bit for each.
const SECOND: [u128; 128] = {
    let mut seconds = [0; 128];
    let mut index = 0;
    while index < FORMS.len() {
        let prefix = FORMS[index].0.as_bytes();
        seconds[prefix[0] as usize] |= 1 << prefix[1];
        index += 1;
    }
    seconds
};

/// The end of the token that begins with token `index`.
pub(super) fn end(view: &View, index: usize) -> Option<usize> {
    let start = view.start(index);
    let rest = &view.text[start..];
    let bytes = rest.as_bytes();
    // Nearly all words end here: their first two letters begin no token.
    let begins = match bytes {
        [first @ 0..128, second @ 0..128, ..] => SECOND[usize::from(*first)] >> second & 1 == 1,
        _ => false,
    };
    let forms = if begins {
        &BY_FIRST[usize::from(bytes[0])][..]
    } else {
        &[]
    };
    for (prefix, alphabet, least) in forms {
        if !rest.starts_with(prefix) {
            continue;
        }
        let body = run(&bytes[prefix.len()..], *alphabet);
        if body >= *least && is_varied(prefix, &bytes[prefix.len()..prefix.len() + body]) {
            return Some(start + prefix.len() + body_length(&rest[prefix.len()..]));
        }
    }
    if !matches!(view.tokens[index].shape, Shape::Mixed | Shape::Digits) {
        return None;
    }
    let word = view.word(index);
    let exact = |(prefix, alphabet, count): &Form| {
        word.len() == prefix.len() + count
            && word
                .strip_prefix(prefix)
                .is_some_and(|body| run(body.as_bytes(), *alphabet) == *count)
    };
    if EXACT.iter().any(exact) {
        return Some(view.end(index));
    }
    unprefixed(view, index)
}

fn run(bytes: &[u8], alphabet: Alphabet) -> usize {
    bytes
        .iter()
        .take(super::SECRET_BYTES_MAX)
        .take_while(|&&byte| alphabet.has(byte))
        .count()
}

fn is_body(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'+' | b'=')
}

/// How far what may belong to a token goes.
pub(super) fn body_length(rest: &str) -> usize {
    let length = rest
        .bytes()
        .take(super::SECRET_BYTES_MAX)
        .take_while(|&byte| is_body(byte))
        .count();
    rest[..length].trim_end_matches(['.', '-', '/']).len()
}

/// Words joined by hyphens are no token, unless the beginning is one that nothing else has.
fn is_varied(prefix: &str, body: &[u8]) -> bool {
    let joined = body.iter().any(|byte| matches!(byte, b'-' | b'_' | b'.' | b'/'));
    let cases = body.iter().any(u8::is_ascii_uppercase) && body.iter().any(u8::is_ascii_lowercase);
    let same = body.iter().all(|byte| *byte == body[0]);
    let unmistakable = prefix.len() >= 9 || prefix.len() >= 6 && !same;
    body.iter().any(u8::is_ascii_digit) || cases && !joined || unmistakable
}

/// Tokens that are known by a sign in their midst.
fn unprefixed(view: &View, index: usize) -> Option<usize> {
    let (word, start, end) = (view.word(index).as_bytes(), view.start(index), view.end(index));
    let behind = &view.text.as_bytes()[end..];
    match behind.first() {
        // Client secrets of Microsoft Entra: three characters, a digit, `Q~`.
        Some(b'~') if word.len() <= 5 && matches!(word, [.., b'0'..=b'9', b'Q']) => {
            let part = |&&byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'~' | b'.' | b'_' | b'-');
            let length = behind.iter().take(48).take_while(part).count();
            (length >= 32).then(|| end + view.text[end..end + length].trim_end_matches('.').len())
        }
        // Terraform Cloud.
        Some(b'.') if word.len() == 14 && behind.starts_with(b".atlasv1.") => {
            let length = run(&behind[9..], Any);
            (length >= 40).then(|| end + 9 + body_length(&view.text[end + 9..]))
        }
        // Telegram's bots: a number, `:A` and 34 characters.
        Some(b':') if word.iter().all(u8::is_ascii_digit) && (6..=16).contains(&word.len()) => {
            let length = run(&behind[1..], Url);
            (behind.get(1) == Some(&b'A') && (34..=36).contains(&length)).then_some(end + 1 + length)
        }
        // Mailchimp: 32 hexadecimal digits and a data centre.
        Some(b'-') if word.len() == 32 && run(word, Hex) == 32 && behind.starts_with(b"-us") => {
            let digits = behind[3..]
                .iter()
                .take(3)
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            (1..=2).contains(&digits).then_some(end + 3 + digits)
        }
        _ => three_parts(&view.text.as_bytes()[start..]).map(|length| start + length),
    }
}

/// Discord's bots: 24 to 26 characters, 6, and 27 to 38, with dots between them.
fn three_parts(bytes: &[u8]) -> Option<usize> {
    if !matches!(bytes[0], b'M' | b'N' | b'O') {
        return None;
    }
    let first = run(bytes, Url);
    let second = run(bytes.get(first + 1..)?, Url);
    let third = run(bytes.get(first + second + 2..)?, Url);
    let dots = bytes[first] == b'.' && bytes[first + second + 1] == b'.';
    (dots && (24..=26).contains(&first) && second == 6 && (27..=38).contains(&third))
        .then_some(first + second + third + 2)
}

/// Addresses that whoever knows them may post to: a host's word, what follows it, and how many characters at least.
const WEBHOOKS: &[(&str, &str, usize)] = &[
    ("hooks", ".slack.com/services/", 20),
    ("hooks", ".slack.com/workflows/", 20),
    ("hooks", ".slack.com/triggers/", 20),
    ("webhooks", "/", 40),
    ("webhookb2", "/", 60),
];

/// The address around token `index`, when it is a webhook's.
pub(super) fn webhook(view: &View, index: usize) -> Option<std::ops::Range<usize>> {
    let word = view.word(index);
    if !matches!(word.as_bytes(), [b'h' | b'w', .., b's' | b'2']) {
        return None;
    }
    let rest = &view.text[view.end(index)..];
    let (_, path, _) = WEBHOOKS.iter().find(|(host, path, least)| {
        *host == word && rest.starts_with(path) && run(&rest.as_bytes()[path.len()..], Any) >= *least
    })?;
    let end = view.end(index) + path.len() + body_length(&rest[path.len()..]);
    let before = view.text.as_bytes()[..view.start(index)].iter().rev().take(80);
    let start = view.start(index) - before.take_while(|&&byte| is_body(byte) || byte == b':').count();
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_begin_with_two_ascii_characters_and_none_is_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for (prefix, ..) in FORMS {
            assert!(prefix.is_ascii() && prefix.len() >= 2, "{prefix}");
            assert!(seen.insert(prefix), "{prefix} is twice");
        }
    }
}
