#include "half.h"

enum { KIND_F16 = 0, KIND_BF16 = 1, KIND_F32 = 2, KIND_F16_PORTABLE = 3 };

/// Sixteen weights of any float kind.
MNK_INLINE void weights16(const void *b, size_t index, int kind, void *out) {
    f32x16 w;
    if (kind == KIND_F32) w = load16((const float *)b + index);
    else if (kind == KIND_F16 || kind == KIND_F16_PORTABLE) w = load16_half(kind == KIND_F16, (const uint16_t *)b + index);
    else w = load16_bf16((const uint16_t *)b + index);
    memcpy(out, &w, sizeof w);
}

/// `rows` × (16·panels) outputs kept in registers.
MNK_INLINE void tile_f32(const mnk_gemm *g, size_t row, size_t column, size_t rows, size_t panels, int kind) {
    const float *a = (const float *)g->a + row * g->lda;
    f32x16 acc[12][2];
    for (size_t i = 0; i < rows; i++)
        for (size_t p = 0; p < panels; p++) acc[i][p] = splat16(0);
    for (size_t k = 0; k < g->k; k++) {
        f32x16 w[2];
        for (size_t p = 0; p < panels; p++) weights16(g->b, column * g->k + p * 16 * g->k + k * 16, kind, &w[p]);
        for (size_t i = 0; i < rows; i++) {
            f32x16 x = splat16(a[i * g->lda + k]);
            for (size_t p = 0; p < panels; p++) acc[i][p] += x * w[p];
        }
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t p = 0; p < panels; p++) finish16(g, row + i, column + 16 * p, &acc[i][p]);
}

MNK_INLINE void rows_f32(const mnk_gemm *g, size_t row, size_t column, size_t rows, size_t panels, int kind) {
    switch (rows) {
#define CASE(n) case n: tile_f32(g, row, column, n, panels, kind); return;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#undef CASE
    }
}

MNK_INLINE void gemm_f32_body(const mnk_gemm *g, size_t limit, size_t panels, int kind) {
    if (g->m == 0) return;
    size_t blocks = (g->m + limit - 1) / limit;
    for (size_t column = g->n_begin; column < g->n_end;) {
        size_t wide = column + 16 * panels <= g->n_end ? panels : 1;
        for (size_t i = 0; i < blocks; i++) {
            size_t start, rows = block_rows(g->m, limit, i, &start);
            if (wide == 2) rows_f32(g, start, column, rows, 2, kind);
            else rows_f32(g, start, column, rows, 1, kind);
        }
        column += 16 * wide;
    }
}

#if defined(__x86_64__)
T_AVX512 static void gemm_f32_avx512(const mnk_gemm *g) { gemm_f32_body(g, 12, 2, KIND_F32); }
T_AVX2 static void gemm_f32_avx2(const mnk_gemm *g) { gemm_f32_body(g, 6, 1, KIND_F32); }
#endif
static void gemm_f32_portable(const mnk_gemm *g) { gemm_f32_body(g, 4, 1, KIND_F32); }

void mnk_gemm_f32(uint32_t features, const mnk_gemm *g) {
#if defined(__x86_64__)
    if (features & MNK_AVX512) { gemm_f32_avx512(g); return; }
    if (features & MNK_AVX2) { gemm_f32_avx2(g); return; }
#endif
    (void)features;
    gemm_f32_portable(g);
}

#if defined(__x86_64__)
T_AVX512 static void gemm_half_avx512(const mnk_gemm *g, int kind) {
    if (kind == KIND_F16) gemm_f32_body(g, 12, 2, KIND_F16);
    else gemm_f32_body(g, 12, 2, KIND_BF16);
}
T_AVX2 static void gemm_half_avx2(const mnk_gemm *g, int kind) {
    if (kind == KIND_F16) gemm_f32_body(g, 6, 1, KIND_F16);
    else gemm_f32_body(g, 6, 1, KIND_BF16);
}
#endif
static void gemm_half_portable(const mnk_gemm *g, int kind) {
    if (kind == KIND_F16) gemm_f32_body(g, 4, 1, KIND_F16_PORTABLE);
    else gemm_f32_body(g, 4, 1, KIND_BF16);
}

void mnk_gemm_half(uint32_t features, const mnk_gemm *g, int kind) {
#if defined(__x86_64__)
    if (features & MNK_AVX512) { gemm_half_avx512(g, kind); return; }
    if (features & MNK_AVX2) { gemm_half_avx2(g, kind); return; }
#endif
    (void)features;
    gemm_half_portable(g, kind);
}

void mnk_pack_f32(const float *w, size_t n, size_t k, float *packed) {
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < k; i++) packed[(j / 16) * 16 * k + i * 16 + j % 16] = w[j * k + i];
}
