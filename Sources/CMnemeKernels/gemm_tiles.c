// Products of weights of 8 bits with activations of 15: C[m][n] (+)= A·Wᵀ + bias, W in tiles
// of 16 columns by 32 of k (see mnk_tiles in the header).
//
// An activation of 15 bits is a word, 128·high + low, so that instructions for bytes can multiply
// it in two halves: Σ w·word = 128·Σ w·high + Σ w·low, exact in 32 bits. Then d·a_scale scales the
// sum, m·a_sum adds the minimum, and blocks add up along k in order.
//
// One row (decoding) waits for memory: its weights come as several streams, with prefetches. Many
// rows (prefill) wait for the multipliers: codes are unpacked once for several rows, whose sums
// stay in registers.
#include "amx.h"
#include "arm.h"
#include "groups.h"
#include "tiles.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

size_t mnk_panel_bytes(int format, size_t k) {
    if (is_grouped(format)) return group_panel(format, k);
    return k / 32 * tile_bytes(format);
}

/// The reference: as mnk_tiles says it, number by number.
MNK_INLINE void gemm_tiles_body(const mnk_tiles *g) {
    size_t blocks = g->k / 32, tile = tile_bytes(g->format);
    for (size_t column = g->n_begin; column < g->n_end; column += 16)
        for (size_t row = 0; row < g->m; row++) {
            f32x16 acc = splat16(0);
            for (size_t b = 0; b < blocks; b++) {
                const uint8_t *t = (const uint8_t *)g->b + (column / 16 * blocks + b) * tile;
                const int8_t *a = codes_of_row(g, row, b);
                int32_t s[16];
                for (size_t n = 0; n < 16; n++) s[n] = start_of(g, row * blocks + b, g->format);
                for (size_t j = 0; j < 8; j++)
                    for (size_t n = 0; n < 16; n++)
                        for (size_t q = 0; q < 4; q++) s[n] += t[j * 64 + n * 4 + q] * (a[j * 4 + q] * 128 + a[32 + j * 4 + q]);
                i32x16 v;
                memcpy(&v, s, sizeof v);
                const uint16_t *scales = (const uint16_t *)(t + CODE_BYTES);
                f32x16 scale = load16_half(0, scales) * splat16(g->a_scale[row * blocks + b]);
                acc = fma16(__builtin_convertvector(v, f32x16), scale, acc);
                if (!zero_of(g->format)) acc = fma16(load16_half(0, scales + 16), splat16(g->a_sum[row * blocks + b]), acc);
            }
            finish_tile(g, row, column, &acc);
        }
}
static void gemm_tiles_portable(const mnk_tiles *g) { gemm_tiles_body(g); }

#if defined(__x86_64__)

/// Codes of a row's block as 16 words of two 16-bit integers: elements 0 and 2, 1 and 3, 4 and 6,
/// …, as the codes of weights fall apart into even and odd ones.
T_AVX2 MNK_INLINE void words_avx2(const int8_t *a, int32_t words[16]) {
    const __m256i order = _mm256_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15, 0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15);
    for (int half = 0; half < 2; half++) {
        __m256i high = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(a + 16 * half)));
        __m256i low = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(a + 32 + 16 * half)));
        __m256i all = _mm256_add_epi16(_mm256_slli_epi16(high, 7), low);
        _mm256_storeu_si256((__m256i *)(words + 8 * half), _mm256_shuffle_epi8(all, order));
    }
}

