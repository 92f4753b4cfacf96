//! The scales and minimums of Q4_K and Q5_K: eight of each with six bits, in twelve bytes.

/// Parts of a block.
pub(super) const PARTS: usize = 8;
/// Bytes of the scales and minimums of a block.
pub(super) const BYTES: usize = 12;

/// Scale and minimum of each part.
pub(super) fn unpack(bytes: &[u8; BYTES]) -> [(u8, u8); PARTS] {
    std::array::from_fn(|part| {
        if part < 4 {
            return (bytes[part] & 63, bytes[part + 4] & 63);
        }
        // Low bits in the last four bytes, high bits at the top of the first eight.
        let low = bytes[part + 4];
        (low & 15 | bytes[part - 4] >> 6 << 4, low >> 4 | bytes[part] >> 6 << 4)
    })
}

/// The bytes of scale and minimum of each part, each at most 63.
pub(super) fn pack(parts: &[(u8, u8); PARTS]) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for (part, (scale, minimum)) in parts.iter().enumerate() {
        if part < 4 {
            bytes[part] |= scale;
            bytes[part + 4] |= minimum;
        } else {
            bytes[part + 4] |= scale & 15 | minimum << 4;
            bytes[part - 4] |= scale >> 4 << 6;
            bytes[part] |= minimum >> 4 << 6;
        }
    }
    bytes
}
