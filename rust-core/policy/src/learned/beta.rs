//! Draws from a Beta distribution with a generator that is seeded from words.

use std::f64::consts::TAU;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;

/// A generator whose numbers follow from the two words. Each candidate of a request has its own, so that no draw depends on which others there are.
pub(super) fn generator(request_id: &str, candidate: &str) -> Pcg64 {
    Pcg64::new(hash(request_id), hash(candidate))
}

/// FNV-1a with 128 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>). The words are not secret and nobody gains from a collision.
fn hash(word: &str) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    word.bytes()
        .fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

/// A number above 0 and below 1.
fn uniform(generator: &mut Pcg64) -> f64 {
    ((generator.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// A draw from Beta(`alpha`, `beta`), both at least 1: the share of two draws from Gamma.
pub(super) fn draw_beta(generator: &mut Pcg64, alpha: f64, beta: f64) -> f64 {
    let one = draw_gamma(generator, alpha);
    let other = draw_gamma(generator, beta);
    one / (one + other)
}

/// A draw from Gamma(`shape`), the shape at least 1: Marsaglia and Tsang, "A simple method for generating gamma variables", 2000.
fn draw_gamma(generator: &mut Pcg64, shape: f64) -> f64 {
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        // Box and Muller.
        let radius = (-2.0 * uniform(generator).ln()).sqrt();
        let normal = radius * (TAU * uniform(generator)).cos();
        let v = (1.0 + c * normal).powi(3);
        if v > 0.0 && uniform(generator).ln() < 0.5 * normal * normal + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of 20,000 draws are those of the distribution.
    #[track_caller]
    fn check(alpha: f64, beta: f64) {
        let mut generator = generator("moments", "beta");
        let draws: Vec<f64> = (0..20_000).map(|_| draw_beta(&mut generator, alpha, beta)).collect();
        assert!(draws.iter().all(|draw| (0.0..=1.0).contains(draw)));
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / 20_000.0;
        let sum = alpha + beta;
        assert!((mean - alpha / sum).abs() < 0.01, "mean {mean}");
        let expected = alpha * beta / (sum * sum * (sum + 1.0));
        assert!(
            (variance / expected - 1.0).abs() < 0.05,
            "variance {variance}, not {expected}"
        );
    }

    #[test]
    fn draws_have_the_moments_of_the_distribution() {
        check(1.0, 1.0);
        check(1.0, 9.0);
        check(3.5, 2.0);
        check(200.0, 100.0);
    }

    #[test]
    fn a_draw_follows_from_the_words() {
        let draw = |request, candidate| draw_beta(&mut generator(request, candidate), 2.0, 3.0);
        assert_eq!(draw("r1", "a"), draw("r1", "a"));
        assert_ne!(draw("r1", "a"), draw("r2", "a"));
        assert_ne!(draw("r1", "a"), draw("r1", "b"));
    }
}
