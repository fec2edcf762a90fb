// Attention and its gradient for training, a head at a time (FlashAttention, Dao et al. 2022):
// scores exist for 32 queries at once, and the gradient computes them again from the logarithm of
// their sums. Causal for decoders, over the whole text for encoders.

#include "mneme_training_kernels.h"
#include "vector.h"
#include <math.h>

enum { BLOCK = 32 };

MNK_INLINE size_t round16(size_t n) { return (n + 15) / 16 * 16; }

size_t mnk_training_scratch(size_t tokens, size_t dim) { return round16(tokens) * (2 * dim + 2 * BLOCK); }

/// x[tokens][dim] at ldx, transposed: element i of all tokens side by side, zeros behind the last.
MNK_INLINE void transpose_rows(const float *x, size_t ldx, size_t tokens, size_t dim, float *y) {
    size_t padded = round16(tokens);
    for (size_t i = 0; i < dim; i++) {
        for (size_t t = 0; t < tokens; t++) y[i * padded + t] = x[t * ldx + i];
        for (size_t t = tokens; t < padded; t++) y[i * padded + t] = 0;
    }
}

/// All keys.
MNK_INLINE size_t key_count(const mnk_training_attention *a) { return a->keys ? a->keys : a->tokens; }

/// Keys that a block of queries up to `last` reads: those up to the last of them, or all.
MNK_INLINE size_t keys_of(const mnk_training_attention *a, size_t last) { return a->keys ? a->keys : a->bidirectional ? a->tokens : last; }

/// Scores of queries [first, first + rows) with the keys that they read.
MNK_INLINE void score_block(uint32_t features, const mnk_training_attention *a, size_t first, size_t rows, const float *keys, float *scores) {
    size_t padded = round16(key_count(a));
    mnk_product p = {.a = a->q + first * a->ldq, .a_row = a->ldq, .a_column = 1, .b = keys, .b_row = padded, .b_panel = 16,
                     .m = rows, .n = round16(keys_of(a, first + rows)), .k = a->dim, .scale = a->scale, .c = scores, .ldc = padded};
    mnk_product_f32(features, &p);
}

/// A row's softmax over its first `seen` scores; the others up to `width` become zeros. Returns
/// the logarithm of the sum.
MNK_INLINE float softmax_row(float *x, size_t seen, size_t width) {
    size_t whole = seen / 16 * 16;
    for (size_t j = seen; j < width; j++) x[j] = -INFINITY;
    f32x16 most = splat16(-INFINITY);
    for (size_t j = 0; j < width; j += 16) most = max16(load16(x + j), most);
    float highest = highest16(most);
    f32x16 sum = splat16(0);
    for (size_t j = 0; j < whole; j += 16) {
        f32x16 e = exp16(load16(x + j) - splat16(highest));
        sum += e;
        store16(x + j, e);
    }
    float total = sum16(sum);
    for (size_t j = whole; j < width; j++) {
        x[j] = j < seen ? exp1(x[j] - highest) : 0;
        total += x[j];
    }
    f32x16 scale = splat16(1 / total);
    for (size_t j = 0; j < width; j += 16) store16(x + j, load16(x + j) * scale);
    return highest + logf(total);
}

MNK_INLINE void mnk_training_attend_body(uint32_t features, const mnk_training_attention *a, float *scratch) {
    size_t padded = round16(key_count(a));
    float *keys = scratch, *scores = keys + 2 * padded * a->dim;
    transpose_rows(a->k, a->ldk, key_count(a), a->dim, keys);
    for (size_t first = 0; first < a->tokens; first += BLOCK) {
        size_t rows = a->tokens - first < BLOCK ? a->tokens - first : BLOCK, end = keys_of(a, first + rows);
        score_block(features, a, first, rows, keys, scores);
        for (size_t i = 0; i < rows; i++) a->lse[first + i] = softmax_row(scores + i * padded, keys_of(a, first + i + 1), round16(end));
        mnk_product p = {.a = scores, .a_row = padded, .a_column = 1, .b = a->v, .b_row = a->ldk, .b_panel = 16,
                         .m = rows, .n = a->dim, .k = end, .scale = 1, .c = a->out + first * a->ldo, .ldc = a->ldo};
        mnk_product_f32(features, &p);
    }
}
MNK_DISPATCH(mnk_training_attend, (uint32_t features, const mnk_training_attention *a, float *scratch), (features, a, scratch))

