// Layers of an encoder (BERT) besides its linear maps: normalisation, 8-bit activations, attention
// over one text, pooling. Activations are rows of floats; columns are multiples of 16.

#include "vector.h"
#include <math.h>

/// Layer normalisation (Ba et al. 2016), with the variance of the differences from the mean, in a
/// second pass: one pass over squares would lose digits.
MNK_INLINE void mnk_layer_norm_body(uint32_t features, const float *x, const float *gamma, const float *beta, float eps,
                                    size_t rows, size_t columns, float *y) {
    (void)features;
    for (size_t r = 0; r < rows; r++) {
        const float *in = x + r * columns;
        float *out = y + r * columns;
        f32x16 s = splat16(0);
        for (size_t c = 0; c < columns; c += 16) s += load16(in + c);
        f32x16 mean = splat16(sum16(s) / (float)columns);
        f32x16 q = splat16(0);
        for (size_t c = 0; c < columns; c += 16) {
            f32x16 d = load16(in + c) - mean;
            q = fma16(d, d, q);
        }
        f32x16 scale = splat16(1.0f / sqrtf(sum16(q) / (float)columns + eps));
        for (size_t c = 0; c < columns; c += 16) {
            f32x16 v = fma16((load16(in + c) - mean) * scale, load16(gamma + c), load16(beta + c));
            store16(out + c, v);
        }
    }
}
MNK_DISPATCH(mnk_layer_norm,
             (uint32_t features, const float *x, const float *gamma, const float *beta, float eps,
              size_t rows, size_t columns, float *y),
             (features, x, gamma, beta, eps, rows, columns, y))

/// Rounds by adding 1.5·2^23, whose last bit is the unit: the code is what that changes in the low
/// bits. Zero is always a code of its own, as padding must stay zero.
MNK_INLINE void mnk_quantize_rows_body(uint32_t features, const float *x, size_t rows, size_t columns,
                                       const float *input_scale, uint8_t *y, float *scale, int32_t *zero) {
    (void)features;
    for (size_t r = 0; r < rows; r++) {
        const float *in = x + r * columns;
        f32x16 low = splat16(0), high = splat16(0);
        for (size_t c = 0; c < columns; c += 16) {
            f32x16 v = load16(in + c);
            if (input_scale) v *= load16(input_scale + c);
            low = min16(low, v);
            high = max16(high, v);
        }
        // The range always holds zero. One of no width gets the scale 1 and codes of zero.
        float least = -highest16(-low), most = highest16(high);
        float s = (most - least) / 255;
        if (!(s > 1e-20f)) s = 1;
        float z = rintf(-least / s);
        f32x16 inverse = splat16(1 / s), shift = splat16(z + 12582912.0f);
        const i32x16 base = (i32x16)splat16(12582912.0f);
        for (size_t c = 0; c < columns; c += 16) {
            f32x16 v = load16(in + c);
            if (input_scale) v *= load16(input_scale + c);
            i32x16 q = (i32x16)fma16(v, inverse, shift) - base;
            i32x16 under = q < 0, over = q > 255;
            q = (q & ~under & ~over) | (over & 255);
            typedef uint8_t u8x16 __attribute__((vector_size(16)));
            u8x16 bytes = __builtin_convertvector(q, u8x16);
            memcpy(y + r * columns + c, &bytes, 16);
        }
        scale[r] = s;
        zero[r] = (int32_t)z;
    }
}
MNK_DISPATCH(mnk_quantize_rows,
             (uint32_t features, const float *x, size_t rows, size_t columns, const float *input_scale,
              uint8_t *y, float *scale, int32_t *zero),
             (features, x, rows, columns, input_scale, y, scale, zero))

// MARK: Attention
//
// Per head: keys are transposed once, so that a block of four queries produces its scores
// sixteen keys at a time; the softmax stays in the same buffer; the values are then read
// row by row, sixteen of their columns at a time.

/// Queries that share a reading of the keys, and the widest head.
enum { QUERY_BLOCK = 4, MAXIMUM_DIM = 128 };

/// Tokens, rounded up to whole vectors.
static size_t padded(size_t tokens) { return (tokens + 15) / 16 * 16; }

/// [dim][padded] keys, and QUERY_BLOCK rows of padded scores.
size_t mnk_attention_scratch(size_t tokens, size_t dim) {
    return padded(tokens) * (dim + QUERY_BLOCK);
}

