//! The integer sums of one part on NEON: three implementations, which agree to the last bit.
//!
//! A sum starts from the bits of a float so large that one more in its bits is one more in its value. After the last product, subtracting that
//! float leaves the sum as a float, exactly. A conversion would take two turns of the one port that converts, on most cores.

use std::arch::aarch64::*;

use super::PairBlock;
use super::neon::{dot, load_anew, matrix, settle, two_bits_and_six};
use crate::activations::{ActivationBlock, Activations, SUM_START};
use crate::formats::codes::{GROUP_BYTES, TABLE, high_bits_at};
use crate::formats::{BlockFormat, Codes, zero_sum};
use crate::tensor_type::BLOCK_COLUMNS;

/// How a level makes the sums of four rows of weights, a quarter of a panel, times the rows of activations of a tile, in `R` registers.
pub(super) trait PartSums {
    /// What holds the activations of one row, or of two.
    type Input;

    /// Whether the sums of a single row, too, leave little room in the registers.
    const IS_WIDE: bool;

    /// What sums start from, as bits: the float that is to be subtracted in the end.
    fn start<F: BlockFormat>() -> &'static [i32; 4];

    /// The blocks of register `register`'s activations, for a tile that begins with row `first`.
    fn inputs(activations: &Activations, first: usize, register: usize) -> &[Self::Input];

    /// The sums of a part: codes times activations, the code of zero taken off, as bits of floats: see [`PartSums::start`].
    unsafe fn sums<F: BlockFormat, const R: usize>(
        codes: *const u8,
        quarter: usize,
        part: usize,
        inputs: &[*const Self::Input; R],
    ) -> [int32x4_t; R];

    /// Four scales of weights as the registers of a row or of two rows need them; by default of one row.
    #[inline(always)]
    unsafe fn spread(scales: float32x4_t) -> [float32x4_t; 2] {
        [scales, scales]
    }

    /// Spread scales times those of the activations of a register.
    unsafe fn scaled<const R: usize>(
        scales: float32x4_t,
        inputs: &[*const Self::Input; R],
        register: usize,
    ) -> float32x4_t;

    /// Adds spread minimums times the sums of the activations of a register.
    unsafe fn add_minimums<const R: usize>(
        totals: float32x4_t,
        minimums: float32x4_t,
        inputs: &[*const Self::Input; R],
        register: usize,
    ) -> float32x4_t;

    /// The four outputs of row `row`, out of the totals; by default its register.
    #[inline(always)]
    unsafe fn outputs<const R: usize>(totals: &[float32x4_t; R], row: usize) -> float32x4_t {
        totals[row]
    }
}

/// Sixteen bytes of group `index`, those of rows `4 × quarter` and after.
#[inline(always)]
unsafe fn group(codes: *const u8, index: usize, quarter: usize) -> uint8x16_t {
    // SAFETY: the caller's part holds the group.
    unsafe { vld1q_u8(codes.add(GROUP_BYTES * index + 16 * quarter)) }
}

/// The codes of four number `index` and of four rows, those of rows `4 × quarter` and after.
#[inline(always)]
unsafe fn four<F: BlockFormat>(codes: *const u8, index: usize, quarter: usize) -> int8x16_t {
    // SAFETY: the caller's part holds the four; NEON belongs to the baseline.
    unsafe {
        if F::CODES == Codes::Bytes {
            return vreinterpretq_s8_u8(group(codes, index, quarter));
        }
        let bytes = group(codes, index / 2, quarter);
        let nibbles = if index.is_multiple_of(2) {
            vandq_u8(bytes, vdupq_n_u8(15))
        } else {
            vshrq_n_u8::<4>(bytes)
        };
        match F::CODES {
            Codes::Nibbles | Codes::Bytes => vreinterpretq_s8_u8(nibbles),
            Codes::Table => vqtbl1q_s8(vld1q_s8(TABLE.as_ptr()), nibbles),
            Codes::FiveBits | Codes::SixBits => {
                let bits = F::CODES.high_bits();
                let high = vld1q_u8(codes.add(high_bits_at::<F>() + 16 * quarter));
                // To the left, or to the right where it is negative.
                let places = 4 - (bits * index) as i8;
                let high = vandq_u8(vshlq_u8(high, vdupq_n_s8(places)), vdupq_n_u8(((1 << bits) - 1) << 4));
                vreinterpretq_s8_u8(vorrq_u8(nibbles, high))
            }
        }
    }
}