/// `rows` rows of one column tile. Products are of 16-bit integers, exact for codes of 8 bits.
T_AVX2 MNK_INLINE void rows_avx2(const mnk_tiles *g, size_t row, size_t column, size_t rows, int format) {
    size_t blocks = g->k / 32, tile = tile_bytes(format);
    const uint8_t *t = (const uint8_t *)g->b + column / 16 * blocks * tile;
    const __m256i bytes = _mm256_set1_epi32(0x00ff00ff);
    float acc[4][16] = {{0}};
    for (size_t b = 0; b < blocks; b++, t += tile) {
        int32_t words[4][16];
        for (size_t line = 0; line < tile; line += 64) _mm_prefetch((const char *)(t + 4096 + line), _MM_HINT_T0);
        for (size_t i = 0; i < rows; i++) words_avx2(codes_of_row(g, row + i, b), words[i]);
        // A vector of AVX2 holds half of the columns.
        for (size_t side = 0; side < 2; side++) {  // eight columns each
            __m256i s[4];
            for (size_t i = 0; i < rows; i++) s[i] = _mm256_set1_epi32(start_of(g, (row + i) * blocks + b, format));
            for (size_t j = 0; j < 8; j++) {
                __m256i w = _mm256_loadu_si256((const __m256i *)(t + j * 64 + side * 32));
                __m256i even = _mm256_and_si256(w, bytes), odd = _mm256_and_si256(_mm256_srli_epi16(w, 8), bytes);
#pragma clang loop unroll(full)
                for (size_t i = 0; i < rows; i++) {
                    s[i] = _mm256_add_epi32(s[i], _mm256_madd_epi16(even, _mm256_set1_epi32(words[i][2 * j])));
                    s[i] = _mm256_add_epi32(s[i], _mm256_madd_epi16(odd, _mm256_set1_epi32(words[i][2 * j + 1])));
                }
            }
            const uint8_t *scales = t + CODE_BYTES + side * 16;
            __m256 d = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)scales)), m = d;
            if (!zero_of(format)) m = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(scales + 32)));
#pragma clang loop unroll(full)
            for (size_t i = 0; i < rows; i++) {
                size_t at = (row + i) * blocks + b;
                __m256 x = _mm256_loadu_ps(acc[i] + 8 * side);
                x = _mm256_fmadd_ps(_mm256_cvtepi32_ps(s[i]), _mm256_mul_ps(d, _mm256_set1_ps(g->a_scale[at])), x);
                _mm256_storeu_ps(acc[i] + 8 * side, zero_of(format) ? x : _mm256_fmadd_ps(m, _mm256_set1_ps(g->a_sum[at]), x));
            }
        }
    }
    for (size_t i = 0; i < rows; i++) finish_tile(g, row + i, column, acc[i]);
}

/// Four rows at a time, or what is left; the compiler knows how many, and the format.
T_AVX2 MNK_INLINE void gemm_avx2(const mnk_tiles *g, int format) {
    for (size_t column = g->n_begin; column < g->n_end; column += 16)
        for (size_t row = 0; row < g->m; row += 4)
            switch (g->m - row) {
                case 1: rows_avx2(g, row, column, 1, format); break;
                case 2: rows_avx2(g, row, column, 2, format); break;
                case 3: rows_avx2(g, row, column, 3, format); break;
                default: rows_avx2(g, row, column, 4, format);
            }
}
/// One function for each format, in which the compiler knows the layout.
T_AVX2 static void gemm_tiles_avx2(const mnk_tiles *g) {
    switch (g->format) {
#define CASE(f) case f: gemm_avx2(g, f); break;
        CASE(MNK_Q8) CASE(MNK_Z8)
#undef CASE
    }
}

/// The vector `j` of 8 of a tile: 16 columns × 4 codes.
T_VNNI MNK_INLINE __m512i code_of(const uint8_t *t, int j) { return _mm512_loadu_si512(t + 64 * j); }

/// The sixteen d of a tile, or m where it has them.
T_VNNI MNK_INLINE __m512 scales_of(const uint8_t *t, int m) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(t + CODE_BYTES + (m ? 32 : 0))));
}

/// All eight.
T_VNNI MNK_INLINE void codes_of(const uint8_t *t, __m512i w[8]) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 8; j++) w[j] = code_of(t, j);
}

/// Four codes of a row, for all sixteen columns.
T_VNNI MNK_INLINE __m512i four_codes(const int8_t *a) {
    int32_t four;
    memcpy(&four, a, 4);
    return _mm512_set1_epi32(four);
}

