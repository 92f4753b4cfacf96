//! Speed of the kernels beside the limits of the machine: bytes a second for one row of activations (decoding reads every
//! weight once), operations a second for many (prefilling). Run with `cargo bench -p whimbrel-kernels`.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::time::Instant;

use whimbrel_kernels::{
    Activations, Attend, AttentionShape, Input, KV_BLOCK, KvPrecision, Level, Matrix, Product, Rotation, TensorType,
    ThreadPool, append_kv, attend, cpu_features, multiply,
};

/// Weights of all layers of SmolLM2-135M, as one matrix after the other: rows, columns, how often in a layer.
const LAYER: [(usize, usize); 7] = [
    (576, 576),
    (192, 576),
    (192, 576),
    (576, 576),
    (1536, 576),
    (1536, 576),
    (576, 1536),
];
const LAYERS: usize = 30;

/// Median and best seconds of `repetitions` calls after one that is not counted.
fn time(repetitions: usize, mut call: impl FnMut()) -> (f64, f64) {
    call();
    let mut seconds: Vec<f64> = (0..repetitions)
        .map(|_| {
            let start = Instant::now();
            call();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    (seconds[seconds.len() / 2], seconds[0])
}

fn report(name: &str, amount: f64, unit: &str, (median, best): (f64, f64)) {
    println!(
        "{name:<44} {:>8.1} {unit} (best {:.1})",
        amount / median / 1e9,
        amount / best / 1e9
    );
}

/// Reads all of `bytes` with as many threads as the pool has.
fn read(pool: &ThreadPool, bytes: &[u64]) -> u64 {
    let total = std::sync::atomic::AtomicU64::new(0);
    let part = bytes.len().div_ceil(pool.threads());
    pool.run(pool.threads(), &|task| {
        let mut lanes = [0u64; 32];
        for chunk in bytes[task * part..bytes.len().min((task + 1) * part)]
            .as_chunks::<32>()
            .0
        {
            for (lane, value) in lanes.iter_mut().zip(chunk) {
                *lane ^= value;
            }
        }
        total.fetch_add(lanes.iter().sum(), std::sync::atomic::Ordering::Relaxed);
    });
    total.into_inner()
}

/// One pass over every matrix of a model-sized stack of weights, with `tokens` rows of activations. Types with larger blocks get wider
/// matrices.
fn stack(pool: &ThreadPool, tensor_type: TensorType, tokens: usize) {
    let layer = LAYER.map(|(rows, columns)| (rows, columns.next_multiple_of(tensor_type.block_values())));
    let width = layer[0].1;
    let bytes: usize = layer
        .iter()
        .map(|(rows, columns)| tensor_type.packed_bytes(*rows, *columns).expect("whole blocks"))
        .sum::<usize>()
        * LAYERS;
    let mut data = vec![0u8; bytes];
    let mut state = 1u32;
    for byte in &mut data {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // High bytes of half-precision scales stay small, whatever is a scale here.
        *byte = (state >> 24) as u8 & 0x2f;
    }
    let x: Vec<f32> = (0..tokens * 1536)
        .map(|index| ((index * 37 % 101) as f32 - 50.0) * 0.01)
        .collect();
    let mut quantized = [Activations::default(), Activations::default()];
    quantized[0].quantize(pool, &x[..tokens * width], width);
    quantized[1].quantize(pool, &x, 1536);
    let mut y = vec![0f32; tokens * 1536];
    let repetitions = if tokens <= 4 { 25 } else { 9 };
    let seconds = time(repetitions, || {
        let mut at = 0;
        for _ in 0..LAYERS {
            for (rows, columns) in layer {
                let length = tensor_type.packed_bytes(rows, columns).expect("whole blocks");
                let weights =
                    Matrix::new(tensor_type, rows, columns, &data[at..at + length]).expect("the right length");
                at += length;
                let input = Input {
                    x: &x[..tokens * columns],
                    quantized: &quantized[usize::from(columns == 1536)],
                };
                let product = Product::new(weights, &mut y[..tokens * rows]);
                multiply(pool, input, &mut [product]);
            }
        }
    });
    black_box(&y);
    let name = format!("{tensor_type} × {tokens} tokens, {} threads", pool.threads());
    let values: usize = layer.iter().map(|(rows, columns)| rows * columns).sum::<usize>() * LAYERS;
    if tokens == 1 {
        report(&name, bytes as f64, "GB/s", seconds);
    } else {
        report(&name, (values * tokens) as f64, "billion multiply-adds/s", seconds);
    }
}

/// Attention of `rows` rows at the end of a context of `seen` positions, all layers of SmolLM2-135M.
fn attention(pool: &ThreadPool, precision: KvPrecision, seen: usize, rows: usize) {
    let shape = AttentionShape {
        heads: 9,
        kv_heads: 3,
        head_dim: 64,
        capacity: seen.next_multiple_of(KV_BLOCK),
        precision,
    };
    let layers = LAYERS;
    let (mut keys, mut values) = (
        vec![0x2c00u16; shape.cache_halves() * layers],
        vec![0x2c00u16; shape.cache_halves() * layers],
    );
    let (cosines, sines) = (vec![1f32; rows * 32], vec![0f32; rows * 32]);
    let rotation = Rotation {
        pairs: 32,
        cosines: &cosines,
        sines: &sines,
    };
    let mut k = vec![0.1f32; rows * 192];
    let v = vec![0.1f32; rows * 192];
    let mut q = vec![0.01f32; rows * 576];
    let mut y = vec![0f32; rows * 576];
    let size = shape.cache_halves();
    let position = seen - rows;
    let mut scratch = Vec::new();
    let seconds = time(9, || {
        for layer in 0..layers {
            let range = layer * size..(layer + 1) * size;
            let (keys, values) = (&mut keys[range.clone()], &mut values[range]);
            append_kv(shape, None, position, rotation, &mut k, &v, keys, values);
            let call = Attend {
                shape,
                window: None,
                position,
                scale: 0.125,
                rotation,
                keys,
                values,
            };
            attend(pool, call, &mut q, &mut y, &mut scratch);
        }
    });
    black_box(&y);
    let name = format!(
        "attention {precision:?}, {rows} rows at {seen}, {} threads",
        pool.threads()
    );
    if rows == 1 {
        report(&name, (2 * 2 * size * layers) as f64, "GB/s", seconds);
    } else {
        let pairs: usize = (position + 1..=seen).sum();
        report(
            &name,
            (2 * pairs * 576 * layers) as f64,
            "billion multiply-adds/s",
            seconds,
        );
    }
}

fn main() {
    println!("level {}, features {}", Level::best().name(), cpu_features().join(" "));
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let threads = std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(2);
    for threads in 1..=threads {
        let pool = ThreadPool::new(threads).expect("threads can be started");
        if is_wanted("read") {
            let bytes: Vec<u64> = (0..12_000_000).collect();
            report(
                &format!("plain reading, {threads} threads"),
                bytes.len() as f64 * 8.0,
                "GB/s",
                time(15, || {
                    black_box(read(&pool, &bytes));
                }),
            );
        }
        for tensor_type in TensorType::ALL.into_iter().filter(|each| each.is_quantized()) {
            if is_wanted(tensor_type.name()) {
                for tokens in [1, 2, 4, 128] {
                    stack(&pool, tensor_type, tokens);
                }
            }
        }
        if is_wanted("attention") {
            for (seen, rows) in [(192, 1), (2_000, 1), (128, 128), (512, 512), (2_000, 128)] {
                for precision in [KvPrecision::Half, KvPrecision::Int8] {
                    attention(&pool, precision, seen, rows);
                }
            }
        }
    }
}