/// Widening multiplications of plain NEON.
pub(super) struct Products;

/// Four activations for two rows.
#[inline(always)]
unsafe fn twice(input: *const ActivationBlock, at: usize) -> int8x8_t {
    // SAFETY: the caller's values reach so far; NEON belongs to the baseline.
    unsafe {
        let values = (&raw const (*input).values).cast::<i8>().add(at);
        vreinterpret_s8_s32(vdup_n_s32(values.cast::<i32>().read_unaligned()))
    }
}

/// Codes without sign: adds four number `index`. Sixteen bits hold a column's sum: of eight fours, 8 × 31 × 127 = 31,496, as of four with six
/// bits, 4 × 63 × 127 = 32,004.
#[inline(always)]
unsafe fn add_unsigned<F: BlockFormat, const R: usize>(
    codes: *const u8,
    quarter: usize,
    index: usize,
    inputs: &[*const ActivationBlock; R],
    at: usize,
    wide: &mut [[int16x8_t; 2]; R],
) {
    // SAFETY: the caller's part holds the four; NEON belongs to the baseline.
    unsafe {
        let weights = four::<F>(codes, index, quarter);
        for row in 0..R {
            let values = twice(inputs[row], at + 4 * index);
            wide[row][0] = vmlal_s8(wide[row][0], vget_low_s8(weights), values);
            wide[row][1] = vmlal_s8(wide[row][1], vget_high_s8(weights), values);
        }
    }
}

/// Signed bytes: adds fours number `index` and `index + 1`. Two products fit sixteen bits: 2 × 128 × 127 = 32,512.
#[inline(always)]
unsafe fn add_signed<F: BlockFormat, const R: usize>(
    codes: *const u8,
    quarter: usize,
    index: usize,
    inputs: &[*const ActivationBlock; R],
    at: usize,
    wide: &mut [[int32x4_t; 2]; R],
) {
    // SAFETY: the caller's part holds both fours; NEON belongs to the baseline.
    unsafe {
        let (first, second) = (four::<F>(codes, index, quarter), four::<F>(codes, index + 1, quarter));
        for row in 0..R {
            let (value, next) = (
                twice(inputs[row], at + 4 * index),
                twice(inputs[row], at + 4 * index + 4),
            );
            let low = vmlal_s8(vmull_s8(vget_low_s8(first), value), vget_low_s8(second), next);
            let high = vmlal_s8(vmull_s8(vget_high_s8(first), value), vget_high_s8(second), next);
            wide[row][0] = vpadalq_s16(wide[row][0], low);
            wide[row][1] = vpadalq_s16(wide[row][1], high);
        }
    }
}

impl PartSums for Products {
    type Input = ActivationBlock;
    const IS_WIDE: bool = true;