/// Sums of one row and sixteen columns over a block, as floats: `start` is what a fixed zero takes
/// off.
T_VNNI MNK_INLINE __m512 block_product(const __m512i w[8], const int8_t *a, int32_t start) {
    __m512i high = _mm512_setzero_si512(), low = _mm512_set1_epi32(start);
    for (int j = 0; j < 8; j++) {
        high = _mm512_dpbusd_epi32(high, w[j], four_codes(a + 4 * j));
        low = _mm512_dpbusd_epi32(low, w[j], four_codes(a + 32 + 4 * j));
    }
    return _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(high, 7), low));
}

/// Rows of one column tile at most: their sums of high and of low halves, and what they add up to,
/// fill the registers.
enum { COLUMN_ROWS = 8 };

/// `rows` rows of one column tile, step by step side by side: so many sums grow at once that none
/// waits for the one before it. The codes are unpacked once for all rows; with `ahead`, those to
/// come are fetched.
T_VNNI MNK_INLINE void rows_vnni(const mnk_tiles *g, size_t row, size_t column, size_t rows, int format, int ahead) {
    size_t blocks = g->k / 32, tile = tile_bytes(format);
    const uint8_t *t = (const uint8_t *)g->b + column / 16 * blocks * tile;
    __m512 acc[COLUMN_ROWS];
    for (size_t i = 0; i < rows; i++) acc[i] = _mm512_setzero_ps();
    for (size_t b = 0; b < blocks; b++, t += tile) {
        const int8_t *a = codes_of_row(g, row, b);
        __m512i high[COLUMN_ROWS], low[COLUMN_ROWS];
        if (ahead)
            for (size_t line = 0; line < tile; line += 64) _mm_prefetch((const char *)(t + 4096 + line), _MM_HINT_T0);
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++) {
            high[i] = _mm512_setzero_si512();
            low[i] = _mm512_set1_epi32(start_of(g, (row + i) * blocks + b, format));
        }
#pragma clang loop unroll(full)
        for (int j = 0; j < 8; j++) {
            __m512i w = code_of(t, j);
#pragma clang loop unroll(full)
            for (size_t i = 0; i < rows; i++) {
                high[i] = _mm512_dpbusd_epi32(high[i], w, four_codes(a + i * blocks * 64 + 4 * j));
                low[i] = _mm512_dpbusd_epi32(low[i], w, four_codes(a + i * blocks * 64 + 32 + 4 * j));
            }
        }
        __m512 d = scales_of(t, 0), m = d;
        if (!zero_of(format)) m = scales_of(t, 1);
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++) {
            size_t at = (row + i) * blocks + b;
            __m512 s = _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(high[i], 7), low[i]));
            acc[i] = _mm512_fmadd_ps(s, _mm512_mul_ps(d, _mm512_set1_ps(g->a_scale[at])), acc[i]);
            if (!zero_of(format)) acc[i] = _mm512_fmadd_ps(m, _mm512_set1_ps(g->a_sum[at]), acc[i]);
        }
    }
    for (size_t i = 0; i < rows; i++) finish_tile(g, row + i, column, &acc[i]);
}

/// Rows of a pair of column tiles: two sums each, and the codes, fill the 32 registers.
enum { PAIR_ROWS = 6 };

