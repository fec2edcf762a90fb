// What attention does with a page of codes as it lies, see kv_page.h.
#ifndef MNK_KV_CODES_H
#define MNK_KV_CODES_H
#include "kv_page.h"

/// Rows that meet a page at once, at most.
enum { CODE_ROWS = 4 };

/// The largest magnitude of a row's elements, and one over it. What is less than LEAST_PEAK counts as
/// that, so that nothing is divided by 0.
#define LEAST_PEAK 1e-15f
typedef struct {
    float most, inverse;
} kv_peak;

/// Scores of a page's 32 keys: of row r, which begins at q + r·dim, with peaks[r], at scores + r·lds. The page `next` is fetched meanwhile.
void mnk_score_codes(uint32_t features, const kv_page *page, const float *q, const kv_peak *peaks, size_t rows, float *scores, size_t lds,
                     const kv_page *next);
/// out += weights · values of a page: weights of row r at p + r·ldp, none negative, its output at
/// out + r·dim.
void mnk_add_codes(uint32_t features, const kv_page *page, const float *p, size_t ldp, size_t rows, float *out, const kv_page *next);
#endif