    #[inline(always)]
    fn start<F: BlockFormat>() -> &'static [i32; 4] {
        const { &[SUM_START; 4] }
    }

    #[inline(always)]
    fn inputs(activations: &Activations, first: usize, register: usize) -> &[ActivationBlock] {
        activations.row(first + register)
    }

    #[inline(always)]
    unsafe fn sums<F: BlockFormat, const R: usize>(
        codes: *const u8,
        quarter: usize,
        part: usize,
        inputs: &[*const ActivationBlock; R],
    ) -> [int32x4_t; R] {
        let at = part * F::PART_COLUMNS % BLOCK_COLUMNS;
        // SAFETY: the caller's part holds all fours; NEON belongs to the baseline. The steps are written out: a loop over them would keep the
        // sums in memory.
        unsafe {
            let mut sums = [vdupq_n_s32(0); R];
            if F::CODES.are_signed() {
                let mut wide = [[vdupq_n_s32(0); 2]; R];
                add_signed::<F, R>(codes, quarter, 0, inputs, at, &mut wide);
                add_signed::<F, R>(codes, quarter, 2, inputs, at, &mut wide);
                add_signed::<F, R>(codes, quarter, 4, inputs, at, &mut wide);
                add_signed::<F, R>(codes, quarter, 6, inputs, at, &mut wide);
                for row in 0..R {
                    sums[row] = vpaddq_s32(wide[row][0], wide[row][1]);
                }
            } else {
                let mut wide = [[vdupq_n_s16(0); 2]; R];
                add_unsigned::<F, R>(codes, quarter, 0, inputs, at, &mut wide);
                add_unsigned::<F, R>(codes, quarter, 1, inputs, at, &mut wide);
                add_unsigned::<F, R>(codes, quarter, 2, inputs, at, &mut wide);
                add_unsigned::<F, R>(codes, quarter, 3, inputs, at, &mut wide);
                if F::FOURS == 8 {
                    add_unsigned::<F, R>(codes, quarter, 4, inputs, at, &mut wide);
                    add_unsigned::<F, R>(codes, quarter, 5, inputs, at, &mut wide);
                    add_unsigned::<F, R>(codes, quarter, 6, inputs, at, &mut wide);
                    add_unsigned::<F, R>(codes, quarter, 7, inputs, at, &mut wide);
                }
                for row in 0..R {
                    sums[row] = vpaddq_s32(vpaddlq_s16(wide[row][0]), vpaddlq_s16(wide[row][1]));
                }
            }
            for row in 0..R {
                let zero = if F::ZERO == 0 {
                    0
                } else {
                    zero_sum::<F>(&*inputs[row], part)
                };
                sums[row] = vaddq_s32(sums[row], vdupq_n_s32(SUM_START + zero));
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn scaled<const R: usize>(
        scales: float32x4_t,
        inputs: &[*const ActivationBlock; R],
        register: usize,
    ) -> float32x4_t {
        // SAFETY: the caller's block is there; NEON belongs to the baseline.
        unsafe { vmulq_n_f32(scales, (*inputs[register]).scale) }
    }

    #[inline(always)]
    unsafe fn add_minimums<const R: usize>(
        totals: float32x4_t,
        minimums: float32x4_t,
        inputs: &[*const ActivationBlock; R],
        register: usize,
    ) -> float32x4_t {
        // SAFETY: the caller's block is there; NEON belongs to the baseline.
        unsafe { vfmaq_n_f32(totals, minimums, (*inputs[register]).weighted_sum) }
    }
}

/// Places by which the codes of dot and matrix products are shifted to the left: so far that a six-bit code's top bit is that of a byte.
const fn places<F: BlockFormat>() -> i32 {
    match F::CODES {
        Codes::Nibbles | Codes::Table | Codes::Bytes | Codes::FiveBits => 0,
        Codes::SixBits => 2,
    }
}

/// The bits beyond four of a quarter, the topmost of each code turned around: that makes it a sign, and nothing has to be taken off the sums.
/// Nothing for other formats.
#[inline(always)]
unsafe fn high_bits<F: BlockFormat>(codes: *const u8, quarter: usize) -> uint8x16_t {
    // SAFETY: the caller's part holds them; NEON belongs to the baseline.
    unsafe {
        match F::CODES {
            Codes::Nibbles | Codes::Table | Codes::Bytes => vdupq_n_u8(0),
            Codes::FiveBits => vmvnq_u8(vld1q_u8(codes.add(high_bits_at::<F>() + 16 * quarter))),
            Codes::SixBits => veorq_u8(
                vld1q_u8(codes.add(high_bits_at::<F>() + 16 * quarter)),
                vdupq_n_u8(0xaa),
            ),
        }
    }
}

/// Bytes with one bit, the first one to the eighth: a register each.
static BITS: [[i32; 4]; 8] = {
    let mut bits = [[0x0101_0101; 4]; 8];
    let mut bit = 0;
    while bit < 8 {
        bits[bit] = [(0x0101_0101_u32 << bit) as i32; 4];
        bit += 1;
    }
    bits
};

/// The codes of four number `index`, out of the low halves of bytes or the high ones and of the bits beyond four ([`high_bits`]).
#[inline(always)]
unsafe fn signed_codes<F: BlockFormat, const HIGH: bool>(
    bytes: uint8x16_t,
    high: uint8x16_t,
    index: usize,
) -> int8x16_t {
    // SAFETY: NEON belongs to the baseline.
    unsafe {
        let nibbles = || {
            if HIGH {
                vshrq_n_u8::<4>(bytes)
            } else {
                vandq_u8(bytes, vdupq_n_u8(15))
            }
        };
        let codes = match F::CODES {
            Codes::Bytes => bytes,
            Codes::Nibbles => nibbles(),
            Codes::Table => return vqtbl1q_s8(vld1q_s8(TABLE.as_ptr()), nibbles()),
            Codes::FiveBits => {
                // The bit is made a byte of ones, whose low half goes before the nibble.
                let sign = vtstq_u8(high, vreinterpretq_u8_s32(load_anew(&BITS[index])));
                vsliq_n_u8::<4>(if HIGH { vshrq_n_u8::<4>(bytes) } else { bytes }, sign)
            }
            Codes::SixBits => {
                // The two bits are moved to the top, the nibble right behind them.
                let high = vshlq_u8(high, vdupq_n_s8(6 - 2 * index as i8));
                let nibbles = if HIGH {
                    vandq_u8(bytes, vdupq_n_u8(0xf0))
                } else {
                    vshlq_n_u8::<4>(bytes)
                };
                two_bits_and_six(high, nibbles)
            }
        };
        vreinterpretq_s8_u8(codes)
    }
}

/// `sdot`: four columns of four rows an instruction. A register has one row of activations.
pub(super) struct DotProducts;

/// Eight columns, those of lanes `LANE` and `LANE + 1` of sixteen, of up to four rows from `ROW` on: more rows' values would not fit the registers.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn dot_eight<const LANE: i32, const NEXT: i32, const ROW: usize, const R: usize>(
    weights: [int8x16_t; 2],
    inputs: &[*const ActivationBlock; R],
    at: usize,
    sums: &mut [int32x4_t; R],
) {
    let mut values = [vdupq_n_s8(0); 4];
    for row in ROW..R.min(ROW + 4) {
        // SAFETY: the caller's activations have sixteen columns from there on.
        values[row - ROW] = unsafe { vld1q_s8((&raw const (*inputs[row]).values).cast::<i8>().add(at)) };
    }
    for row in ROW..R.min(ROW + 4) {
        sums[row] = dot::<LANE>(sums[row], weights[0], values[row - ROW]);
    }
    for row in ROW..R.min(ROW + 4) {
        sums[row] = dot::<NEXT>(sums[row], weights[1], values[row - ROW]);
    }
}

/// The sixteen columns from four number `first` on.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn dot_sixteen<F: BlockFormat, const R: usize>(
    codes: *const u8,
    quarter: usize,
    high: uint8x16_t,
    first: usize,
    inputs: &[*const ActivationBlock; R],
    at: usize,
    sums: &mut [int32x4_t; R],
) {
    let at = at + 4 * first;
    // SAFETY: the caller's part holds the fours, and as many columns.
    unsafe {
        let [a, b, c, d] = groups::<F>(first);
        let weights = [
            signed_codes::<F, false>(group(codes, a, quarter), high, first),
            signed_codes::<F, true>(group(codes, b, quarter), high, first + 1),
        ];
        dot_eight::<0, 1, 0, R>(weights, inputs, at, sums);
        dot_eight::<0, 1, 4, R>(weights, inputs, at, sums);
        if R > 4 {
            settle(sums, 0..R);
        }
        let weights = [
            signed_codes::<F, false>(group(codes, c, quarter), high, first + 2),
            signed_codes::<F, true>(group(codes, d, quarter), high, first + 3),
        ];
        dot_eight::<2, 3, 0, R>(weights, inputs, at, sums);
        dot_eight::<2, 3, 4, R>(weights, inputs, at, sums);
    }
    if R > 1 {
        settle(sums, 0..R);
    }
}

