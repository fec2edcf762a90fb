// Scores of pages of keys by vectors that stand for them: so that attention reads the best alone.

#include "half.h"
#include "mneme_kernels.h"

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
