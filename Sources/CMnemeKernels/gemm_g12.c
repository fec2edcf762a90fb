// Products of weights of 12 bits (MNK_G12) with activations of 15 bits in words, over groups of k:
// see groups.h.
#include "amx.h"
#include "arm.h"
#include "groups.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// Rows that share one unpacking of the words: their sums and the four vectors of words fill the
/// registers.
enum { ROWS = 9 };

/// The reference, number by number.
static void gemm_portable(const mnk_tiles *g) {
    group_shape shape = group_shape_of(g->k);
    for (size_t column = g->n_begin; column < g->n_end; column += 16)
        for (size_t row = 0; row < g->m; row++) {
            f32x16 total = splat16(0);
            for (size_t group = 0, step = 0; group < shape.groups; group++) {
                i32x16 high = {0}, low = {0};
                for (size_t end = step + shape.per_group; step < end && step < shape.steps; step++) {
                    const uint8_t *t = group_tiles(g, column) + step * 2 * G12_TILE;
                    const int16_t *a = group_words(g, shape.steps, row, step);
                    i32x16 s = {0};
                    for (size_t k = 0; k < 64; k++)
                        for (size_t n = 0; n < 16; n++) s[n] += g12_code(t + k / 32 * G12_TILE, n, k % 32) * a[k];
                    add_step(s, &high, &low);
                }
                f32x16 scale = load16(g12_scales(g, shape, column, group)) * splat16(group_scale(g, shape.groups, row, group));
                total = add_whole(whole_sums(high, low), scale, total);
            }
            finish_tile(g, row, column, &total);
        }
}

#if defined(__x86_64__)

/// `rows` rows of one column tile.
T_AVX2 MNK_INLINE void rows_avx2(const mnk_tiles *g, size_t row, size_t column, size_t rows) {
    group_shape shape = group_shape_of(g->k);
    const uint8_t *t = group_tiles(g, column);
    const __m256i second = _mm256_set1_epi16(0x0f00), third = _mm256_set1_epi16((int16_t)0xf000), seven = _mm256_set1_epi32(127);
    float total[4][16] = {{0}};
    for (size_t group = 0, step = 0; group < shape.groups; group++) {
        // Of a row, eight columns each.
        __m256i high[4][2], low[4][2];
        for (size_t i = 0; i < rows; i++) high[i][0] = high[i][1] = low[i][0] = low[i][1] = _mm256_setzero_si256();
        for (size_t end = step + shape.per_group; step < end && step < shape.steps; step++, t += 2 * G12_TILE)
            for (size_t side = 0; side < 2; side++) {
                __m256i s[4];
                for (size_t i = 0; i < rows; i++) s[i] = _mm256_setzero_si256();
                for (size_t j = 0; j < 8; j++) {
                    __m256i p[3], w[4];
                    for (size_t v = 0; v < 3; v++) {
                        p[v] = _mm256_loadu_si256((const __m256i *)(t + (j * 3 + v) * 64 + side * 32));
                        w[v] = _mm256_srai_epi16(p[v], 4);
                    }
                    __m256i first = _mm256_slli_epi16(p[0], 4), middle = _mm256_slli_epi16(p[1], 8), last = _mm256_slli_epi16(p[2], 12);
                    first = _mm256_or_si256(_mm256_andnot_si256(second, first), _mm256_and_si256(second, middle));
                    w[3] = _mm256_srai_epi16(_mm256_or_si256(_mm256_andnot_si256(third, first), last), 4);
#pragma clang loop unroll(full)
                    for (size_t i = 0; i < rows; i++)
                        for (size_t v = 0; v < 4; v++) {
                            int32_t pair;
                            memcpy(&pair, group_words(g, shape.steps, row + i, step) + j * 8 + v * 2, 4);
                            s[i] = _mm256_add_epi32(s[i], _mm256_madd_epi16(w[v], _mm256_set1_epi32(pair)));
                        }
                }
                for (size_t i = 0; i < rows; i++) {
                    high[i][side] = _mm256_add_epi32(high[i][side], _mm256_srai_epi32(s[i], 7));
                    low[i][side] = _mm256_add_epi32(low[i][side], _mm256_and_si256(s[i], seven));
                }
            }
        const float *scales = g12_scales(g, shape, column, group);
        for (size_t i = 0; i < rows; i++)
            for (size_t side = 0; side < 2; side++) {
                __m256 sums = _mm256_cvtepi32_ps(_mm256_add_epi32(high[i][side], _mm256_srai_epi32(low[i][side], 7)));
                __m256 scale = _mm256_mul_ps(_mm256_loadu_ps(scales + 8 * side), _mm256_set1_ps(group_scale(g, shape.groups, row + i, group)));
                float *x = total[i] + 8 * side;
                _mm256_storeu_ps(x, _mm256_fmadd_ps(sums, scale, _mm256_loadu_ps(x)));
            }
    }
    for (size_t i = 0; i < rows; i++) finish_tile(g, row + i, column, total[i]);
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

/// Four vectors of words from three, see MNK_G12: lane n holds two codes that follow each other
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

/// Of a step that comes later.
T_VNNI MNK_INLINE void fetch(const uint8_t *codes) {
    for (size_t line = 0; line < 2 * G12_TILE; line += 64) _mm_prefetch((const char *)(codes + line), _MM_HINT_T1);
}

/// Adds a step's sums to those of its group.
T_VNNI MNK_INLINE void step_vnni(__m512i s, __m512i *high, __m512i *low) {
    *high = _mm512_add_epi32(*high, _mm512_srai_epi32(s, 7));
    *low = _mm512_add_epi32(*low, _mm512_and_si512(s, _mm512_set1_epi32(127)));
}

/// Adds a group's sums to those of a row and sixteen columns.
T_VNNI MNK_INLINE void group_vnni(__m512i high, __m512i low, __m512 d, float scale, __m512 *total) {
    __m512i sums = _mm512_add_epi32(high, _mm512_srai_epi32(low, 7));
    *total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums), _mm512_mul_ps(d, _mm512_set1_ps(scale)), *total);
}