/// The groups that hold fours `first` to `first + 3`.
const fn groups<F: BlockFormat>(first: usize) -> [usize; 4] {
    match F::CODES {
        Codes::Bytes => [first, first + 1, first + 2, first + 3],
        _ => [first / 2, first / 2, first / 2 + 1, first / 2 + 1],
    }
}

impl PartSums for DotProducts {
    type Input = ActivationBlock;
    const IS_WIDE: bool = false;

    #[inline(always)]
    fn start<F: BlockFormat>() -> &'static [i32; 4] {
        const { &[SUM_START - (places::<F>() << 23); 4] }
    }

    #[inline(always)]
    fn inputs(activations: &Activations, first: usize, register: usize) -> &[ActivationBlock] {
        activations.row(first + register)
    }

    #[inline(always)]
    unsafe fn sums<F: BlockFormat, const R: usize>(
        codes: *const u8,
        quarter: usize,
        part: usize,
        inputs: &[*const ActivationBlock; R],
    ) -> [int32x4_t; R] {
        let at = part * F::PART_COLUMNS % BLOCK_COLUMNS;
        // SAFETY: the caller's part holds all fours, and the caller has the instructions.
        unsafe {
            let mut sums = [vdupq_n_s32(0); R];
            for row in 0..R {
                sums[row] = if F::CODES == Codes::Nibbles && F::ZERO == 8 {
                    vld1q_s32((&raw const (*inputs[row]).start).cast())
                } else {
                    load_anew(Self::start::<F>())
                };
            }
            let high = high_bits::<F>(codes, quarter);
            dot_sixteen::<F, R>(codes, quarter, high, 0, inputs, at, &mut sums);
            if F::FOURS == 8 {
                dot_sixteen::<F, R>(codes, quarter, high, 4, inputs, at, &mut sums);
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn scaled<const R: usize>(
        scales: float32x4_t,
        inputs: &[*const ActivationBlock; R],
        register: usize,
    ) -> float32x4_t {
        // SAFETY: as the caller promises.
        unsafe { Products::scaled::<R>(scales, inputs, register) }
    }

    #[inline(always)]
    unsafe fn add_minimums<const R: usize>(
        totals: float32x4_t,
        minimums: float32x4_t,
        inputs: &[*const ActivationBlock; R],
        register: usize,
    ) -> float32x4_t {
        // SAFETY: as the caller promises.
        unsafe { Products::add_minimums::<R>(totals, minimums, inputs, register) }
    }
}

/// `smmla`: eight columns of two rows of weights and two of activations an instruction. Two registers have two rows of activations: the first
/// one with two rows of weights, `[row 0 · a, row 0 · b, row 1 · a, row 1 · b]`, the second one with the other two.
pub(super) struct MatrixProducts;

/// The first two words of `a` and `b` in turn, and the last two.
#[inline(always)]
unsafe fn zipped(a: uint8x16_t, b: uint8x16_t) -> [uint8x16_t; 2] {
    // SAFETY: NEON belongs to the baseline.
    unsafe {
        let (a, b) = (vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b));
        [
            vreinterpretq_u8_u32(vzip1q_u32(a, b)),
            vreinterpretq_u8_u32(vzip2q_u32(a, b)),
        ]
    }
}

/// Eight columns: `weights` are those of two rows and of the other two, `register` says which of the block's values go with them.
#[inline]
#[target_feature(enable = "neon,i8mm")]
unsafe fn matrix_step<const R: usize>(
    weights: [int8x16_t; 2],
    inputs: &[*const PairBlock; R],
    register: usize,
    sums: &mut [int32x4_t; R],
) {
    for pair in 0..R / 2 {
        // SAFETY: the caller's activations are there.
        let values = unsafe { vld1q_s8((&raw const (*inputs[2 * pair]).values[register]).cast()) };
        sums[2 * pair] = matrix(sums[2 * pair], weights[0], values);
        sums[2 * pair + 1] = matrix(sums[2 * pair + 1], weights[1], values);
    }
}

/// The sixteen columns from four number `first` on. An instruction takes the fours `first` and `first + 2` as its eight columns, another one the
/// other two: then the two codes of a byte can be moved together.
#[inline]
#[target_feature(enable = "neon,i8mm")]
unsafe fn matrix_sixteen<F: BlockFormat, const R: usize>(
    codes: *const u8,
    quarter: usize,
    high: uint8x16_t,
    first: usize,
    inputs: &[*const PairBlock; R],
    register: usize,
    sums: &mut [int32x4_t; R],
) {
    // SAFETY: the caller's part holds the fours, and as many columns.
    unsafe {
        let [a, b, c, d] = groups::<F>(first);
        let (a, b) = (group(codes, a, quarter), group(codes, b, quarter));
        let (c, d) = (group(codes, c, quarter), group(codes, d, quarter));
        let (even, odd) = if F::CODES.high_bits() > 0 {
            // The bits beyond four are not moved: each four's are in another place.
            let a = vreinterpretq_u8_s8(signed_codes::<F, false>(a, high, first));
            let b = vreinterpretq_u8_s8(signed_codes::<F, true>(b, high, first + 1));
            let c = vreinterpretq_u8_s8(signed_codes::<F, false>(c, high, first + 2));
            let d = vreinterpretq_u8_s8(signed_codes::<F, true>(d, high, first + 3));
            let (even, odd) = (zipped(a, c), zipped(b, d));
            (
                [vreinterpretq_s8_u8(even[0]), vreinterpretq_s8_u8(even[1])],
                [vreinterpretq_s8_u8(odd[0]), vreinterpretq_s8_u8(odd[1])],
            )
        } else {
            let (even, odd) = (zipped(a, c), zipped(b, d));
            (
                [
                    signed_codes::<F, false>(even[0], high, 0),
                    signed_codes::<F, false>(even[1], high, 0),
                ],
                [
                    signed_codes::<F, true>(odd[0], high, 0),
                    signed_codes::<F, true>(odd[1], high, 0),
                ],
            )
        };
        matrix_step::<R>(even, inputs, register, sums);
        if R > 4 {
            settle(sums, 0..R);
        }
        matrix_step::<R>(odd, inputs, register + 1, sums);
    }
    if R > 1 {
        settle(sums, 0..R);
    }
}

impl PartSums for MatrixProducts {
    type Input = PairBlock;
    const IS_WIDE: bool = false;

    #[inline(always)]
    fn start<F: BlockFormat>() -> &'static [i32; 4] {
        DotProducts::start::<F>()
    }

    #[inline(always)]
    fn inputs(activations: &Activations, first: usize, register: usize) -> &[PairBlock] {
        activations.pair((first + register) / 2)
    }

    #[inline(always)]
    unsafe fn sums<F: BlockFormat, const R: usize>(
        codes: *const u8,
        quarter: usize,
        part: usize,
        inputs: &[*const PairBlock; R],
    ) -> [int32x4_t; R] {
        let at = part * F::PART_COLUMNS % BLOCK_COLUMNS;
        // SAFETY: the caller's part holds all fours, and the caller has the instructions.
        unsafe {
            let mut sums = [vdupq_n_s32(0); R];
            for register in 0..R {
                let start = if F::CODES == Codes::Nibbles && F::ZERO == 8 {
                    &raw const (*inputs[register / 2 * 2]).start
                } else {
                    Self::start::<F>()
                };
                sums[register] = load_anew(start);
            }
            let high = high_bits::<F>(codes, quarter);
            matrix_sixteen::<F, R>(codes, quarter, high, 0, inputs, at / 8, &mut sums);
            if F::FOURS == 8 {
                matrix_sixteen::<F, R>(codes, quarter, high, 4, inputs, at / 8 + 2, &mut sums);
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn spread(scales: float32x4_t) -> [float32x4_t; 2] {
        // SAFETY: NEON belongs to the baseline.
        unsafe { [vzip1q_f32(scales, scales), vzip2q_f32(scales, scales)] }
    }

    #[inline(always)]
    unsafe fn scaled<const R: usize>(
        scales: float32x4_t,
        inputs: &[*const PairBlock; R],
        register: usize,
    ) -> float32x4_t {
        let input = inputs[register / 2 * 2];
        // SAFETY: the caller's block is there; NEON belongs to the baseline.
        unsafe { vmulq_f32(scales, vld1q_f32((&raw const (*input).scales).cast())) }
    }

    #[inline(always)]
    unsafe fn add_minimums<const R: usize>(
        totals: float32x4_t,
        minimums: float32x4_t,
        inputs: &[*const PairBlock; R],
        register: usize,
    ) -> float32x4_t {
        let input = inputs[register / 2 * 2];
        // SAFETY: the caller's block is there; NEON belongs to the baseline.
        unsafe { vfmaq_f32(totals, minimums, vld1q_f32((&raw const (*input).weighted_sums).cast())) }
    }

    #[inline(always)]
    unsafe fn outputs<const R: usize>(totals: &[float32x4_t; R], row: usize) -> float32x4_t {
        let (low, high) = (totals[row / 2 * 2], totals[row / 2 * 2 + 1]);
        // SAFETY: NEON belongs to the baseline.
        unsafe {
            if row.is_multiple_of(2) {
                vuzp1q_f32(low, high)
            } else {
                vuzp2q_f32(low, high)
            }
        }
    }
}
