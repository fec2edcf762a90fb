// Products of weights of 12 bits, in tiles of 16 columns by 32 of k (see MNK_Q12), with activations
// of 15 bits in words.
//
// The sum of a block's 32 products is exact in 32 bits (at most 32 · 2047 · 16191), and the scales
// are applied block by block in one order: all paths give the same bits, on every processor and for
// any number of rows.
#include "arm.h"
#include "tiles.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// Rows that share one unpacking of the words: their sums and the four vectors of words fill the
/// registers.
enum { ROWS = 9 };
/// The reference, number by number.
static void gemm_portable(const mnk_tiles *g) {
    for (size_t column = g->n_begin; column < g->n_end; column += 16)
        for (size_t row = 0; row < g->m; row++) {
            f32x16 acc = splat16(0);
            for (size_t b = 0; b < g->k / 32; b++) {
                const uint8_t *t = codes_at(g, column) + b * CODES;
                const int16_t *a = words_at(g, row, b);
                int32_t s[16] = {0};
                for (size_t k = 0; k < 32; k++)
                    for (size_t n = 0; n < 16; n++) s[n] += mnk_q12_code(t, n, k) * a[k];
                i32x16 v;
                memcpy(&v, s, sizeof v);
                f32x16 scale = load16_half(0, scales_at(g, column) + b * 16) * splat16(g->a_scale[row * (g->k / 32) + b]);
                acc = fma16(__builtin_convertvector(v, f32x16), scale, acc);
            }
            finish_q12(g, row, column, &acc);
        }
}

#if defined(__x86_64__)

/// `rows` rows of one column tile.
T_AVX2 MNK_INLINE void rows_avx2(const mnk_tiles *g, size_t row, size_t column, size_t rows) {
    size_t blocks = g->k / 32;
    const uint8_t *t = codes_at(g, column);
    const uint16_t *scales = scales_at(g, column);
    const __m256i second = _mm256_set1_epi16(0x0f00), third = _mm256_set1_epi16((int16_t)0xf000);
    float acc[4][16] = {{0}};
    for (size_t b = 0; b < blocks; b++, t += CODES, scales += 16)
        for (size_t side = 0; side < 2; side++) {  // eight columns each
            __m256i s[4];
            for (size_t i = 0; i < rows; i++) s[i] = _mm256_setzero_si256();
            for (size_t j = 0; j < 4; j++) {
                __m256i p[3], w[4];
                for (size_t v = 0; v < 3; v++) {
                    p[v] = _mm256_loadu_si256((const __m256i *)(t + (j * 3 + v) * 64 + side * 32));
                    w[v] = _mm256_srai_epi16(p[v], 4);
                }
                __m256i low = _mm256_slli_epi16(p[0], 4), middle = _mm256_slli_epi16(p[1], 8), high = _mm256_slli_epi16(p[2], 12);
                low = _mm256_or_si256(_mm256_andnot_si256(second, low), _mm256_and_si256(second, middle));
                w[3] = _mm256_srai_epi16(_mm256_or_si256(_mm256_andnot_si256(third, low), high), 4);
#pragma clang loop unroll(full)
                for (size_t i = 0; i < rows; i++)
                    for (size_t v = 0; v < 4; v++) {
                        int32_t pair;
                        memcpy(&pair, words_at(g, row + i, b) + j * 8 + v * 2, 4);
                        s[i] = _mm256_add_epi32(s[i], _mm256_madd_epi16(w[v], _mm256_set1_epi32(pair)));
                    }
            }
            __m256 d = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(scales + side * 8)));
#pragma clang loop unroll(full)
            for (size_t i = 0; i < rows; i++) {
                __m256 x = _mm256_loadu_ps(acc[i] + 8 * side);
                x = _mm256_fmadd_ps(_mm256_cvtepi32_ps(s[i]), _mm256_mul_ps(d, _mm256_set1_ps(g->a_scale[(row + i) * blocks + b])), x);
                _mm256_storeu_ps(acc[i] + 8 * side, x);
            }
        }
    for (size_t i = 0; i < rows; i++) finish_q12(g, row + i, column, acc[i]);
}

/// Four rows at a time, or what is left.
T_AVX2 static void gemm_avx2(const mnk_tiles *g) {
    for (size_t column = g->n_begin; column < g->n_end; column += 16)
        for (size_t row = 0; row < g->m; row += 4)
            switch (g->m - row) {
                case 1: rows_avx2(g, row, column, 1); break;
                case 2: rows_avx2(g, row, column, 2); break;
                case 3: rows_avx2(g, row, column, 3); break;
                default: rows_avx2(g, row, column, 4);
            }
}

/// Four vectors of words from three, see MNK_Q12: lane n holds two codes that follow each other
/// along k, of column n.
T_VNNI MNK_INLINE void unpack(const uint8_t *p, __m512i w[4]) {
    const __m512i second = _mm512_set1_epi16(0x0f00), third = _mm512_set1_epi16((int16_t)0xf000);
    __m512i a = _mm512_loadu_si512(p), b = _mm512_loadu_si512(p + 64), c = _mm512_loadu_si512(p + 128);
    w[0] = _mm512_srai_epi16(a, 4);
    w[1] = _mm512_srai_epi16(b, 4);
    w[2] = _mm512_srai_epi16(c, 4);
    // 0xd8 takes the second where the third has ones, and the first elsewhere.
    __m512i last = _mm512_ternarylogic_epi32(_mm512_slli_epi16(a, 4), _mm512_slli_epi16(b, 8), second, 0xd8);
    w[3] = _mm512_srai_epi16(_mm512_ternarylogic_epi32(last, _mm512_slli_epi16(c, 12), third, 0xd8), 4);
}