/// `rows` queries (at most QUERY_BLOCK) from `row` on of the head at `column`: scores, softmax in
/// place, and the weighted sum of the values. Complexity: 4·rows·tokens·dim operations.
MNK_INLINE void attend(const float *qkv, size_t tokens, size_t width, size_t rows, size_t dim, size_t row, size_t column,
                       const float *keys, float *scores, float *out) {
    size_t pad = padded(tokens);
    const size_t stride = 3 * width;
    // Queries are scaled by 1/√dim before they meet keys (Vaswani et al. 2017).
    float query[QUERY_BLOCK][MAXIMUM_DIM];
    float scale = 1.0f / sqrtf((float)dim);
    for (size_t i = 0; i < rows; i++)
        for (size_t d = 0; d < dim; d++) query[i][d] = qkv[(row + i) * stride + column + d] * scale;

    // Scores: 16 keys at a time, one element of the head after the other.
    for (size_t j = 0; j < pad; j += 16) {
        f32x16 s[QUERY_BLOCK];
        for (size_t i = 0; i < rows; i++) s[i] = splat16(0);
        for (size_t d = 0; d < dim; d++) {
            f32x16 k = load16(keys + d * pad + j);
            for (size_t i = 0; i < rows; i++) s[i] = fma16(splat16(query[i][d]), k, s[i]);
        }
        for (size_t i = 0; i < rows; i++) store16(scores + i * pad + j, s[i]);
    }
    // Softmax without its division, which the sums of values take up at the end.
    float inverse[QUERY_BLOCK];
    for (size_t i = 0; i < rows; i++) {
        float *s = scores + i * pad;
        for (size_t j = tokens; j < pad; j++) s[j] = -1e30f;
        f32x16 highest = load16(s);
        for (size_t j = 16; j < pad; j += 16) highest = max16(highest, load16(s + j));
        f32x16 shift = splat16(highest16(highest)), total = splat16(0);
        for (size_t j = 0; j < pad; j += 16) {
            f32x16 e = exp16(load16(s + j) - shift);
            store16(s + j, e);
            total += e;
        }
        // Padding adds e^-87 each, which is below the last bit of a sum of at least one.
        inverse[i] = 1.0f / sum16(total);
    }
    // Values: rows are read in order, 16 columns of the output at a time.
    for (size_t d = 0; d < dim; d += 16) {
        f32x16 o[QUERY_BLOCK];
        for (size_t i = 0; i < rows; i++) o[i] = splat16(0);
        const float *value = qkv + 2 * width + column + d;
        for (size_t j = 0; j < tokens; j++) {
            f32x16 v = load16(value + j * stride);
            for (size_t i = 0; i < rows; i++) o[i] = fma16(splat16(scores[i * pad + j]), v, o[i]);
        }
        for (size_t i = 0; i < rows; i++)
            store16(out + (row + i) * width + column + d, o[i] * splat16(inverse[i]));
    }
}

/// Heads [head_begin, head_end), so that threads share a text by its heads. Scratch: the head's
/// keys as [dim][padded], then QUERY_BLOCK rows of scores.
MNK_INLINE void mnk_attention_body(uint32_t features, const float *qkv, size_t tokens, size_t heads, size_t dim,
                                   size_t head_begin, size_t head_end, float *out, float *scratch) {
    (void)features;
    size_t width = heads * dim, pad = padded(tokens);
    float *keys = scratch, *scores = scratch + pad * dim;
    for (size_t h = head_begin; h < head_end; h++) {
        size_t column = h * dim;
        for (size_t j = 0; j < tokens; j++) {
            const float *key = qkv + j * 3 * width + width + column;
            for (size_t d = 0; d < dim; d++) keys[d * pad + j] = key[d];
        }
        for (size_t d = 0; d < dim; d++)
            for (size_t j = tokens; j < pad; j++) keys[d * pad + j] = 0;
        size_t row = 0;
        for (; row + QUERY_BLOCK <= tokens; row += QUERY_BLOCK)
            attend(qkv, tokens, width, QUERY_BLOCK, dim, row, column, keys, scores, out);
        for (; row < tokens; row++)
            attend(qkv, tokens, width, 1, dim, row, column, keys, scores, out);
    }
}
MNK_DISPATCH(mnk_attention,
             (uint32_t features, const float *qkv, size_t tokens, size_t heads, size_t dim,
              size_t head_begin, size_t head_end, float *out, float *scratch),
             (features, qkv, tokens, heads, dim, head_begin, head_end, out, scratch))

/// The mean over the tokens, and its length taken to 1, as sentence embeddings are compared
/// (Reimers and Gurevych 2019).
MNK_INLINE void mnk_mean_pool_body(uint32_t features, const float *x, size_t rows, size_t columns, float *out) {
    (void)features;
    f32x16 square = splat16(0);
    // A text of no tokens has the vector zero.
    f32x16 share = splat16(rows ? 1.0f / (float)rows : 0);
    for (size_t c = 0; c < columns; c += 16) {
        f32x16 s = splat16(0);
        for (size_t r = 0; r < rows; r++) s += load16(x + r * columns + c);
        s *= share;
        store16(out + c, s);
        square = fma16(s, s, square);
    }
    float norm = sqrtf(sum16(square));
    f32x16 scale = splat16(norm > 1e-12f ? 1.0f / norm : 0);
    for (size_t c = 0; c < columns; c += 16) store16(out + c, load16(out + c) * scale);
}
MNK_DISPATCH(mnk_mean_pool, (uint32_t features, const float *x, size_t rows, size_t columns, float *out),
             (features, x, rows, columns, out))