/// `rows` rows of two column tiles, step by step side by side: so many sums grow at once that none
/// waits for the one before it, and each code of a row is fetched once for both tiles. With
/// `ahead`, the next two tiles are fetched.
T_VNNI MNK_INLINE void pair_vnni(const mnk_tiles *g, size_t row, size_t column, size_t rows, int format, int ahead) {
    size_t blocks = g->k / 32, tile = tile_bytes(format);
    const uint8_t *t = (const uint8_t *)g->b + column / 16 * blocks * tile, *u = t + blocks * tile;
    __m512 acc[PAIR_ROWS][2];
    for (size_t i = 0; i < rows; i++) acc[i][0] = acc[i][1] = _mm512_setzero_ps();
    for (size_t b = 0; b < blocks; b++, t += tile, u += tile) {
        const int8_t *a = codes_of_row(g, row, b);
        __m512i s[PAIR_ROWS][2];
        if (ahead)
            for (size_t line = 0; line < tile; line += 64) {
                _mm_prefetch((const char *)(t + 2 * blocks * tile + line), _MM_HINT_T1);
                _mm_prefetch((const char *)(u + 2 * blocks * tile + line), _MM_HINT_T1);
            }
#pragma clang loop unroll(full)
        // A zero of 128 is taken off before what the high halves sum to is moved up by 7 bits.
        for (size_t i = 0; i < rows; i++)
            s[i][0] = s[i][1] = format == MNK_Z8 ? _mm512_set1_epi32(-g->a_total[(row + i) * blocks + b]) : _mm512_setzero_si512();
        // The high halves first: what they sum to is moved up once, and the low halves go on from
        // there.
#pragma clang loop unroll(full)
        for (int j = 0; j < 16; j++) {
            __m512i w = code_of(t, j % 8), v = code_of(u, j % 8);
#pragma clang loop unroll(full)
            for (size_t i = 0; i < rows; i++) {
                __m512i four = four_codes(a + i * blocks * 64 + 4 * j);
                if (j == 8) {
                    s[i][0] = _mm512_slli_epi32(s[i][0], 7);
                    s[i][1] = _mm512_slli_epi32(s[i][1], 7);
                }
                s[i][0] = _mm512_dpbusd_epi32(s[i][0], w, four);
                s[i][1] = _mm512_dpbusd_epi32(s[i][1], v, four);
            }
        }
#pragma clang loop unroll(full)
        // Scales of the two tiles, block by block, in the order of every path.
        for (size_t c = 0; c < 2; c++) {
            __m512 d = scales_of(c ? u : t, 0), m = d;
            if (!zero_of(format)) m = scales_of(c ? u : t, 1);
#pragma clang loop unroll(full)
            for (size_t i = 0; i < rows; i++) {
                size_t at = (row + i) * blocks + b;
                acc[i][c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(s[i][c]), _mm512_mul_ps(d, _mm512_set1_ps(g->a_scale[at])), acc[i][c]);
                if (!zero_of(format)) acc[i][c] = _mm512_fmadd_ps(m, _mm512_set1_ps(g->a_sum[at]), acc[i][c]);
            }
        }
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < 2; c++) finish_tile(g, row + i, column + 16 * c, &acc[i][c]);
}

/// One row: memory is the limit, so that four column tiles are read as four streams and the next
/// four are fetched ahead.
T_VNNI MNK_INLINE void streams_vnni(const mnk_tiles *g, size_t row, size_t column, size_t streams, int format) {
    size_t blocks = g->k / 32, tile = tile_bytes(format);
    const uint8_t *t = (const uint8_t *)g->b + column / 16 * blocks * tile;
    __m512 acc[4];
    for (size_t i = 0; i < streams; i++) acc[i] = _mm512_setzero_ps();
    for (size_t b = 0; b < blocks; b++, t += tile) {
        size_t at = row * blocks + b;
        int32_t start = start_of(g, at, format);
        __m512 scale = _mm512_set1_ps(g->a_scale[at]);
#pragma clang loop unroll(full)
        for (size_t i = 0; i < streams; i++) {
            const uint8_t *p = t + i * blocks * tile;
            for (size_t line = 0; line < tile; line += 64) _mm_prefetch((const char *)(p + streams * blocks * tile + line), _MM_HINT_T1);
            __m512i w[8];
            codes_of(p, w);
            __m512 d = scales_of(p, 0);
            acc[i] = _mm512_fmadd_ps(block_product(w, codes_of_row(g, row, b), start), _mm512_mul_ps(d, scale), acc[i]);
            if (!zero_of(format)) acc[i] = _mm512_fmadd_ps(scales_of(p, 1), _mm512_set1_ps(g->a_sum[at]), acc[i]);
        }
    }
    for (size_t i = 0; i < streams; i++) finish_tile(g, row, column + 16 * i, &acc[i]);
}