/// Two words of a row, for all sixteen columns: VPDPWSSD multiplies pairs along k.
T_VNNI MNK_INLINE __m512i two_words(const int16_t *a) {
    int32_t pair;
    memcpy(&pair, a, 4);
    return _mm512_set1_epi32(pair);
}

/// Codes and scales of a tile that comes later. Scales lie apart, so that the processor does not
/// see by itself that they are next.
T_VNNI MNK_INLINE void fetch(const uint8_t *codes, const uint8_t *scales) {
    for (size_t line = 0; line < CODES; line += 64) _mm_prefetch((const char *)(codes + line), _MM_HINT_T1);
    _mm_prefetch((const char *)scales, _MM_HINT_T1);
}

/// One row: memory is the limit, so that column tiles are read as several streams and the next ones
/// are fetched ahead.
T_VNNI MNK_INLINE void streams_vnni(const mnk_tiles *g, size_t column, size_t streams) {
    size_t blocks = g->k / 32, panel = PANEL(blocks);
    const uint8_t *t = codes_at(g, column);
    const uint16_t *scales = scales_at(g, column);
    __m512 acc[4];
    for (size_t i = 0; i < streams; i++) acc[i] = _mm512_setzero_ps();
    for (size_t b = 0; b < blocks; b++) {
        const int16_t *a = words_at(g, 0, b);
        __m512 scale = _mm512_set1_ps(g->a_scale[b]);
#pragma clang loop unroll(full)
        for (size_t i = 0; i < streams; i++) {
            const uint8_t *p = t + i * panel + b * CODES;
            fetch(p + streams * panel, (const uint8_t *)(scales + b * 16) + (streams + i) * panel);
            __m512i even = _mm512_setzero_si512(), odd = even;
#pragma clang loop unroll(full)
            for (size_t j = 0; j < 4; j++) {
                __m512i w[4];
                unpack(p + j * 192, w);
                even = _mm512_dpwssd_epi32(even, w[0], two_words(a + j * 8));
                odd = _mm512_dpwssd_epi32(odd, w[1], two_words(a + j * 8 + 2));
                even = _mm512_dpwssd_epi32(even, w[2], two_words(a + j * 8 + 4));
                odd = _mm512_dpwssd_epi32(odd, w[3], two_words(a + j * 8 + 6));
            }
            __m512 d = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)((const uint8_t *)(scales + b * 16) + i * panel)));
            acc[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_add_epi32(even, odd)), _mm512_mul_ps(d, scale), acc[i]);
        }
    }
    for (size_t i = 0; i < streams; i++) finish_q12(g, 0, column + 16 * i, &acc[i]);
}

/// Some rows of one column tile: words are unpacked once for all of them, beside the products.
T_VNNI MNK_INLINE void rows_vnni(const mnk_tiles *g, size_t row, size_t column, size_t rows, int ahead) {
    size_t blocks = g->k / 32, panel = PANEL(blocks);
    const uint8_t *t = codes_at(g, column);
    const uint16_t *scales = scales_at(g, column);
    __m512 acc[ROWS];
    for (size_t i = 0; i < rows; i++) acc[i] = _mm512_setzero_ps();
    for (size_t b = 0; b < blocks; b++, t += CODES, scales += 16) {
        if (ahead) fetch(t + panel, (const uint8_t *)scales + panel);
        __m512i s[ROWS];
        for (size_t i = 0; i < rows; i++) s[i] = _mm512_setzero_si512();
#pragma clang loop unroll(full)
        for (size_t j = 0; j < 4; j++) {
            __m512i w[4];
            unpack(t + j * 192, w);
#pragma clang loop unroll(full)
            for (size_t v = 0; v < 4; v++)
#pragma clang loop unroll(full)
                for (size_t i = 0; i < rows; i++) s[i] = _mm512_dpwssd_epi32(s[i], w[v], two_words(words_at(g, row + i, b) + j * 8 + v * 2));
        }
        __m512 d = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)scales));
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++) {
            __m512 scale = _mm512_mul_ps(d, _mm512_set1_ps(g->a_scale[(row + i) * blocks + b]));
            acc[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(s[i]), scale, acc[i]);
        }
    }
    for (size_t i = 0; i < rows; i++) finish_q12(g, row + i, column, &acc[i]);
}

/// One row: streams of four column tiles. More: equal blocks of at most ROWS, the last of which
/// fetches the next column tile.
T_VNNI static void gemm_vnni(const mnk_tiles *g) {
    size_t column = g->n_begin, groups = (g->m + ROWS - 1) / ROWS;
    if (g->m == 1) {
        for (; column + 64 <= g->n_end; column += 64) streams_vnni(g, column, 4);
        for (; column < g->n_end; column += 16) streams_vnni(g, column, 1);
        return;
    }
    for (; column < g->n_end; column += 16)
        for (size_t i = 0; i < groups; i++) {
            size_t start, rows = block_rows(g->m, ROWS, i, &start);
            switch (rows) {
#define CASE(n) case n: rows_vnni(g, start, column, n, i + 1 == groups); break;
                CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9)
#undef CASE
            }
        }
}
#endif

/// The best path of those allowed; AMX has no 16-bit products of integers.
void mnk_gemm_q12(uint32_t features, const mnk_tiles *g) {
#if defined(__x86_64__)
    if (features & MNK_AVX512_VNNI) { gemm_vnni(g); return; }
    if (features & MNK_AVX2) { gemm_avx2(g); return; }
#elif defined(__aarch64__)
    if (features & MNK_NEON) { mnk_arm_gemm_q12(g); return; }
#endif
    (void)features;
    gemm_portable(g);
}
