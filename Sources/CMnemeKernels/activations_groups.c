// Activations for the products over groups of k: 15 bits below the highest of a group, as bytes apart
// and as words.
#include "groups.h"

size_t mnk_group_width(size_t k) { return (k + 63) / 64 * 64; }
size_t mnk_group_count(size_t k) { return group_shape_of(k).groups; }

MNK_INLINE int32_t total16(i32x16 v) { return (int32_t)sum16(__builtin_convertvector(v, f32x16)); }

/// Of 32 elements, or of none: their words, their bytes, high ones and 64 further on low ones, and the
/// two sums of these. Words or bytes may be NULL.
MNK_INLINE void put_half(const float *x, float inverse, int16_t *words, int8_t *bytes, int32_t sums[2]) {
    typedef int8_t i8x16 __attribute__((vector_size(16)));
    typedef int16_t i16x16 __attribute__((vector_size(32)));
    i32x16 highs = {0}, lows = {0};
    for (size_t i = 0; i < 32; i += 16) {
        i32x16 q = x ? words16(load16(x + i), inverse) : (i32x16){0};
        if (words) {
            i16x16 w = __builtin_convertvector(q, i16x16);
            memcpy(words + i, &w, sizeof w);
        }
        if (!bytes) continue;
        i32x16 h = (q + 64) >> 7, l = q - (h << 7);
        i8x16 narrow_high = __builtin_convertvector(h, i8x16), narrow_low = __builtin_convertvector(l, i8x16);
        memcpy(bytes + i, &narrow_high, 16);
        memcpy(bytes + 64 + i, &narrow_low, 16);
        highs += h;
        lows += l;
    }
    sums[0] = total16(highs);
    sums[1] = total16(lows);
}

MNK_INLINE void mnk_quantize_groups_body(
    uint32_t features, const float *x, size_t rows, size_t k, int8_t *bytes, int16_t *words, float *scale, int32_t *totals) {
    (void)features;
    group_shape shape = group_shape_of(k);
    for (size_t row = 0; row < rows; row++, x += k)
        for (size_t group = 0; group < shape.groups; group++, scale++) {
            size_t begin = group * shape.per_group, end = begin + shape.per_group < shape.steps ? begin + shape.per_group : shape.steps;
            f32x16 most = splat16(0);
            for (size_t i = begin * 64; i < end * 64 && i < k; i += 16) most = max16(most, max16(load16(x + i), -load16(x + i)));
            float highest = highest16(most), inverse = inverse_of(highest);
            *scale = 128 * (highest / 16191);
            for (size_t step = begin; step < end; step++) {
                int32_t sums[2][2];
                for (size_t half = 0; half < 2; half++) {
                    size_t at = step * 64 + half * 32;
                    put_half(at < k ? x + at : NULL, inverse, words ? words + half * 32 : NULL, bytes ? bytes + half * 32 : NULL, sums[half]);
                }
                if (words) words += 64;
                if (!bytes) continue;
                for (size_t part = 0; part < 2; part++) {
                    totals[part * 2] = -8 * sums[0][part];
                    totals[part * 2 + 1] = -8 * sums[1][part];
                    totals[4 + part] = (int32_t)((uint32_t)sums[0][part] & 0xffff) | (int32_t)((uint32_t)sums[1][part] << 16);
                }
                totals += GROUP_TOTALS;
                bytes += 128;
            }
        }
}
MNK_DISPATCH(
    mnk_quantize_groups,
    (uint32_t features, const float *x, size_t rows, size_t k, int8_t *bytes, int16_t *words, float *scale, int32_t *totals),
    (features, x, rows, k, bytes, words, scale, totals))
