// One instance of the products of rows with pages of codes, included by kv_codes.c for each
// instruction set: TARGET is its attribute, NAME(x) names the functions, NATIVE says whether it converts
// halves. And how it multiplies:
//
//   PLANES              sums of a column: one of words, or those of their high and of their low bytes
//   PARTS(bits)         pieces that a vector of codes is taken apart into, before rows meet it
//   PART(bits, x, i)    one of them
//   MEET(sums, part, w) adds a part's products with the words at w
//   WIDE(rows)          vectors of columns whose sums fit into registers

/// Sums of `vectors`·16 columns over `length` rows of a matrix of codes, of which `line` bytes hold some
/// rows of all columns. Codes are taken apart once for all rows of words. What begins at `fetched` is
/// fetched meanwhile. Sums are exact, in whatever order they are made.
TARGET MNK_INLINE void NAME(sums)(int bits, size_t rows, size_t vectors, const uint8_t *codes, const uint8_t *fetched, size_t line, size_t length,
                                  const uint8_t *words, size_t ldw, i32x16 sums[CODE_ROWS][4]) {
    i32x16 s[CODE_ROWS][4][PLANES];
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < vectors; c++)
            for (size_t p = 0; p < PLANES; p++) s[r][c][p] = (i32x16){0};
    for (size_t k = 0; k < length; k += code_rows(bits), codes += line, fetched += line) {
        u32x16 x[4];
        for (size_t c = 0; c < vectors; c++) {
            memcpy(x + c, codes + c * 64, sizeof *x);
            __builtin_prefetch(fetched + c * 64, 0, 2);
        }
        for (size_t i = 0; i < PARTS(bits); i++, words += PLANES == 2 ? 16 : 4) {
            u32x16 part[4];
            for (size_t c = 0; c < vectors; c++) part[c] = PART(bits, x[c], i);
            for (size_t r = 0; r < rows; r++)
                for (size_t c = 0; c < vectors; c++) MEET(s[r][c], part[c], words + r * ldw);
        }
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < vectors; c++) sums[r][c] = PLANES == 2 ? (s[r][c][0] << 8) + s[r][c][PLANES - 1] : s[r][c][0];
}

/// See mnk_score_codes(). First the words for all pages: the numbers that they are relative to come late.
TARGET MNK_INLINE void NAME(score)(int bits, size_t rows, const kv_code_run *run, const float *q, const kv_peak *peaks, float *scores, size_t lds) {
    uint8_t words[CODE_PAGES][CODE_ROWS * MNK_MAX_HEAD * WORD_BYTES(PLANES)];
    float steps[CODE_PAGES][4 * CODE_ROWS], bases[CODE_PAGES][4 * CODE_ROWS];
    i32x16 sums[CODE_ROWS][4];
    size_t dim = run->pages->dim;
    for (size_t b = 0; b < run->count; b++) key_words(NATIVE, PLANES, rows, run->pages + b, q, peaks, words[b], steps[b], bases[b]);
    for (size_t b = 0; b < run->count; b++) {
        const uint8_t *codes = run->pages[b].keys.codes, *fetched = fetch_rest(run->fetched + b, run->pages + b);
        NAME(sums)(bits, rows, 2, codes, fetched, MNK_KV_BLOCK * 4, dim, words[b], dim * WORD_BYTES(PLANES), sums);
        store_scores(rows, sums, steps[b], bases[b], scores + b * MNK_KV_BLOCK, lds);
    }
}

/// What columns [first, first + 16·vectors) of a page's values add to the outputs.
TARGET MNK_INLINE void NAME(add_columns)(int bits, size_t rows, size_t vectors, const kv_page *page, size_t first, const uint8_t *words,
                                         const float *steps, const float *bases, float *out, const uint8_t *fetched) {
    i32x16 sums[CODE_ROWS][4];
    NAME(sums)(bits, rows, vectors, page->values.codes + first * 4, fetched + first * 4, page->dim * 4, MNK_KV_BLOCK, words,
               MNK_KV_BLOCK * WORD_BYTES(PLANES), sums);
    add_sums(rows, vectors, sums, steps, bases, out + first, page->dim);
}

/// See mnk_add_codes().
TARGET MNK_INLINE void NAME(add)(int bits, size_t rows, const kv_code_run *run, const float *p, size_t ldp, float *out) {
    size_t dim = run->pages->dim, groups = value_groups(bits, dim), width = dim / groups, wide = WIDE(rows);
    uint8_t words[CODE_PAGES][CODE_ROWS * MNK_KV_BLOCK * WORD_BYTES(PLANES)];
    float steps[CODE_PAGES][4 * CODE_ROWS], bases[CODE_PAGES][4 * CODE_ROWS];
    for (size_t g = 0; g < groups; g++) {
        for (size_t b = 0; b < run->count; b++)
            value_words(NATIVE, PLANES, rows, run->pages + b, g, p + b * MNK_KV_BLOCK, ldp, words[b], steps[b], bases[b]);
        for (size_t b = 0; b < run->count; b++) {
            const kv_page *page = run->pages + b;
            const uint8_t *fetched = g == 0 ? fetch_rest(run->fetched + b, page) : fetched_codes(run->fetched + b, page);
            size_t i = g * width, end = i + width;
            for (; wide == 4 && i + 64 <= end; i += 64) NAME(add_columns)(bits, rows, 4, page, i, words[b], steps[b], bases[b], out, fetched);
            for (; i + 32 <= end; i += 32) NAME(add_columns)(bits, rows, 2, page, i, words[b], steps[b], bases[b], out, fetched);
            for (; i < end; i += 16) NAME(add_columns)(bits, rows, 1, page, i, words[b], steps[b], bases[b], out, fetched);
        }
    }
}

/// The same with numbers that the compiler knows.
#define CASE(b, n) case b * 8 + n: CALL(b, n); break;
#define CASES CASE(8, 1) CASE(8, 2) CASE(8, 3) CASE(8, 4) CASE(4, 1) CASE(4, 2) CASE(4, 3) CASE(4, 4)
TARGET static void NAME(score_codes)(const kv_code_run *run, const float *q, const kv_peak *peaks, size_t rows, float *scores, size_t lds) {
#define CALL(b, n) NAME(score)(b, n, run, q, peaks, scores, lds)
    switch ((size_t)run->pages->bits * 8 + rows) { CASES }
#undef CALL
}
TARGET static void NAME(add_codes)(const kv_code_run *run, const float *p, size_t ldp, size_t rows, float *out) {
#define CALL(b, n) NAME(add)(b, n, run, p, ldp, out)
    switch ((size_t)run->pages->bits * 8 + rows) { CASES }
#undef CALL
}
#undef CASES
#undef CASE

#undef TARGET
#undef NAME
#undef NATIVE
#undef PLANES
#undef PARTS
#undef PART
#undef MEET
#undef WIDE