/// One row: memory is the limit, so that column tiles are read as several streams and the next ones
/// are fetched ahead.
T_VNNI MNK_INLINE void streams_vnni(const mnk_tiles *g, size_t column, size_t streams) {
    group_shape shape = group_shape_of(g->k);
    size_t panel = group_panel(MNK_G12, g->k);
    const uint8_t *t = group_tiles(g, column);
    __m512 total[4];
    for (size_t i = 0; i < streams; i++) total[i] = _mm512_setzero_ps();
    for (size_t group = 0, step = 0; group < shape.groups; group++) {
        __m512i high[4], low[4];
        for (size_t i = 0; i < streams; i++) high[i] = low[i] = _mm512_setzero_si512();
        for (size_t end = step + shape.per_group; step < end && step < shape.steps; step++) {
            const int16_t *a = group_words(g, shape.steps, 0, step);
#pragma clang loop unroll(full)
            for (size_t i = 0; i < streams; i++) {
                const uint8_t *p = t + i * panel + step * 2 * G12_TILE;
                fetch(p + streams * panel);
                __m512i even = _mm512_setzero_si512(), odd = even;
#pragma clang loop unroll(full)
                for (size_t j = 0; j < 8; j++) {
                    __m512i w[4];
                    unpack(p + j * 192, w);
                    even = _mm512_dpwssd_epi32(even, w[0], two_words(a + j * 8));
                    odd = _mm512_dpwssd_epi32(odd, w[1], two_words(a + j * 8 + 2));
                    even = _mm512_dpwssd_epi32(even, w[2], two_words(a + j * 8 + 4));
                    odd = _mm512_dpwssd_epi32(odd, w[3], two_words(a + j * 8 + 6));
                }
                step_vnni(_mm512_add_epi32(even, odd), &high[i], &low[i]);
            }
        }
        for (size_t i = 0; i < streams; i++)
            group_vnni(high[i], low[i], _mm512_loadu_ps(g12_scales(g, shape, column + 16 * i, group)), group_scale(g, shape.groups, 0, group), &total[i]);
    }
    for (size_t i = 0; i < streams; i++) finish_tile(g, 0, column + 16 * i, &total[i]);
}