/// One row: streams. Up to two groups of rows: one column tile at a time, eight rows at a time.
/// More: pairs of column tiles, six rows at a time.
T_VNNI MNK_INLINE void gemm_vnni(const mnk_tiles *g, int format) {
    if (g->m == 1) {
        size_t column = g->n_begin;
        for (; column + 64 <= g->n_end; column += 64) streams_vnni(g, 0, column, 4, format);
        for (; column < g->n_end; column += 16) streams_vnni(g, 0, column, 1, format);
        return;
    }
    size_t column = g->n_begin, pairs = (g->m + PAIR_ROWS - 1) / PAIR_ROWS, groups = (g->m + COLUMN_ROWS - 1) / COLUMN_ROWS;
    if (groups > 2)
        for (; column + 32 <= g->n_end; column += 32)
            for (size_t i = 0; i < pairs; i++) {
                size_t start, rows = block_rows(g->m, PAIR_ROWS, i, &start);
                switch (rows) {
#define CASE(n) case n: pair_vnni(g, start, column, n, format, i + 1 == pairs); break;
                    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#undef CASE
                }
            }
    for (; column < g->n_end; column += 16)
        for (size_t i = 0; i < groups; i++) {
            size_t start, rows = block_rows(g->m, COLUMN_ROWS, i, &start);
            switch (rows) {
#define CASE(n) case n: rows_vnni(g, start, column, n, format, i + 1 == groups); break;
                CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
#undef CASE
            }
        }
}
/// One function a format: together they would be too large for the compiler to optimise well.
T_VNNI static void gemm_vnni_q8(const mnk_tiles *g) { gemm_vnni(g, MNK_Q8); }
T_VNNI static void gemm_vnni_z8(const mnk_tiles *g) { gemm_vnni(g, MNK_Z8); }
#endif

/// The best path of those allowed. Complexity: 2·m·(n_end − n_begin)·k operations; W is read once
/// for a block of rows.
void mnk_gemm_tiles(uint32_t features, const mnk_tiles *g) {
    if (g->m == 0) return;
    if (g->format == MNK_G4 || g->format == MNK_Z4) { mnk_gemm_g4(features, g); return; }
    if (g->format == MNK_G12) { mnk_gemm_g12(features, g); return; }
    if (features & (MNK_AMX_INT8 | MNK_AMX_EMULATED)) { mnk_gemm_by_amx(features, g, mnk_gemm_tiles); return; }
#if defined(__x86_64__)
    if (features & MNK_AVX512_VNNI) {
        switch (g->format) {
            case MNK_Z8: gemm_vnni_z8(g); return;
            default: gemm_vnni_q8(g); return;
        }
    }
    // AVX-512 without VNNI has nothing to add to 16-bit products.
    if (features & MNK_AVX2) { gemm_tiles_avx2(g); return; }
#elif defined(__aarch64__)
    if (features & MNK_NEON) { mnk_arm_gemm_tiles(features, g); return; }
#endif
    (void)features;
    gemm_tiles_portable(g);
}

/// The low half is signed, too: high takes what makes it so.
MNK_INLINE void mnk_quantize_blocks_body(uint32_t features, const float *x, size_t count, int8_t *codes, float *scale, float *sum, int32_t *total) {
    (void)features;
    typedef int8_t i8x16 __attribute__((vector_size(16)));
    for (size_t b = 0; b < count / 32; b++, x += 32) {
        f32x16 v[2] = {load16(x), load16(x + 16)};
        float highest = highest16(max16(max16(v[0], -v[0]), max16(v[1], -v[1]))), inverse = inverse_of(highest);
        i32x16 all = {0};
        for (size_t half = 0; half < 2; half++) {
            i32x16 q = words16(v[half], inverse);
            all += q;
            i32x16 h = (q + 64) >> 7, l = q - (h << 7);
            i8x16 high = __builtin_convertvector(h, i8x16), low = __builtin_convertvector(l, i8x16);
            memcpy(codes + b * 64 + half * 16, &high, 16);
            memcpy(codes + b * 64 + 32 + half * 16, &low, 16);
        }
        scale[b] = highest / 16191;
        float words_sum = sum16(__builtin_convertvector(all, f32x16));  // exact: at most 32 · 16191
        sum[b] = scale[b] * words_sum;
        total[b] = (int32_t)words_sum;
    }
}
MNK_DISPATCH(
    mnk_quantize_blocks, (uint32_t features, const float *x, size_t count, int8_t *codes, float *scale, float *sum, int32_t *total),
    (features, x, count, codes, scale, sum, total))
