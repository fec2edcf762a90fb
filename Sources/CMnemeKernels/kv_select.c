// Scores of pages of keys by vectors that stand for them: so that attention reads the best alone.

#include "half.h"
#include "mneme_kernels.h"
#include <math.h>

/// Sixteen pages at a time, two sums of alternate elements each.
MNK_INLINE void mnk_score_pages_body(
    uint32_t features, const float *q, size_t ldq, size_t rows, size_t dim, float scale, const uint16_t *vectors, size_t count, size_t pages, float *scores) {
    int native = converts_halves(features);
    size_t padded = (pages + 15) / 16 * 16;
    for (size_t first = 0; first < pages; first += 16) {
        const uint16_t *block = vectors + first * count * dim;
        for (size_t r = 0; r < rows; r++) {
            f32x16 sums[2] = {splat16(0), splat16(0)};
            for (size_t i = 0; i < dim; i++) {
                float x = q[r * ldq + i];
                // Of lowest and highest elements, those that a query's element makes the most of.
                size_t which = count == 2 && x > 0;
                sums[i % 2] = fma16(splat16(x), load16_half(native, block + (i * count + which) * 16), sums[i % 2]);
            }
            store16(scores + r * padded + first, (sums[0] + sums[1]) * splat16(scale));
        }
    }
}
MNK_DISPATCH(mnk_score_pages,
             (uint32_t features, const float *q, size_t ldq, size_t rows, size_t dim, float scale, const uint16_t *vectors, size_t count, size_t pages,
              float *scores),
             (features, q, ldq, rows, dim, scale, vectors, count, pages, scores))

/// Sixteen pages at a time; those outside of [first, end) score −∞ and weigh 0.
MNK_INLINE f32x16 scores_within(const float *scores, size_t at, size_t first, size_t end) {
    f32x16 x = load16(scores + at);
    for (size_t e = 0; (at < first || at + 16 > end) && e < 16; e++)
        if (at + e < first || at + e >= end) x[e] = -INFINITY;
    return x;
}
MNK_INLINE void mnk_page_worth_body(uint32_t features, const float *scores, size_t rows, size_t first, size_t end, float *worth) {
    (void)features;
    size_t padded = (end + 1 + 15) / 16 * 16;
    for (size_t p = 0; p < padded; p += 16) store16(worth + p, splat16(0));
    for (size_t r = 0; r < rows; r++) {
        const float *row = scores + r * padded;
        f32x16 most = splat16(-INFINITY), sums = splat16(0);
        for (size_t p = 0; p < padded; p += 16) most = max16(scores_within(row, p, first, end), most);
        float top = highest16(most);
        for (int pass = 0; pass < 2; pass++) {
            f32x16 share = splat16(pass ? 1 / sum16(sums) : 0);
            for (size_t p = 0; p < padded; p += 16) {
                f32x16 x = scores_within(row, p, first, end);
                i32x16 counts = x > splat16(-INFINITY);
                x = (f32x16)((i32x16)exp16(x - splat16(top)) & counts);
                if (pass) store16(worth + p, fma16(x, share, load16(worth + p)));
                else sums += x;
            }
        }
    }
}
MNK_DISPATCH(mnk_page_worth, (uint32_t features, const float *scores, size_t rows, size_t first, size_t end, float *worth),
             (features, scores, rows, first, end, worth))
