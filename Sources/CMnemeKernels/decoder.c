// Layers of a decoder besides its matrices and its attention: normalisation, rotary embedding,
// activations, and the forms of keys and values in the KV cache. All give the same bits on every
// path, and for any batch, chunk or number of threads.

#include "half.h"
#include <math.h>

/// RMSNorm (Zhang and Sennrich 2019). Two sums in turn, so that one addition need not wait for the
/// one before.
MNK_INLINE void mnk_rms_norm_body(uint32_t features, const float *x, const float *weight, float eps, size_t rows, size_t n, int accumulate, float *y) {
    (void)features;
    for (size_t r = 0; r < rows; r++, x += n, y += n) {
        f32x16 s[2] = {splat16(0), splat16(0)};
        for (size_t i = 0; i < n; i += 16) {
            f32x16 v = load16(x + i);
            s[i / 16 & 1] = fma16(v, v, s[i / 16 & 1]);
        }
        f32x16 scale = splat16(1 / sqrtf(sum16(s[0] + s[1]) / (float)n + eps));
        for (size_t i = 0; i < n; i += 16) {
            f32x16 v = load16(x + i) * scale * load16(weight + i);
            store16(y + i, accumulate ? load16(y + i) + v : v);
        }
    }
}
MNK_DISPATCH(mnk_rms_norm,
             (uint32_t features, const float *x, const float *weight, float eps, size_t rows, size_t n, int accumulate, float *y),
             (features, x, weight, eps, rows, n, accumulate, y))

/// Rotary embedding (RoPE, Su et al. 2021) of one position: each pair is turned by its own angle,
/// whose cosine and sine are given.
void mnk_rope(float *x, size_t heads, size_t dim, size_t half, const float *cosine, const float *sine, int interleaved) {
    for (size_t h = 0; h < heads; h++, x += dim)
        for (size_t i = 0; i < half; i++) {
            float *u = interleaved ? x + 2 * i : x + i, *v = interleaved ? u + 1 : u + half;
            float a = *u, b = *v;
            *u = a * cosine[i] - b * sine[i];
            *v = a * sine[i] + b * cosine[i];
        }
}

/// The gate of a feed-forward layer (SwiGLU, GeGLU; Shazeer 2020): x·σ(x)·up, where GELU's tanh
/// form is x·σ(1.5958·(x + 0.044715·x³)).
MNK_INLINE void mnk_gate_body(uint32_t features, float *gate, const float *up, size_t count, int gelu) {
    (void)features;
    for (size_t i = 0; i < count; i += 16) {
        f32x16 g = load16(gate + i), x = g;
        // (1 + tanh u)/2 = 1/(1 + exp(-2u)).
        if (gelu) x = splat16(1.5957691216f) * fma16(splat16(0.044715f) * g * g, g, g);
        store16(gate + i, g / (splat16(1) + exp16(-x)) * load16(up + i));
    }
}
MNK_DISPATCH(mnk_gate, (uint32_t features, float *gate, const float *up, size_t count, int gelu), (features, gate, up, count, gelu))

/// One sum a column, rows in order: the same bits whoever computes which columns.
MNK_INLINE void mnk_add_rows_body(uint32_t features, const float *p, size_t rank, const float *b, size_t stride, size_t count, float *y) {
    (void)features;
    for (size_t i = 0; i < count; i += 16) {
        f32x16 sum = load16(y + i);
        for (size_t k = 0; k < rank; k++) sum = fma16(splat16(p[k]), load16(b + k * stride + i), sum);
        store16(y + i, sum);
    }
}
MNK_DISPATCH(mnk_add_rows,
             (uint32_t features, const float *p, size_t rank, const float *b, size_t stride, size_t count, float *y),
             (features, p, rank, b, stride, count, y))

/// Bounds logits and scores smoothly; nearly the identity for |x| far below cap.
MNK_INLINE void mnk_soft_cap_body(uint32_t features, float *x, size_t count, float cap) {
    (void)features;
    for (size_t i = 0; i < count; i += 16) store16(x + i, soft_cap16(load16(x + i), cap));
}
MNK_DISPATCH(mnk_soft_cap, (uint32_t features, float *x, size_t count, float cap), (features, x, count, cap))

/// Rounds to halves, beyond their range to the largest.
MNK_INLINE void mnk_to_half_body(uint32_t features, const float *x, size_t count, uint16_t *y) {
    for (size_t i = 0; i < count; i += 16) store16_half(converts_halves(features), y + i, load16(x + i));
}
MNK_DISPATCH(mnk_to_half, (uint32_t features, const float *x, size_t count, uint16_t *y), (features, x, count, y))

/// Transposes a position's keys into its block: elements lie MNK_KV_BLOCK halves apart.
MNK_INLINE void mnk_store_keys_body(uint32_t features, const float *x, size_t count, uint16_t *y) {
    for (size_t i = 0; i < count; i += 16) {
        uint16_t h[16];
        store16_half(converts_halves(features), h, load16(x + i));
        for (size_t e = 0; e < 16; e++) y[(i + e) * MNK_KV_BLOCK] = h[e];
    }
}
MNK_DISPATCH(mnk_store_keys, (uint32_t features, const float *x, size_t count, uint16_t *y), (features, x, count, y))

/// Rotates whole groups of 32 positions, which costs as much as a few, and copies those asked for.
/// The rounding to halves is the second that these keys see: rebased keys are near those that a
/// prefill would give, not equal.
MNK_INLINE void mnk_move_keys_body(
    uint32_t features, const uint16_t *source, size_t from, uint16_t *target, size_t to, size_t count, size_t heads, size_t dim, size_t half,
    const float *cosine, const float *sine, int interleaved) {
    int native = converts_halves(features);
    for (size_t h = 0; h < heads; h++, source += dim * MNK_KV_BLOCK, target += dim * MNK_KV_BLOCK) {
        for (size_t i = 0; i < half; i++) {
            size_t u = interleaved ? 2 * i : i, v = interleaved ? u + 1 : u + half;
            uint16_t turned[2][MNK_KV_BLOCK];
            for (size_t e = 0; e < MNK_KV_BLOCK; e += 16) {
                f32x16 a = load16_half(native, source + u * MNK_KV_BLOCK + e), b = load16_half(native, source + v * MNK_KV_BLOCK + e);
                store16_half(native, turned[0] + e, fma16(a, splat16(cosine[i]), -b * splat16(sine[i])));
                store16_half(native, turned[1] + e, fma16(a, splat16(sine[i]), b * splat16(cosine[i])));
            }
            memcpy(target + u * MNK_KV_BLOCK + to, turned[0] + from, count * sizeof *target);
            memcpy(target + v * MNK_KV_BLOCK + to, turned[1] + from, count * sizeof *target);
        }
        for (size_t i = 2 * half; i < dim; i++) memcpy(target + i * MNK_KV_BLOCK + to, source + i * MNK_KV_BLOCK + from, count * sizeof *target);
    }
}
MNK_DISPATCH(mnk_move_keys,
             (uint32_t features, const uint16_t *source, size_t from, uint16_t *target, size_t to, size_t count, size_t heads, size_t dim, size_t half,
              const float *cosine, const float *sine, int interleaved),
             (features, source, from, target, to, count, heads, dim, half, cosine, sine, interleaved))
