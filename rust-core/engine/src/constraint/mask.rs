//! Applies a mask to scores, group by group, so that the sampler does not look at groups without an allowed token.

use llguidance::toktrie::SimpleVob;
use whimbrel_kernels::group_maxima;

use crate::session::scores::{SCORE_GROUP, Scores};

/// Groups in a word of a mask.
const GROUPS_IN_WORD: usize = u32::BITS as usize / SCORE_GROUP;
/// A group of which every token is allowed.
const WHOLE: u32 = (1 << SCORE_GROUP) - 1;

/// Leaves only the scores of allowed tokens; the others become negative infinity.
pub(crate) fn keep(mask: &SimpleVob, scores: &mut Scores<'_>) {
    let words = mask.as_slice();
    let groups = scores.logits.chunks_mut(SCORE_GROUP).zip(scores.maxima.iter_mut());
    for (index, (logits, maximum)) in groups.enumerate() {
        let word = words.get(index / GROUPS_IN_WORD).copied().unwrap_or_default();
        match (word >> (index % GROUPS_IN_WORD * SCORE_GROUP)) & WHOLE {
            WHOLE => {}
            0 => {
                logits.fill(f32::NEG_INFINITY);
                *maximum = f32::NEG_INFINITY;
            }
            bits => {
                for (place, logit) in logits.iter_mut().enumerate() {
                    if bits >> place & 1 == 0 {
                        *logit = f32::NEG_INFINITY;
                    }
                }
                group_maxima(logits, std::slice::from_mut(maximum));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_scores_stay() {
        let count = 3 * SCORE_GROUP + 5;
        for allowed in [
            vec![0],
            vec![],
            vec![17, 50],
            (0..16).collect(),
            (20..count).collect(),
            (0..count).collect(),
        ] {
            let mut logits: Vec<f32> = (0..count).map(|id| (id * 37 % 53) as f32 - 20.0).collect();
            let expected: Vec<f32> = (0..count)
                .map(|id| {
                    if allowed.contains(&id) {
                        logits[id]
                    } else {
                        f32::NEG_INFINITY
                    }
                })
                .collect();
            let mut maxima = vec![0.0; count.div_ceil(SCORE_GROUP)];
            group_maxima(&logits, &mut maxima);
            let mut mask = SimpleVob::alloc(count);
            allowed.iter().for_each(|id| mask.allow_token(*id as u32));
            let (logits_mut, maxima_mut) = (&mut logits[..], &mut maxima[..]);
            keep(
                &mask,
                &mut Scores {
                    logits: logits_mut,
                    maxima: maxima_mut,
                },
            );
            assert_eq!(logits, expected);
            let mut of_expected = vec![0.0; maxima.len()];
            group_maxima(&expected, &mut of_expected);
            assert_eq!(maxima, of_expected);
        }
    }
}
