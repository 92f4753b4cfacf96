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
    /// Two texts of the graph have changed places.
    Swap(&'static str, &'static str),
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
    faults.extend(gemma3());
    faults.extend(lfm2());
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

fn gemma3() -> Vec<Fault> {
    let fault = |name, plant| Fault {
        family: Family::Gemma3,
        name,
        plant,
    };
    vec![
        fault("no norm of queries", Plant::Statement("attn_q_norm")),
        fault("no norm of keys", Plant::Statement("attn_k_norm")),
        fault("a window one too long", Plant::Text("window = 100", "window = 101")),
        fault("a window one too short", Plant::Text("window = 100", "window = 99")),
        fault("no windows", Plant::Argument("window = 100", "window")),
        fault(
            "a norm behind the wrong block",
            Plant::Swap("post_attention_norm", "post_ffw_norm"),
        ),
        fault("a norm before the wrong block", Plant::Swap("attn_norm", "ffn_norm")),
        fault(
            "norms of queries and keys swapped",
            Plant::Swap("attn_q_norm", "attn_k_norm"),
        ),
        fault(
            "frequencies swapped",
            Plant::Swap("\"rope_frequencies\"", "\"rope_frequencies_window\""),
        ),
        fault("another gate", Plant::Argument("whimbrel_gate_up", "activation")),
        fault("embedding not scaled", Plant::Argument("whimbrel_embedding", "scale")),
    ]
}

fn lfm2() -> Vec<Fault> {
    let fault = |name, plant| Fault {
        family: Family::Lfm2,
        name,
        plant,
    };
    vec![
        fault("no norm of queries", Plant::Statement("attn_q_norm")),
        fault("no norm of keys", Plant::Statement("attn_k_norm")),
        fault(
            "norms of queries and keys swapped",
            Plant::Swap("attn_q_norm", "attn_k_norm"),
        ),
        fault("a norm before the wrong block", Plant::Swap("attn_norm", "ffn_norm")),
        fault("gates swapped", Plant::Swap("in_proj.b", "in_proj.c")),
        fault("gate and input swapped", Plant::Swap("in_proj.c", "in_proj.x")),
    ]
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
            Plant::Swap(a, b) => text.replace(a, "\0").replace(b, a).replace('\0', b),
            Plant::Text(from, to) => text.replace(from, to),
            Plant::Pairs => {
                let in_halves = [Family::Qwen2, Family::Qwen3, Family::Gemma3, Family::Lfm2];
                move_rows(bundle, head_dim, in_halves.contains(&self.family));
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
