//! Crypto wallet addresses: Base58Check (Bitcoin and related currencies), Bech32 (BIP 173, BIP 350), and Ethereum's hexadecimal
//! addresses.

use sha2::{Digest, Sha256};

use super::view::View;
use crate::{Finding, FindingKind};

/// The lengths of the addresses.
const LENGTHS: std::ops::RangeInclusive<usize> = 26..=110;
const BASE58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BECH32: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// What Bech32 addresses of well-known chains begin with.
const CHAINS: &[&str] = &["bc", "tb", "ltc", "addr", "cosmos", "osmo", "bnb", "stake", "zs", "erd"];
/// The constants that a checksum leaves in Bech32 and Bech32m.
const RESIDUES: [u32; 2] = [1, 0x2bc8_30a3];

/// Reads an address that token `index` is.
pub(super) fn at(view: &View, index: usize, found: &mut Vec<Finding>) {
    let word = view.word(index);
    if !LENGTHS.contains(&word.len()) || !word.is_ascii() {
        return;
    }
    let address = match word.as_bytes()[0] {
        b'0' => is_ethereum(word),
        b'1' | b'3' | b'2' | b'm' | b'n' | b'L' | b'M' | b'D' | b'A' | b'T' | b't' | b'X'
            if is_base58check(word.as_bytes()) =>
        {
            true
        }
        _ => is_bech32(word),
    };
    if address {
        super::push(
            found,
            FindingKind::CryptoWallet,
            view.start(index)..view.end(index),
            1.0,
        );
    }
}

fn is_ethereum(word: &str) -> bool {
    let Some(hex) = word.strip_prefix("0x") else {
        return false;
    };
    let same = hex.bytes().all(|byte| byte == hex.as_bytes()[0]);
    hex.len() == 40 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) && !same
}

/// 25 bytes in base 58, of which the last four begin the double SHA-256 of the others.
fn is_base58check(word: &[u8]) -> bool {
    if word.len() > 35 {
        return false;
    }
    let mut bytes = [0_u8; 25];
    for letter in word {
        let Some(mut carry) = BASE58.iter().position(|other| other == letter) else {
            return false;
        };
        for byte in bytes.iter_mut().rev() {
            carry += 58 * usize::from(*byte);
            *byte = (carry % 256) as u8;
            carry /= 256;
        }
        if carry > 0 {
            return false;
        }
    }
    let (payload, checksum) = bytes.split_at(21);
    Sha256::digest(Sha256::digest(payload))[..4] == *checksum
}

fn is_bech32(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    if lower != word && word.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return false;
    }
    let Some((chain, data)) = lower.rsplit_once('1') else {
        return false;
    };
    if !CHAINS.contains(&chain) || data.len() < 6 {
        return false;
    }
    let mut check = 1_u32;
    let mut step = |value: u32| {
        const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
        let top = check >> 25;
        check = (check & 0x01ff_ffff) << 5 ^ value;
        for (bit, term) in GENERATOR.iter().enumerate() {
            check ^= if top >> bit & 1 == 1 { *term } else { 0 };
        }
    };
    chain.bytes().for_each(|byte| step(u32::from(byte >> 5)));
    step(0);
    chain.bytes().for_each(|byte| step(u32::from(byte & 31)));
    for letter in data.bytes() {
        let Some(value) = BECH32.iter().position(|&other| other == letter) else {
            return false;
        };
        step(value as u32);
    }
    RESIDUES.contains(&check)
}
