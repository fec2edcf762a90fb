// Products of 8-bit integers: activations of unsigned bytes with a scale and a zero for each row,
// weights of signed bytes with a scale for each column.
//
// Σ (a − zero)·b = Σ a·b − zero·Σ b: the products are of the bytes as they are, and the column
// sums, known from packing, take the zero out. All of it is exact in 32 bits for k up to 2^16 or so
// (255·127·k), so that the paths differ in nothing.

#include "vector.h"
#include "amx.h"
#include "arm.h"
#include <math.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// Sums of integers are exact, so that all instances agree to the bit.
MNK_INLINE void gemm_int8_body(const mnk_gemm *g) {
    for (size_t column = g->n_begin; column < g->n_end; column += 16) {
        const int8_t *b = (const int8_t *)g->b + column * g->k;
        for (size_t row = 0; row < g->m; row++) {
            const uint8_t *a = (const uint8_t *)g->a + row * g->lda;
            int32_t acc[16] = {0};
            for (size_t k = 0; k < g->k; k += 4)
                for (size_t j = 0; j < 16; j++)
                    for (size_t q = 0; q < 4; q++) acc[j] += (int32_t)a[k + q] * b[k * 16 + j * 4 + q];
            i32x16 v;
            memcpy(&v, acc, sizeof v);
            finish16_int8(g, row, column, &v);
        }
    }
}
/// The plain loop, compiled for each instruction set: the compiler makes vectors of it.
static void gemm_int8_portable(const mnk_gemm *g) { gemm_int8_body(g); }

#if defined(__x86_64__)
T_AVX512 static void gemm_int8_avx512(const mnk_gemm *g) { gemm_int8_body(g); }
T_AVX2 static void gemm_int8_avx2(const mnk_gemm *g) { gemm_int8_body(g); }

/// `rows` × (16·panels) sums in registers; VPDPBUSD multiplies four bytes of a row with four of
/// each of sixteen columns.
T_VNNI MNK_INLINE void tile_int8(const mnk_gemm *g, size_t row, size_t column, size_t rows, size_t panels, int prefetch) {
    const uint8_t *a = (const uint8_t *)g->a + row * g->lda;
    const int8_t *b = (const int8_t *)g->b + column * g->k;
    __m512i acc[12][2];
    for (size_t i = 0; i < rows; i++)
        for (size_t p = 0; p < panels; p++) acc[i][p] = _mm512_setzero_si512();
    for (size_t k = 0; k < g->k; k += 4) {
        if (prefetch) {
            // The next panels come from the third-level cache or memory while these are multiplied.
            for (size_t p = 0; p < panels; p++) _mm_prefetch((const char *)(b + (panels + p) * 16 * g->k + k * 16), _MM_HINT_T0);
        }
        __m512i w[2];
        for (size_t p = 0; p < panels; p++) w[p] = _mm512_loadu_si512(b + p * 16 * g->k + k * 16);
        for (size_t i = 0; i < rows; i++) {
            int32_t quad;
            memcpy(&quad, a + i * g->lda + k, 4);
            __m512i x = _mm512_set1_epi32(quad);
            for (size_t p = 0; p < panels; p++) acc[i][p] = _mm512_dpbusd_epi32(acc[i][p], x, w[p]);
        }
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t p = 0; p < panels; p++) finish16_int8(g, row + i, column + 16 * p, &acc[i][p]);
}

/// Rows in equal blocks of at most twelve, two panels at a time. The last block of rows fetches the
/// next panels, which the first of them will need.
T_VNNI static void gemm_int8_vnni(const mnk_gemm *g) {
    if (g->m == 0) return;
    size_t blocks = (g->m + 11) / 12;
    for (size_t column = g->n_begin; column < g->n_end;) {
        size_t panels = column + 32 <= g->n_end ? 2 : 1;
        for (size_t i = 0; i < blocks; i++) {
            size_t start, rows = block_rows(g->m, 12, i, &start);
            int prefetch = i + 1 == blocks && column + 32 * panels <= g->n_end;
            switch (rows) {
#define CASE(n) case n: if (panels == 2) tile_int8(g, start, column, n, 2, prefetch); else tile_int8(g, start, column, n, 1, prefetch); break;
                CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#undef CASE
            }
        }
        column += 16 * panels;
    }
}
#endif

/// AMX if the machine has it, or its emulation was asked for; then VNNI. Without it, the compiler
/// makes vectors of the plain loop.
void mnk_gemm_int8(uint32_t features, const mnk_gemm *g) {
    if (features & MNK_AMX_EMULATED) { mnk_amx_gemm_emulated(g); return; }
#if defined(__x86_64__)
    if (features & MNK_AMX_INT8) { mnk_amx_gemm(g); return; }
    if (features & MNK_AVX512_VNNI) { gemm_int8_vnni(g); return; }
    if (features & MNK_AVX512) { gemm_int8_avx512(g); return; }
    if (features & MNK_AVX2) { gemm_int8_avx2(g); return; }
#elif defined(__aarch64__)
    if (features & MNK_NEON) { mnk_arm_gemm_int8(features, g); return; }
#endif
    gemm_int8_portable(g);
}

/// Scale highest/127 for each column, codes rounded to the nearest. Complexity: two passes over a
/// column.
void mnk_pack_int8(const float *w, size_t n, size_t k, const float *input_scale,
                   int8_t *packed, float *b_scale, int32_t *b_sum) {
    for (size_t j = 0; j < n; j++) {
        float highest = 0;
        for (size_t i = 0; i < k; i++) {
            float x = fabsf(w[j * k + i] * (input_scale ? input_scale[i] : 1));
            highest = x > highest ? x : highest;
        }
        float scale = highest > 0 ? highest / 127 : 1;
        int32_t sum = 0;
        for (size_t i = 0; i < k; i++) {
            float x = w[j * k + i] * (input_scale ? input_scale[i] : 1);
            int32_t q = (int32_t)lrintf(x / scale);
            packed[(j / 16) * 16 * k + (i / 4) * 64 + (j % 16) * 4 + i % 4] = (int8_t)q;
            sum += q;
        }
        b_scale[j] = scale;
        b_sum[j] = sum;
    }
}
