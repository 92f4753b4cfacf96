// ggml PASSES ROWS SEEN: the work of SmolLM2-135M's 30 layers and its output head in Q4_0 with ggml, the library of llama.cpp: ROWS tokens, the last of
// which is at position SEEN − 1. The same work as in rust-core/kernels/examples/smollm2.rs; all weights are zeros, and all layers share theirs.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"

static const int width = 576, inner = 1536, head = 64, heads = 9, kv_heads = 3, layers = 30, vocabulary = 49152;

// The buffers in which ggml reorders Q4_0 for this processor, as llama.cpp does when it loads a model.
static ggml_backend_buffer_type_t weights_type() {
    ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    auto get = (ggml_backend_dev_get_extra_bufts_t)ggml_backend_reg_get_proc_address(
        ggml_backend_dev_backend_reg(device), "ggml_backend_dev_get_extra_bufts");
    for (ggml_backend_buffer_type_t *type = get ? get(device) : nullptr; type && *type; type++)
        if (strcmp(ggml_backend_buft_name(*type), "CPU_REPACK") == 0) return *type;
    fprintf(stderr, "ggml does not reorder weights here\n");
    exit(1);
}

static ggml_tensor *named(ggml_context *context, ggml_type type, int64_t a, int64_t b, int64_t c = 1) {
    return ggml_new_tensor_3d(context, type, a, b, c);
}

int main(int count, char **words) {
    if (count != 4) return 2;
    int passes = atoi(words[1]), rows = atoi(words[2]), seen = atoi(words[3]);
    ggml_backend_t backend = ggml_backend_cpu_init();
    ggml_backend_cpu_set_n_threads(backend, 1);
    ggml_init_params parameters = {ggml_tensor_overhead() * 256 + ggml_graph_overhead() * 4, nullptr, true};

    ggml_context *weights = ggml_init(parameters);
    ggml_tensor *wq = named(weights, GGML_TYPE_Q4_0, width, width), *wk = named(weights, GGML_TYPE_Q4_0, width, kv_heads * head);
    ggml_tensor *wv = named(weights, GGML_TYPE_Q4_0, width, kv_heads * head), *wo = named(weights, GGML_TYPE_Q4_0, width, width);
    ggml_tensor *gate = named(weights, GGML_TYPE_Q4_0, width, inner), *up = named(weights, GGML_TYPE_Q4_0, width, inner);
    ggml_tensor *down = named(weights, GGML_TYPE_Q4_0, inner, width), *output = named(weights, GGML_TYPE_Q4_0, width, vocabulary);
    ggml_backend_alloc_ctx_tensors_from_buft(weights, weights_type());
    for (ggml_tensor *each = ggml_get_first_tensor(weights); each; each = ggml_get_next_tensor(weights, each)) {
        std::vector<char> zeros(ggml_nbytes(each));
        ggml_backend_tensor_set(each, zeros.data(), 0, zeros.size());
    }

    ggml_context *inputs = ggml_init(parameters);
    ggml_tensor *x = named(inputs, GGML_TYPE_F32, width, rows), *norm = named(inputs, GGML_TYPE_F32, width, 1);
    ggml_tensor *keys = named(inputs, GGML_TYPE_F16, head, kv_heads, seen), *values = named(inputs, GGML_TYPE_F16, head, kv_heads, seen);
    ggml_tensor *positions = ggml_new_tensor_1d(inputs, GGML_TYPE_I32, rows), *mask = named(inputs, GGML_TYPE_F16, seen, rows);
    ggml_backend_alloc_ctx_tensors(inputs, backend);
    for (ggml_tensor *each = ggml_get_first_tensor(inputs); each; each = ggml_get_next_tensor(inputs, each)) {
        std::vector<char> zeros(ggml_nbytes(each));
        ggml_backend_tensor_set(each, zeros.data(), 0, zeros.size());
    }
    std::vector<ggml_fp16_t> masked((size_t)seen * rows);
    for (int row = 0; row < rows; row++)
        for (int position = 0; position < seen; position++)
            masked[(size_t)row * seen + position] = ggml_fp32_to_fp16(position > seen - rows + row ? -INFINITY : 0.0f);
    ggml_backend_tensor_set(mask, masked.data(), 0, ggml_nbytes(mask));

    ggml_context *context = ggml_init(parameters);
    ggml_cgraph *layer = ggml_new_graph(context), *last = ggml_new_graph(context);
    ggml_tensor *normed = ggml_mul(context, ggml_rms_norm(context, x, 1e-5f), norm);
    ggml_tensor *q = ggml_reshape_3d(context, ggml_mul_mat(context, wq, normed), head, heads, rows);
    ggml_tensor *k = ggml_reshape_3d(context, ggml_mul_mat(context, wk, normed), head, kv_heads, rows);
    ggml_tensor *v = ggml_reshape_3d(context, ggml_mul_mat(context, wv, normed), head, kv_heads, rows);
    q = ggml_rope(context, q, positions, head, 0);
    k = ggml_rope(context, k, positions, head, 0);
    size_t at = (size_t)(seen - rows) * keys->nb[2];
    ggml_build_forward_expand(layer, ggml_cpy(context, k, ggml_view_3d(context, keys, head, kv_heads, rows, keys->nb[1], keys->nb[2], at)));
    ggml_build_forward_expand(layer, ggml_cpy(context, v, ggml_view_3d(context, values, head, kv_heads, rows, values->nb[1], values->nb[2], at)));
    ggml_tensor *attended = ggml_flash_attn_ext(
        context, ggml_permute(context, q, 0, 2, 1, 3), ggml_permute(context, keys, 0, 2, 1, 3), ggml_permute(context, values, 0, 2, 1, 3), mask,
        0.125f, 0.0f, 0.0f);
    attended = ggml_reshape_2d(context, attended, width, rows);
    ggml_tensor *y = ggml_add(context, ggml_mul_mat(context, wo, attended), x);
    normed = ggml_mul(context, ggml_rms_norm(context, y, 1e-5f), norm);
    ggml_tensor *gated = ggml_swiglu_split(context, ggml_mul_mat(context, gate, normed), ggml_mul_mat(context, up, normed));
    ggml_build_forward_expand(layer, ggml_add(context, ggml_mul_mat(context, down, gated), y));
    ggml_tensor *one = ggml_view_2d(context, x, width, 1, x->nb[1], 0);
    ggml_build_forward_expand(last, ggml_mul_mat(context, output, ggml_mul(context, ggml_rms_norm(context, one, 1e-5f), norm)));
    ggml_gallocr_t first = ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend));
    ggml_gallocr_t second = ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend));
    if (!ggml_gallocr_alloc_graph(first, layer) || !ggml_gallocr_alloc_graph(second, last)) return 1;
    for (int pass = 0; pass < passes; pass++) {
        for (int index = 0; index < layers; index++) ggml_backend_graph_compute(backend, layer);
        ggml_backend_graph_compute(backend, last);
    }
    return 0;
}