/// Some rows of one column tile: words are unpacked once for all of them, beside the products.
T_VNNI MNK_INLINE void rows_vnni(const mnk_tiles *g, size_t row, size_t column, size_t rows, int ahead) {
    group_shape shape = group_shape_of(g->k);
    size_t panel = group_panel(MNK_G12, g->k);
    const uint8_t *t = group_tiles(g, column);
    __m512 total[ROWS];
    for (size_t i = 0; i < rows; i++) total[i] = _mm512_setzero_ps();
    for (size_t group = 0, step = 0; group < shape.groups; group++) {
        __m512i high[ROWS], low[ROWS];
        for (size_t i = 0; i < rows; i++) high[i] = low[i] = _mm512_setzero_si512();
        for (size_t end = step + shape.per_group; step < end && step < shape.steps; step++, t += 2 * G12_TILE) {
            const int16_t *a = group_words(g, shape.steps, row, step);
            if (ahead) fetch(t + panel);
            __m512i s[ROWS];
            for (size_t i = 0; i < rows; i++) s[i] = _mm512_setzero_si512();
#pragma clang loop unroll(full)
            for (size_t j = 0; j < 8; j++) {
                __m512i w[4];
                unpack(t + j * 192, w);
#pragma clang loop unroll(full)
                for (size_t v = 0; v < 4; v++)
#pragma clang loop unroll(full)
                    for (size_t i = 0; i < rows; i++) s[i] = _mm512_dpwssd_epi32(s[i], w[v], two_words(a + i * shape.steps * 64 + j * 8 + v * 2));
            }
            for (size_t i = 0; i < rows; i++) step_vnni(s[i], &high[i], &low[i]);
        }
        __m512 d = _mm512_loadu_ps(g12_scales(g, shape, column, group));
        for (size_t i = 0; i < rows; i++) group_vnni(high[i], low[i], d, group_scale(g, shape.groups, row + i, group), &total[i]);
    }
    for (size_t i = 0; i < rows; i++) finish_tile(g, row + i, column, &total[i]);
}

/// One row: streams of four column tiles. More: equal blocks of at most ROWS, the last of which
/// fetches the next column tile.
T_VNNI static void gemm_vnni(const mnk_tiles *g) {
    size_t column = g->n_begin, blocks = (g->m + ROWS - 1) / ROWS;
    if (g->m == 1) {
        for (; column + 64 <= g->n_end; column += 64) streams_vnni(g, column, 4);
        for (; column < g->n_end; column += 16) streams_vnni(g, column, 1);
        return;
    }
    for (; column < g->n_end; column += 16)
        for (size_t i = 0; i < blocks; i++) {
            size_t start, rows = block_rows(g->m, ROWS, i, &start);
            switch (rows) {
#define CASE(n) case n: rows_vnni(g, start, column, n, i + 1 == blocks); break;
                CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9)
#undef CASE
            }
        }
}
#endif

/// The best path of those allowed.
void mnk_gemm_g12(uint32_t features, const mnk_tiles *g) {
    // AMX multiplies bytes, which are there where it was expected.
    if (features & (MNK_AMX_INT8 | MNK_AMX_EMULATED) && g->a) { mnk_gemm_by_amx(features, g, mnk_gemm_g12); return; }
#if defined(__x86_64__)
    if (features & MNK_AVX512_VNNI) { gemm_vnni(g); return; }
    if (features & MNK_AVX2) { gemm_avx2(g); return; }
#elif defined(__aarch64__)
    if (features & MNK_NEON) { mnk_arm_gemm_g12(g); return; }
#endif
    (void)features;
    gemm_portable(g);
}
