#include "half.h"
#include <math.h>

MNK_INLINE void mnk_rms_norm_body(uint32_t features, const float *x, const float *weight, float eps, size_t rows, size_t n, int accumulate, float *y) {
    (void)features;
    for (size_t r = 0; r < rows; r++, x += n, y += n) {
        f32x16 s[2] = {splat16(0), splat16(0)};
        for (size_t i = 0; i < n; i += 16) {
            f32x16 v = load16(x + i);
            s[i / 16 & 1] += v * v;
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

void mnk_rope(float *x, size_t heads, size_t dim, size_t half, const float *cosine, const float *sine, int interleaved) {
    for (size_t h = 0; h < heads; h++, x += dim)
        for (size_t i = 0; i < half; i++) {
            float *u = interleaved ? x + 2 * i : x + i, *v = interleaved ? u + 1 : u + half;
            float a = *u, b = *v;
            *u = a * cosine[i] - b * sine[i];
            *v = a * sine[i] + b * cosine[i];
        }
}

MNK_INLINE void mnk_gate_body(uint32_t features, float *gate, const float *up, size_t count, int gelu) {
    (void)features;
    for (size_t i = 0; i < count; i += 16) {
        f32x16 g = load16(gate + i), x = g;
        // (1 + tanh u)/2 = 1/(1 + exp(-2u)).
        if (gelu) x = splat16(1.5957691216f) * (g + splat16(0.044715f) * g * g * g);
        store16(gate + i, g / (splat16(1) + exp16(-x)) * load16(up + i));
    }
}
MNK_DISPATCH(mnk_gate, (uint32_t features, float *gate, const float *up, size_t count, int gelu), (features, gate, up, count, gelu))

MNK_INLINE f32x16 soft_cap16(f32x16 x, float cap) {
    return splat16(cap) - splat16(2 * cap) / (splat16(1) + exp16(x * splat16(2 / cap)));
}

MNK_INLINE void mnk_soft_cap_body(uint32_t features, float *x, size_t count, float cap) {
    (void)features;
    for (size_t i = 0; i < count; i += 16) store16(x + i, soft_cap16(load16(x + i), cap));
}
MNK_DISPATCH(mnk_soft_cap, (uint32_t features, float *x, size_t count, float cap), (features, x, count, cap))

MNK_INLINE void mnk_to_half_body(uint32_t features, const float *x, size_t count, uint16_t *y) {
    (void)features;
    for (size_t i = 0; i < count; i += 16) store16_half(y + i, load16(x + i));
}
MNK_DISPATCH(mnk_to_half, (uint32_t features, const float *x, size_t count, uint16_t *y), (features, x, count, y))

// MARK: Attention

// One unit is a group of query heads (those of one key-value head) over a run of tokens: its rows meet the same
// keys, which are converted and transposed once. Keys come in chunks of 64.
enum { CHUNK = 64, RUN = 16, ROWS = 4 };

size_t mnk_decoder_units(const mnk_decoder_attention *a) { return a->kv_heads * ((a->tokens + RUN - 1) / RUN); }

size_t mnk_decoder_scratch(size_t heads, size_t kv_heads, size_t dim) {
    size_t rows = (heads / kv_heads * RUN + ROWS - 1) / ROWS * ROWS;
    return 2 * CHUNK * dim + rows * (2 * dim + 2) + ROWS * CHUNK;
}

/// Turns sixteen rows of sixteen: at each stage, lanes and rows that differ in one bit change places.
MNK_INLINE void transpose16(void *rows) {
    f32x16 r[16];
    memcpy(r, rows, sizeof r);
#define LANES(...) __VA_ARGS__
#define STAGE(bit, LOW, HIGH)                                                   \
    for (int i = 0; i < 16; i++)                                                \
        if (!(i & bit)) {                                                       \
            f32x16 a = r[i], b = r[i + bit];                                    \
            r[i] = __builtin_shufflevector(a, b, LANES LOW);                    \
            r[i + bit] = __builtin_shufflevector(a, b, LANES HIGH);             \
        }
    STAGE(1, (0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30),
          (1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))
    STAGE(2, (0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),
          (2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
    STAGE(4, (0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
          (4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))
    STAGE(8, (0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
          (8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
#undef STAGE
#undef LANES
    memcpy(rows, r, sizeof r);
}

/// Where a position's keys and values begin.
MNK_INLINE size_t kv_place(const mnk_decoder_attention *a, size_t position) {
    size_t block = position >> a->block_shift;
    return (a->table ? (size_t)a->table[block] : block) * a->block_stride + (position & (((size_t)1 << a->block_shift) - 1)) * a->kv_stride;
}

/// The keys and values [first, first + count) of one head, keys as [dim][CHUNK], values as [CHUNK][dim].
MNK_INLINE void load_chunk(const mnk_decoder_attention *a, size_t head, size_t first, size_t count, float *keys, float *values) {
    // What stands beyond the last key stays as it was: its scores are masked.
    for (size_t j = 0; j < count; j += 16) {
        size_t place = kv_place(a, first + j) + head * a->dim;
        const uint16_t *k = a->keys + place, *v = a->values + place;
        for (size_t i = 0; i < a->dim; i += 16) {
            f32x16 block[16];
            for (size_t e = 0; e < 16; e++) block[e] = j + e < count ? load16_half(k + e * a->kv_stride + i) : splat16(0);
            transpose16(block);
            for (size_t e = 0; e < 16; e++) store16(keys + (i + e) * CHUNK + j, block[e]);
        }
        for (size_t e = 0; e < 16 && j + e < count; e++)
            for (size_t i = 0; i < a->dim; i += 16) store16(values + (j + e) * a->dim + i, load16_half(v + e * a->kv_stride + i));
    }
}

/// Fetches what load_chunk will read: heads lie side by side, so that the processor does not see the pattern itself.
MNK_INLINE void prefetch_chunk(const mnk_decoder_attention *a, size_t head, size_t first, size_t end) {
    for (size_t j = first; j < end && j < first + CHUNK; j++) {
        size_t place = kv_place(a, j) + head * a->dim;
        for (size_t i = 0; i < a->dim; i += 32) {
            __builtin_prefetch(a->keys + place + i);
            __builtin_prefetch(a->values + place + i);
        }
    }
}

/// Scores of ROWS rows against a chunk.
MNK_INLINE void score_rows(const float *q, const float *keys, size_t dim, float *scores) {
    f32x16 s[ROWS][CHUNK / 16];
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < CHUNK / 16; c++) s[r][c] = splat16(0);
    for (size_t i = 0; i < dim; i++) {
        f32x16 k[CHUNK / 16];
        for (size_t c = 0; c < CHUNK / 16; c++) k[c] = load16(keys + i * CHUNK + c * 16);
        for (size_t r = 0; r < ROWS; r++) {
            f32x16 x = splat16(q[r * dim + i]);
            for (size_t c = 0; c < CHUNK / 16; c++) s[r][c] += x * k[c];
        }
    }
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < CHUNK / 16; c++) store16(scores + r * CHUNK + c * 16, s[r][c]);
}

/// out += probabilities · values for ROWS rows and 64 columns (or 16 at a time for the rest).
MNK_INLINE void add_values(const float *p, const float *values, size_t dim, size_t count, float *out) {
    size_t i = 0;
    for (; i + 64 <= dim; i += 64) {
        f32x16 s[ROWS][4];
        for (size_t r = 0; r < ROWS; r++)
            for (size_t c = 0; c < 4; c++) s[r][c] = load16(out + r * dim + i + c * 16);
        for (size_t j = 0; j < count; j++) {
            f32x16 v[4];
            for (size_t c = 0; c < 4; c++) v[c] = load16(values + j * dim + i + c * 16);
            for (size_t r = 0; r < ROWS; r++) {
                f32x16 x = splat16(p[r * CHUNK + j]);
                for (size_t c = 0; c < 4; c++) s[r][c] += x * v[c];
            }
        }
        for (size_t r = 0; r < ROWS; r++)
            for (size_t c = 0; c < 4; c++) store16(out + r * dim + i + c * 16, s[r][c]);
    }
    for (; i < dim; i += 16)
        for (size_t r = 0; r < ROWS; r++) {
            f32x16 s = load16(out + r * dim + i);
            for (size_t j = 0; j < count; j++) s += splat16(p[r * CHUNK + j]) * load16(values + j * dim + i);
            store16(out + r * dim + i, s);
        }
}

MNK_INLINE void mnk_attend_body(uint32_t features, const mnk_decoder_attention *a, size_t unit_begin, size_t unit_end, float *scratch) {
    (void)features;
    size_t group = a->heads / a->kv_heads, dim = a->dim, runs = (a->tokens + RUN - 1) / RUN;
    for (size_t unit = unit_begin; unit < unit_end; unit++) {
        size_t head = unit / runs, start = unit % runs * RUN, run = a->tokens - start < RUN ? a->tokens - start : RUN;
        size_t rows = group * run, padded = (rows + ROWS - 1) / ROWS * ROWS;
        float *keys = scratch, *values = keys + CHUNK * dim, *q = values + CHUNK * dim, *out = q + padded * dim;
        float *highest = out + padded * dim, *total = highest + padded, *p = total + padded;
        size_t last = a->position + start + run, lowest = a->position + start + 1;
        // Chunks begin at multiples of 64 whatever the batch, so that a result does not depend on it.
        size_t first = a->window > 0 && lowest > a->window ? (lowest - a->window) / CHUNK * CHUNK : 0;
        if (unit == unit_begin) prefetch_chunk(a, head, first, last);
        for (size_t r = 0; r < padded; r++) {
            const float *source = a->q + (start + r / group) * a->ldq + (head * group + r % group) * dim;
            for (size_t i = 0; i < dim; i += 16) {
                store16(q + r * dim + i, r < rows ? load16(source + i) * splat16(a->scale) : splat16(0));
                store16(out + r * dim + i, splat16(0));
            }
            highest[r] = -INFINITY;
            total[r] = 0;
        }
        for (size_t chunk = first; chunk < last; chunk += CHUNK) {
            size_t count = last - chunk < CHUNK ? last - chunk : CHUNK;
            if (chunk + CHUNK < last) prefetch_chunk(a, head, chunk + CHUNK, last);
            else if (unit + 1 < unit_end) prefetch_chunk(a, (unit + 1) / runs, first, last);
            load_chunk(a, head, chunk, count, keys, values);
            for (size_t r = 0; r < padded; r += ROWS) {
                score_rows(q + r * dim, keys, dim, p);
                for (size_t e = 0; e < ROWS; e++) {
                    float *s = p + e * CHUNK, top = highest[r + e];
                    if (a->cap > 0)
                        for (size_t j = 0; j < CHUNK; j += 16) store16(s + j, soft_cap16(load16(s + j), a->cap));
                    size_t place = a->position + start + (r + e) / group;  // of the query
                    size_t from = a->window > 0 && place + 1 > a->window ? place + 1 - a->window : 0;
                    if (chunk + CHUNK > place + 1 || chunk < from || count < CHUNK)
                        for (size_t j = 0; j < CHUNK; j++)
                            if (j >= count || chunk + j > place || chunk + j < from) s[j] = -INFINITY;
                    f32x16 m = load16(s);
                    for (size_t j = 16; j < CHUNK; j += 16) m = max16(m, load16(s + j));
                    float here = highest16(m);
                    if (here > top) top = here;
                    if (top == -INFINITY) {  // nothing of this chunk is seen
                        for (size_t j = 0; j < CHUNK; j += 16) store16(s + j, splat16(0));
                        continue;
                    }
                    f32x16 sum = splat16(0);
                    for (size_t j = 0; j < CHUNK; j += 16) {
                        f32x16 x = load16(s + j), y = exp16(x - splat16(top));
                        i32x16 seen = x > splat16(-INFINITY);
                        y = (f32x16)((i32x16)y & seen);
                        sum += y;
                        store16(s + j, y);
                    }
                    if (top != highest[r + e]) {
                        float factor = highest[r + e] == -INFINITY ? 0 : expf(highest[r + e] - top);
                        total[r + e] *= factor;
                        for (size_t i = 0; i < dim; i += 16) store16(out + (r + e) * dim + i, load16(out + (r + e) * dim + i) * splat16(factor));
                        highest[r + e] = top;
                    }
                    total[r + e] += sum16(sum);
                }
                add_values(p, values, dim, count, out + r * dim);
            }
        }
        for (size_t r = 0; r < rows; r++) {
            float *target = a->out + (start + r / group) * a->ldo + (head * group + r % group) * dim, inverse = total[r] > 0 ? 1 / total[r] : 0;
            for (size_t i = 0; i < dim; i += 16) store16(target + i, load16(out + r * dim + i) * splat16(inverse));
        }
    }
}
MNK_DISPATCH(mnk_attend, (uint32_t features, const mnk_decoder_attention *a, size_t unit_begin, size_t unit_end, float *scratch),
             (features, a, unit_begin, unit_end, scratch))
