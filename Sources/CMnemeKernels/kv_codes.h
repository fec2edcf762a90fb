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

/// Neighbouring pages of one kind, and what is fetched while each is computed with.
typedef struct {
    size_t count;  // at most CODE_PAGES
    const kv_page *pages;
    const kv_fetch *fetched;
} kv_code_run;
enum { CODE_PAGES = 2 };

/// Scores of pages' keys, 32 of each: of row r, which begins at q + r·dim, with peaks[r], from scores + r·lds on.
void mnk_score_codes(uint32_t features, const kv_code_run *run, const float *q, const kv_peak *peaks, size_t rows, float *scores, size_t lds);
/// out += weights · values of pages: weights of row r from p + r·ldp on, none negative, its output at
/// out + r·dim.
void mnk_add_codes(uint32_t features, const kv_code_run *run, const float *p, size_t ldp, size_t rows, float *out);
#endif
