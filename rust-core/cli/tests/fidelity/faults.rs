//! Faults that an importer of an architecture could have, planted into a bundle that is right. All of them give a bundle that opens and
//! answers; only its perplexity tells.

use std::fs;
use std::path::Path;

use whimbrel_engine::{WeightsIndex, seal};
use whimbrel_forge::synthetic::Family;

/// What is wrong with a bundle, and how it got that way.
pub(crate) struct Fault {
    pub(crate) family: Family,
    pub(crate) name: &'static str,
    plant: Plant,
}

enum Plant {
    /// An argument is left out of the calls that contain a text.
    Argument(&'static str, &'static str),
    /// The statements that contain a text are left out.
    Statement(&'static str),
    /// A text of the graph is another one.
    Text(&'static str, &'static str),
    /// The rows of queries and keys, and what is added to them, are in the other order of rotary pairs.
    Pairs,
}

/// Every fault: what only one architecture can have, and then the rotary order, which each can have.
pub(crate) fn faults() -> Vec<Fault> {
    let fault = |family, name, plant| Fault { family, name, plant };
    let mut faults = vec![
        fault(
            Family::Qwen2,
            "no bias of queries",
            Plant::Argument("whimbrel_qkv", "q_bias"),
        ),
        fault(
            Family::Qwen2,
            "no bias of keys",
            Plant::Argument("whimbrel_qkv", "k_bias"),
        ),
        fault(
            Family::Qwen2,
            "no bias of values",
            Plant::Argument("whimbrel_qkv", "v_bias"),
        ),
        fault(Family::Qwen3, "no norm of queries", Plant::Statement("attn_q_norm")),
        fault(Family::Qwen3, "no norm of keys", Plant::Statement("attn_k_norm")),
        fault(
            Family::Granite,
            "attention scaled as usual",
            Plant::Text("scale = 0.35355338,", "scale = 0.17677669,"),
        ),
        fault(
            Family::SmolLm3,
            "rotation in every layer",
            Plant::Text(
                "scale = 0.17677669)",
                "scale = 0.17677669, frequencies = \"rope_frequencies\")",
            ),
        ),
    ];
    for family in [Family::Granite, Family::MiniCpm] {
        faults.extend([
            fault(
                family,
                "embedding not scaled",
                Plant::Argument("whimbrel_embedding", "scale"),
            ),
            fault(family, "residual not scaled", Plant::Argument("residual = x", "scale")),
            fault(family, "logits not scaled", Plant::Argument("last = true", "scale")),
        ]);
    }
    faults.extend(Family::ALL.map(|family| fault(family, "the other order of rotary pairs", Plant::Pairs)));
    faults
}

impl Fault {
    /// Changes a bundle whose weights are 32-bit floats.
    pub(crate) fn plant(&self, bundle: &Path, head_dim: usize) {
        let path = bundle.join("f32/graph.nnef");
        let text = fs::read_to_string(&path).unwrap();
        let changed: String = match &self.plant {
            Plant::Argument(call, argument) => text
                .split_inclusive('\n')
                .map(|line| {
                    if line.contains(call) {
                        without(line, argument)
                    } else {
                        line.to_owned()
                    }
                })
                .collect(),
            Plant::Statement(part) => text.split_inclusive('\n').filter(|line| !line.contains(part)).collect(),
            Plant::Text(from, to) => text.replace(from, to),
            Plant::Pairs => {
                move_rows(bundle, head_dim, matches!(self.family, Family::Qwen2 | Family::Qwen3));
                text.clone() + "# changed\n"
            }
        };
        assert!(changed != text, "{}: nothing was planted", self.name);
        fs::write(&path, changed).unwrap();
        seal(bundle).unwrap();
    }
}

/// A call without one of its arguments.
fn without(line: &str, argument: &str) -> String {
    let start = line.find(&format!(", {argument} = ")).unwrap();
    let end = start + 1 + line[start + 1..].find([',', ')']).unwrap();
    format!("{}{}", &line[..start], &line[end..])
}

/// Moves pairs that are side by side into halves, or halves side by side: in every head of the queries and keys, their biases included.
fn move_rows(bundle: &Path, head_dim: usize, into_halves: bool) {
    let path = bundle.join("f32/weights.bin");
    let mut weights = fs::read(&path).unwrap();
    let index = fs::read(bundle.join("f32/weights.json")).unwrap();
    let index = WeightsIndex::parse(&index, weights.len() as u64).unwrap();
    for tensor in &index.tensors {
        let name = tensor.name.trim_end_matches(".bias");
        if !name.ends_with("attn_q") && !name.ends_with("attn_k") {
            continue;
        }
        // A bias has one row of the values that are rows of a matrix.
        let row_bytes = if tensor.rows == 1 {
            4
        } else {
            4 * tensor.columns as usize
        };
        let bytes = 4 * tensor.rows as usize * tensor.columns as usize;
        let values = &mut weights[tensor.offset as usize..][..bytes];
        for head in values.chunks_exact_mut(head_dim * row_bytes) {
            let before = head.to_vec();
            for (row, bytes) in head.chunks_exact_mut(row_bytes).enumerate() {
                let half = head_dim / 2;
                let source = if into_halves {
                    2 * (row % half) + row / half
                } else {
                    row / 2 + row % 2 * half
                };
                bytes.copy_from_slice(&before[source * row_bytes..][..row_bytes]);
            }
        }
    }
    fs::write(&path, weights).unwrap();
}
