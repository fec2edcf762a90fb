#include "vector.h"
#include "amx.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// Portable: bf16 pairs widened to f32 (a bf16 is the upper half of an f32).
MNK_INLINE void tile_bf16(const mnk_gemm *g, size_t row, size_t column, size_t rows) {
    const uint16_t *a = (const uint16_t *)g->a + row * g->lda;
    const uint16_t *b = (const uint16_t *)g->b + column * g->k;
    f32x16 acc[8];
    for (size_t i = 0; i < rows; i++) acc[i] = splat16(0);
    for (size_t k = 0; k < g->k; k += 2) {
        u32x16 pair;
        memcpy(&pair, b + k * 16, sizeof pair);
        f32x16 even = (f32x16)(pair << 16), odd = (f32x16)(pair & 0xffff0000u);
        for (size_t i = 0; i < rows; i++) {
            acc[i] += splat16(float_of_bf16(a[i * g->lda + k])) * even;
            acc[i] += splat16(float_of_bf16(a[i * g->lda + k + 1])) * odd;
        }
    }
    for (size_t i = 0; i < rows; i++) finish16(g, row + i, column, &acc[i]);
}

MNK_INLINE void gemm_bf16_body(const mnk_gemm *g, size_t limit) {
    if (g->m == 0) return;
    size_t blocks = (g->m + limit - 1) / limit;
    for (size_t column = g->n_begin; column < g->n_end; column += 16)
        for (size_t i = 0; i < blocks; i++) {
            size_t start, rows = block_rows(g->m, limit, i, &start);
            switch (rows) {
#define CASE(n) case n: tile_bf16(g, start, column, n); break;
                CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
#undef CASE
            }
        }
}
static void gemm_bf16_portable(const mnk_gemm *g) { gemm_bf16_body(g, 4); }

#if defined(__x86_64__)
T_AVX512 static void gemm_bf16_avx512(const mnk_gemm *g) { gemm_bf16_body(g, 8); }
T_AVX2 static void gemm_bf16_avx2(const mnk_gemm *g) { gemm_bf16_body(g, 4); }

T_BF16 MNK_INLINE void tile_bf16_native(const mnk_gemm *g, size_t row, size_t column, size_t rows, size_t panels, int prefetch) {
    const uint16_t *a = (const uint16_t *)g->a + row * g->lda;
    const uint16_t *b = (const uint16_t *)g->b + column * g->k;
    __m512 acc[12][2];
    for (size_t i = 0; i < rows; i++)
        for (size_t p = 0; p < panels; p++) acc[i][p] = _mm512_setzero_ps();
    for (size_t k = 0; k < g->k; k += 2) {
        if (prefetch) {
            // The next panels come from the third-level cache or memory while these are multiplied.
            for (size_t p = 0; p < panels; p++) _mm_prefetch((const char *)(b + (panels + p) * 16 * g->k + k * 16), _MM_HINT_T0);
        }
        __m512bh w[2];
        for (size_t p = 0; p < panels; p++) w[p] = (__m512bh)_mm512_loadu_si512(b + p * 16 * g->k + k * 16);
        for (size_t i = 0; i < rows; i++) {
            int32_t pair;
            memcpy(&pair, a + i * g->lda + k, 4);
            __m512bh x = (__m512bh)_mm512_set1_epi32(pair);
            for (size_t p = 0; p < panels; p++) acc[i][p] = _mm512_dpbf16_ps(acc[i][p], x, w[p]);
        }
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t p = 0; p < panels; p++) finish16(g, row + i, column + 16 * p, &acc[i][p]);
}

T_BF16 static void gemm_bf16_native(const mnk_gemm *g) {
    if (g->m == 0) return;
    size_t blocks = (g->m + 11) / 12;
    for (size_t column = g->n_begin; column < g->n_end;) {
        size_t panels = column + 32 <= g->n_end ? 2 : 1;
        for (size_t i = 0; i < blocks; i++) {
            size_t start, rows = block_rows(g->m, 12, i, &start);
            int prefetch = i + 1 == blocks && column + 32 * panels <= g->n_end;
            switch (rows) {
#define CASE(n) case n: if (panels == 2) tile_bf16_native(g, start, column, n, 2, prefetch); else tile_bf16_native(g, start, column, n, 1, prefetch); break;
                CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#undef CASE
            }
        }
        column += 16 * panels;
    }
}
#endif

void mnk_gemm_bf16(uint32_t features, const mnk_gemm *g) {
    if (features & MNK_AMX_EMULATED) { mnk_amx_gemm_emulated(g, 0); return; }
#if defined(__x86_64__)
    if (features & MNK_AMX_BF16) { mnk_amx_gemm(g, 0); return; }
    if (features & MNK_AVX512_BF16) { gemm_bf16_native(g); return; }
    if (features & MNK_AVX512) { gemm_bf16_avx512(g); return; }
    if (features & MNK_AVX2) { gemm_bf16_avx2(g); return; }
#endif
    gemm_bf16_portable(g);
}

void mnk_pack_bf16(const float *w, size_t n, size_t k, uint16_t *packed) {
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < k; i++)
            packed[(j / 16) * 16 * k + (i / 2) * 32 + (j % 16) * 2 + i % 2] = bf16_of(w[j * k + i]);
}
