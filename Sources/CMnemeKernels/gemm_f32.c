// Products of floats: y = x·W with W in panels of 16 columns.
//
// A tile of outputs stays in registers while k runs: 12 rows by two panels with AVX-512 (24 of 32
// registers are sums), 6 by one with AVX2. Each output is one chain of fused multiply-adds in the
// order of k, whatever the tile: the same bits on all paths and for any number of rows.

#include "vector.h"

/// `rows` × (16·panels) outputs kept in registers: for each k, one element of each row meets 16
/// columns of each panel. Complexity: rows·panels·k multiply-adds of 16 lanes.
MNK_INLINE void tile_f32(const mnk_gemm *g, size_t row, size_t column, size_t rows, size_t panels) {
    const float *a = (const float *)g->a + row * g->lda, *b = (const float *)g->b + column * g->k;
    f32x16 acc[12][2];
    for (size_t i = 0; i < rows; i++)
        for (size_t p = 0; p < panels; p++) acc[i][p] = splat16(0);
    for (size_t k = 0; k < g->k; k++) {
        f32x16 w[2];
        for (size_t p = 0; p < panels; p++) w[p] = load16(b + p * 16 * g->k + k * 16);
        for (size_t i = 0; i < rows; i++) {
            f32x16 x = splat16(a[i * g->lda + k]);
            for (size_t p = 0; p < panels; p++) acc[i][p] = fma16(x, w[p], acc[i][p]);
        }
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t p = 0; p < panels; p++) finish16(g, row + i, column + 16 * p, &acc[i][p]);
}

/// A number of rows that the compiler knows, so that the sums stay in registers.
MNK_INLINE void rows_f32(const mnk_gemm *g, size_t row, size_t column, size_t rows, size_t panels) {
    switch (rows) {
#define CASE(n) case n: tile_f32(g, row, column, n, panels); return;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#undef CASE
    }
}

/// All rows against the columns asked for: rows in equal blocks of at most `limit`, columns
/// `panels` panels at a time. A panel is read from memory once for a block of rows.
MNK_INLINE void gemm_f32_body(const mnk_gemm *g, size_t limit, size_t panels) {
    if (g->m == 0) return;
    size_t blocks = (g->m + limit - 1) / limit;
    for (size_t column = g->n_begin; column < g->n_end;) {
        // The last panel may be alone.
        size_t wide = column + 16 * panels <= g->n_end ? panels : 1;
        for (size_t i = 0; i < blocks; i++) {
            size_t start, rows = block_rows(g->m, limit, i, &start);
            if (wide == 2) rows_f32(g, start, column, rows, 2);
            else rows_f32(g, start, column, rows, 1);
        }
        column += 16 * wide;
    }
}

#if defined(__x86_64__)
T_AVX512 static void gemm_f32_avx512(const mnk_gemm *g) { gemm_f32_body(g, 12, 2); }
T_AVX2 static void gemm_f32_avx2(const mnk_gemm *g) { gemm_f32_body(g, 6, 1); }
#endif
static void gemm_f32_portable(const mnk_gemm *g) { gemm_f32_body(g, 4, 1); }

/// VNNI and AMX have nothing for floats; on arm64, vectors compile to NEON without more.
void mnk_gemm_f32(uint32_t features, const mnk_gemm *g) {
#if defined(__x86_64__)
    if (features & MNK_AVX512) { gemm_f32_avx512(g); return; }
    if (features & MNK_AVX2) { gemm_f32_avx2(g); return; }
#endif
    (void)features;
    gemm_f32_portable(g);
}

/// Complexity: one pass; writes are scattered, as the panels run along k.
void mnk_pack_f32(const float *w, size_t n, size_t k, float *packed) {
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < k; i++) packed[(j / 16) * 16 * k + i * 16 + j % 16] = w[j * k + i];
}
