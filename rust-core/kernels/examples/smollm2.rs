//! `smollm2 PASSES ROWS SEEN`: the kernels' work in SmolLM2-135M's 30 layers and its output head in Q4_0: `ROWS` tokens, the last of which is at
//! position `SEEN − 1`. `scripts/arm-counts.sh` counts its instructions; all weights are zeros, and all layers share theirs.

use std::hint::black_box;

use whimbrel_kernels::{
    Activation, Activations, Attend, AttentionShape, Input, KV_BLOCK, KvPrecision, Matrix, Product, Rotation,
    TensorType, ThreadPool, append_kv, attend, multiply, multiply_gated,
};

const WIDTH: usize = 576;
const INNER: usize = 1536;
const LAYERS: usize = 30;
const VOCABULARY: usize = 49_152;
const SHAPE: AttentionShape = AttentionShape {
    heads: 9,
    kv_heads: 3,
    head_dim: 64,
    capacity: 0,
    precision: KvPrecision::Half,
};
const KV_WIDTH: usize = SHAPE.kv_heads * SHAPE.head_dim;

fn main() {
    let words: Vec<usize> = std::env::args()
        .skip(1)
        .map(|word| word.parse().expect("a number"))
        .collect();
    let [passes, rows, seen] = words[..] else {
        panic!("smollm2 PASSES ROWS SEEN")
    };
    let pool = ThreadPool::new(1).expect("a pool of one thread starts none");
    let longest = TensorType::Q4_0.packed_bytes(VOCABULARY, WIDTH).expect("whole blocks");
    let zeros = vec![0u8; longest];
    let matrix = |rows, columns| {
        let bytes = TensorType::Q4_0.packed_bytes(rows, columns).expect("whole blocks");
        Matrix::new(TensorType::Q4_0, rows, columns, &zeros[..bytes]).expect("the right length")
    };
    let shape = AttentionShape {
        capacity: seen.next_multiple_of(KV_BLOCK),
        ..SHAPE
    };
    let (mut keys, mut values) = (vec![0u16; shape.cache_halves()], vec![0u16; shape.cache_halves()]);
    let (cosines, sines) = (vec![1f32; rows * 32], vec![0f32; rows * 32]);
    let rotation = Rotation {
        pairs: 32,
        cosines: &cosines,
        sines: &sines,
    };
    let norm = vec![0f32; WIDTH];
    let (mut x, mut q, mut attended) = (
        vec![0f32; rows * WIDTH],
        vec![0f32; rows * WIDTH],
        vec![0f32; rows * WIDTH],
    );
    let (mut k, mut v) = (vec![0f32; rows * KV_WIDTH], vec![0f32; rows * KV_WIDTH]);
    let (mut gated, mut scores) = (vec![0f32; rows * INNER], vec![0f32; VOCABULARY]);
    let (mut quantized, mut scratch) = (Activations::default(), Vec::new());
    for _ in 0..passes {
        for _ in 0..LAYERS {
            quantized.quantize_normed(&pool, &x, &norm, 1e-5);
            let mut products = [
                Product::new(matrix(WIDTH, WIDTH), &mut q),
                Product::new(matrix(KV_WIDTH, WIDTH), &mut k),
                Product::new(matrix(KV_WIDTH, WIDTH), &mut v),
            ];
            multiply(&pool, input(&quantized), &mut products);
            append_kv(shape, None, seen - rows, rotation, &mut k, &v, &mut keys, &mut values);
            let call = Attend {
                shape,
                window: None,
                position: seen - rows,
                scale: 0.125,
                rotation,
                keys: &keys,
                values: &values,
            };
            attend(&pool, call, &mut q, &mut attended, &mut scratch);
            quantized.quantize(&pool, &attended, WIDTH);
            add(&pool, &quantized, matrix(WIDTH, WIDTH), &mut x, &mut q);
            quantized.quantize_normed(&pool, &x, &norm, 1e-5);
            let (gate, up) = (matrix(INNER, WIDTH), matrix(INNER, WIDTH));
            multiply_gated(&pool, input(&quantized), Activation::Silu, gate, up, &mut gated);
            quantized.quantize(&pool, &gated, INNER);
            add(&pool, &quantized, matrix(WIDTH, INNER), &mut x, &mut q);
        }
        quantized.quantize_normed(&pool, &x[..WIDTH], &norm, 1e-5);
        let product = Product::new(matrix(VOCABULARY, WIDTH), &mut scores);
        multiply(&pool, input(&quantized), &mut [product]);
        black_box(&mut scores);
    }
}

fn input(quantized: &Activations) -> Input<'_> {
    Input { x: &[], quantized }
}

/// Adds a product to `x`; `before` is room for what `x` was.
fn add(pool: &ThreadPool, quantized: &Activations, weights: Matrix<'_>, x: &mut Vec<f32>, before: &mut Vec<f32>) {
    std::mem::swap(x, before);
    let product = Product {
        residual: Some(before),
        ..Product::new(weights, x)
    };
    multiply(pool, input(quantized), &mut [product]);
}
