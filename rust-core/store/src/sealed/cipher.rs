//! The two ciphers: XChaCha20-Poly1305 for values with random nonces (draft-irtf-cfrg-xchacha-03), and for files AES-256-GCM where the
//! processor has instructions for it, otherwise ChaCha20-Poly1305. ring provides the ciphers, which are assembly on all phones.

use chacha20::{R20, hchacha};
use ring::aead::{AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};
use ring::error::Unspecified;
use zeroize::Zeroizing;

pub(super) const KEY_BYTES: usize = 32;
pub(super) const TAG_BYTES: usize = 16;
/// Bytes of a nonce that is long enough to be random.
pub(super) const XNONCE_BYTES: usize = 24;
/// Bytes of a nonce that is counted.
pub(super) const NONCE_BYTES: usize = 12;

/// Which cipher a file is sealed with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FileCipher {
    Aes256Gcm,
    ChaCha20Poly1305,
}

impl FileCipher {
    /// The faster one on this processor.
    pub(super) fn fastest() -> FileCipher {
        match has_aes_instructions() {
            true => FileCipher::Aes256Gcm,
            false => FileCipher::ChaCha20Poly1305,
        }
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            FileCipher::Aes256Gcm => &AES_256_GCM,
            FileCipher::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        }
    }

    pub(super) fn key(self, key: &[u8; KEY_BYTES]) -> LessSafeKey {
        key_of(self.algorithm(), key)
    }
}

fn has_aes_instructions() -> bool {
    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    return std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes") && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
    return false;
}

fn key_of(algorithm: &'static Algorithm, key: &[u8; KEY_BYTES]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(algorithm, key).expect("both ciphers have keys of 32 bytes"))
}

/// Encrypts where the bytes stand, and returns the tag.
pub(super) fn seal_detached(
    key: &LessSafeKey,
    nonce: [u8; NONCE_BYTES],
    associated: &[u8],
    bytes: &mut [u8],
) -> [u8; TAG_BYTES] {
    let sealed = key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), bytes);
    let tag = sealed.expect("no value or chunk reaches 64 GiB");
    tag.as_ref().try_into().expect("both ciphers have tags of 16 bytes")
}

/// Decrypts bytes with their tag behind them where they stand, and cuts the tag off. If it fails, nothing is left of them.
pub(super) fn open_in_place(
    key: &LessSafeKey,
    nonce: [u8; NONCE_BYTES],
    associated: &[u8],
    bytes: &mut Vec<u8>,
) -> Result<(), Unspecified> {
    let opened = key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(associated), bytes);
    match opened.map(|plain| plain.len()) {
        Ok(length) => bytes.truncate(length),
        Err(error) => {
            bytes.clear();
            return Err(error);
        }
    }
    Ok(())
}

/// As [`open_in_place`], with the tag apart and without associated data.
pub(super) fn open_detached(
    key: &LessSafeKey,
    nonce: [u8; NONCE_BYTES],
    tag: [u8; TAG_BYTES],
    bytes: &mut [u8],
) -> Result<(), Unspecified> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = Tag::from(tag);
    key.open_in_place_separate_tag(nonce, Aad::empty(), tag, bytes, 0..)
        .map(drop)
}

/// The key and the nonce of ChaCha20-Poly1305 that make XChaCha20-Poly1305: the first 16 bytes of the long nonce go into the key.
pub(super) fn extended(key: &[u8; KEY_BYTES], nonce: &[u8; XNONCE_BYTES]) -> (LessSafeKey, [u8; NONCE_BYTES]) {
    let (head, tail) = nonce.split_at(16);
    let head: [u8; 16] = head.try_into().expect("16 bytes were split off");
    let subkey: [u8; KEY_BYTES] = hchacha::<R20>(key.into(), &head.into()).into();
    let subkey = Zeroizing::new(subkey);
    let mut short = [0; NONCE_BYTES];
    short[4..].copy_from_slice(tail);
    (key_of(&CHACHA20_POLY1305, &subkey), short)
}

#[cfg(test)]
mod tests {
    use chacha20poly1305::aead::{Aead, Payload};
    use chacha20poly1305::{KeyInit, XChaCha20Poly1305};

    use super::*;

    /// What is sealed here, another implementation of XChaCha20-Poly1305 opens, and the other way round.
    #[test]
    fn the_long_nonce_is_that_of_the_draft() {
        for length in [0usize, 1, 15, 16, 17, 64, 200, 1000, 5000] {
            let key: [u8; KEY_BYTES] = std::array::from_fn(|place| (place * 7 + length) as u8);
            let nonce: [u8; XNONCE_BYTES] = std::array::from_fn(|place| (place * 11 + length) as u8);
            let plain: Vec<u8> = (0..length).map(|place| place as u8).collect();
            let other = XChaCha20Poly1305::new((&key).into());
            let payload = Payload {
                msg: &plain,
                aad: b"bound",
            };
            let theirs = other.encrypt(&nonce.into(), payload).unwrap();
            let (inner, short) = extended(&key, &nonce);
            let mut ours = plain.clone();
            let tag = seal_detached(&inner, short, b"bound", &mut ours);
            ours.extend_from_slice(&tag);
            assert_eq!(ours, theirs, "{length}");
            let (inner, short) = extended(&key, &nonce);
            open_in_place(&inner, short, b"bound", &mut ours).unwrap();
            assert_eq!(ours, plain, "{length}");
        }
    }
}