/// Probabilities from scores: e^(score − lse), zeros behind what the row sees; then the scores'
/// gradient p·(dp − Σ p·dp), with the scale of the scores.
MNK_INLINE void gradient_row(float *p, float *dp, size_t seen, size_t width, float lse, float delta, float scale) {
    for (size_t j = 0; j < width; j += 16) {
        f32x16 e = exp16(load16(p + j) - splat16(lse));
        if (j + 16 > seen)
            for (size_t l = 0; l < 16; l++) e[l] = j + l < seen ? e[l] : 0;
        store16(p + j, e);
        store16(dp + j, e * (load16(dp + j) - splat16(delta)) * splat16(scale));
    }
}

/// Σ dout·out of a token.
MNK_INLINE float output_delta(const mnk_training_attention *a, const float *dout, size_t token) {
    const float *out = a->out + token * a->ldo;
    f32x16 s = splat16(0);
    for (size_t j = 0; j < a->dim; j += 16) s = fma16(load16(dout + j), load16(out + j), s);
    return sum16(s);
}

MNK_INLINE void mnk_training_attend_backward_body(uint32_t features, const mnk_training_attention *a, const float *dout, float *dq, float *dk,
                                                  float *dv, size_t ldg, float *scratch) {
    size_t padded = round16(key_count(a)), dim = a->dim;
    float *keys = scratch, *values = keys + padded * dim, *p = values + padded * dim, *dp = p + BLOCK * padded;
    transpose_rows(a->k, a->ldk, key_count(a), dim, keys);
    transpose_rows(a->v, a->ldk, key_count(a), dim, values);
    for (size_t t = 0; t < key_count(a) && !a->adds; t++) {
        memset(dk + t * ldg, 0, dim * sizeof *dk);
        memset(dv + t * ldg, 0, dim * sizeof *dv);
    }
    for (size_t first = 0; first < a->tokens; first += BLOCK) {
        size_t rows = a->tokens - first < BLOCK ? a->tokens - first : BLOCK, end = keys_of(a, first + rows);
        const float *d = dout + first * a->ldo;
        score_block(features, a, first, rows, keys, p);
        mnk_product g = {.a = d, .a_row = a->ldo, .a_column = 1, .b = values, .b_row = padded, .b_panel = 16,
                         .m = rows, .n = round16(end), .k = dim, .scale = 1, .c = dp, .ldc = padded};
        mnk_product_f32(features, &g);
        for (size_t i = 0; i < rows; i++) {
            float delta = a->delta ? a->delta[first + i] : output_delta(a, d + i * a->ldo, first + i);
            gradient_row(p + i * padded, dp + i * padded, keys_of(a, first + i + 1), round16(end), a->lse[first + i], delta, a->scale);
        }
        g = (mnk_product){.a = dp, .a_row = padded, .a_column = 1, .b = a->k, .b_row = a->ldk, .b_panel = 16,
                          .m = rows, .n = dim, .k = end, .scale = 1, .c = dq + first * a->ldq, .ldc = a->ldq};
        mnk_product_f32(features, &g);
        // Transposed on their way: keys are rows, the block's queries the depth.
        g = (mnk_product){.a = dp, .a_row = 1, .a_column = padded, .b = a->q + first * a->ldq, .b_row = a->ldq, .b_panel = 16,
                          .m = end, .n = dim, .k = rows, .scale = 1, .c = dk, .ldc = ldg, .accumulate = 1};
        mnk_product_f32(features, &g);
        g.a = p;
        g.b = d;
        g.b_row = a->ldo;
        g.c = dv;
        mnk_product_f32(features, &g);
    }
}
MNK_DISPATCH(mnk_training_attend_backward,
             (uint32_t features, const mnk_training_attention *a, const float *dout, float *dq, float *dk, float *dv, size_t ldg, float *scratch),
             (features, a, dout, dq, dk, dv, ldg, scratch))
