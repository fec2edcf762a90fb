// Products of weights of 4 bits (MNK_G4, MNK_Z4) with activations of 15, over groups of k: see groups.h.
//
// Codes are unsigned and count from 8. What that takes from a sum is there before it begins, so that
// a half's sum over 32 of k fits in 16 signed bits; its s multiplies it then, and t, which MNK_Z4 has not, meets the sum
// of the bytes themselves.
#include "amx.h"
#include "arm.h"
#include "groups.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// Adds a step's products with a half of 32 of k for 16 columns, of which `t` is the tile, to a row's sums by high and by low
/// bytes.
MNK_INLINE void half_portable(const uint8_t *t, size_t half, int format, const int8_t *bytes, i32x16 *sums) {
    i32x16 products[2] = {{0}}, s, offsets;
    int32_t total[2] = {0};
    for (size_t j = 0; j < 8; j++) {
        // A column's four codes are the bytes of a lane, one half of each.
        i32x16 codes;
        memcpy(&codes, t + half * 256 + j / 2 * 64, sizeof codes);
        for (size_t i = 0; i < 4; i++) {
            i32x16 code = codes >> (8 * (int)i + 4 * (int)(j % 2)) & 15;
            for (int part = 0; part < 2; part++) {
                int32_t a = bytes[part * 64 + half * 32 + j * 4 + i];
                products[part] += code * a;
                total[part] += a;
            }
        }
    }
    for (size_t n = 0; n < 16; n++) {
        int16_t scale;
        int16_t offset = 0;
        memcpy(&scale, t + GROUP_SCALES + half * 32 + n * 2, 2);
        if (format == MNK_G4) memcpy(&offset, t + GROUP_OFFSETS + n * 4 + half * 2, 2);
        s[n] = scale, offsets[n] = offset;
    }
    for (int part = 0; part < 2; part++) sums[part] += s * (products[part] - 8 * total[part]) + offsets * total[part];
}

/// The reference, number by number.
static void gemm_portable(const mnk_tiles *g) {
    group_shape shape = group_shape_of(g->k);
    for (size_t column = g->n_begin; column < g->n_end; column += 16)
        for (size_t row = 0; row < g->m; row++) {
            f32x16 total = splat16(0);
            for (size_t group = 0, step = 0; group < shape.groups; group++) {
                i32x16 sums[2] = {{0}};
                for (size_t end = step + shape.per_group; step < end && step < shape.steps; step++) {
                    const uint8_t *t = group_tiles(g, column) + step * group_tile(g->format);
                    const int8_t *bytes = group_bytes(g, shape.steps, row, step);
                    half_portable(t, 0, g->format, bytes, sums);
                    half_portable(t, 1, g->format, bytes, sums);
                }
                total = add_whole(whole_sums(sums[0], sums[1]), splat16(group_scale(g, shape.groups, row, group)), total);
            }
            finish_group(g, row, column, &total);
        }
}

#if defined(__x86_64__)

/// What a half's sum begins with, a half of it each for the two 16-bit sums of a column.
T_AVX2 MNK_INLINE __m256i half_start_avx2(const int32_t *start) { return _mm256_srai_epi16(_mm256_set1_epi16((short)*start), 1); }

/// `rows` rows of one column tile. Products of bytes are of pairs in 16 bits, which eight of them do
/// not fill.
T_AVX2 MNK_INLINE void rows_avx2(const mnk_tiles *g, size_t row, size_t column, size_t rows, int format) {
    group_shape shape = group_shape_of(g->k);
    const uint8_t *t = group_tiles(g, column);
    const __m256i low4 = _mm256_set1_epi8(15);
    float total[4][16] = {{0}};
    for (size_t group = 0, step = 0; group < shape.groups; group++) {
        // Of a row: by high and by low bytes, eight columns each.
        __m256i sums[4][2][2];
        for (size_t i = 0; i < rows; i++) sums[i][0][0] = sums[i][0][1] = sums[i][1][0] = sums[i][1][1] = _mm256_setzero_si256();
        for (size_t end = step + shape.per_group; step < end && step < shape.steps; step++, t += group_tile(format)) {
            for (size_t line = 0; line < group_tile(format); line += 64) _mm_prefetch((const char *)(t + 4096 + line), _MM_HINT_T0);
            for (size_t half = 0; half < 2; half++)
                for (size_t side = 0; side < 2; side++) {
                    __m256i s[4][2];
#pragma clang loop unroll(full)
                    for (size_t i = 0; i < rows; i++)
                        for (size_t part = 0; part < 2; part++)
                            s[i][part] = half_start_avx2(group_totals(g, shape.steps, row + i, step) + part * 2 + half);
                    for (size_t j = 0; j < 8; j++) {
                        __m256i w = _mm256_loadu_si256((const __m256i *)(t + half * 256 + j / 2 * 64 + side * 32));
                        w = _mm256_and_si256(j % 2 ? _mm256_srli_epi16(w, 4) : w, low4);
#pragma clang loop unroll(full)
                        for (size_t i = 0; i < rows; i++)
                            for (int part = 0; part < 2; part++) {
                                int32_t four;
                                memcpy(&four, group_bytes(g, shape.steps, row + i, step) + part * 64 + half * 32 + j * 4, 4);
                                s[i][part] = _mm256_add_epi16(s[i][part], _mm256_maddubs_epi16(w, _mm256_set1_epi32(four)));
                            }
                    }
                    // A column's s beside itself, for both 16-bit sums of it.
                    __m256i d = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(t + GROUP_SCALES + half * 32 + side * 16)));
                    d = _mm256_or_si256(d, _mm256_slli_epi32(d, 16));
#pragma clang loop unroll(full)
                    for (size_t i = 0; i < rows; i++)
                        for (size_t part = 0; part < 2; part++)
                            sums[i][part][side] = _mm256_add_epi32(sums[i][part][side], _mm256_madd_epi16(s[i][part], d));
                }
            for (size_t side = 0; format == MNK_G4 && side < 2; side++) {
                __m256i offsets = _mm256_loadu_si256((const __m256i *)(t + GROUP_OFFSETS + side * 32));
                for (size_t i = 0; i < rows; i++)
                    for (size_t part = 0; part < 2; part++) {
                        __m256i bytes = _mm256_set1_epi32(group_totals(g, shape.steps, row + i, step)[4 + part]);
                        sums[i][part][side] = _mm256_add_epi32(sums[i][part][side], _mm256_madd_epi16(offsets, bytes));
                    }
            }
        }
        for (size_t i = 0; i < rows; i++)
            for (size_t side = 0; side < 2; side++) {
                __m256i whole = _mm256_add_epi32(sums[i][0][side], _mm256_srai_epi32(sums[i][1][side], 7));
                __m256 scale = _mm256_set1_ps(group_scale(g, shape.groups, row + i, group));
                float *x = total[i] + 8 * side;
                _mm256_storeu_ps(x, _mm256_fmadd_ps(_mm256_cvtepi32_ps(whole), scale, _mm256_loadu_ps(x)));
            }
    }
    for (size_t i = 0; i < rows; i++) finish_group(g, row + i, column, total[i]);
}

/// Rows that share one unpacking of the codes: as many as leave their sums in registers.
enum { AVX2_ROWS = 4 };

T_AVX2 MNK_INLINE void gemm_avx2(const mnk_tiles *g, int format) {
    size_t blocks = (g->m + AVX2_ROWS - 1) / AVX2_ROWS;
    for (size_t column = g->n_begin; column < g->n_end; column += 16)
        for (size_t i = 0; i < blocks; i++) {
            size_t start, rows = block_rows(g->m, AVX2_ROWS, i, &start);
            switch (rows) {
#define CASE(n) case n: rows_avx2(g, start, column, n, format); break;
                CASE(1) CASE(2) CASE(3) CASE(4)
#undef CASE
            }
        }
}

/// The vector `j` of 8 of a half of a tile: 16 columns × 4 codes.
T_VNNI MNK_INLINE __m512i code_of(const uint8_t *t, int j) {
    __m512i pair = _mm512_loadu_si512(t + 64 * (j / 2));
    return _mm512_and_si512(j % 2 ? _mm512_srli_epi16(pair, 4) : pair, _mm512_set1_epi8(15));
}

/// A half's s, each with a zero beside it.
T_VNNI MNK_INLINE __m512i scales_of(const uint8_t *t, size_t half) {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(t + GROUP_SCALES + half * 32)));
}

/// Four bytes of a row, for all sixteen columns.
T_VNNI MNK_INLINE __m512i four_bytes(const int8_t *a) {
    int32_t four;
    memcpy(&four, a, 4);
    return _mm512_set1_epi32(four);
}

/// VPDPWSSD. The compiler would make two instructions of some of them.
T_VNNI MNK_INLINE void add_pairs(__m512i *sum, __m512i a, __m512i b) { __asm__("vpdpwssd %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b)); }

/// Most rows and column tiles of a block: the sums of a half, what they add up to over a group, and
/// codes fill the registers.
enum { BLOCK_ROWS = 8, BLOCK_TILES = 4 };

/// `rows` rows by `tiles` column tiles, step by step side by side: so many sums grow at once that
/// none waits for the one before it. `parts` of 1: a group is gone through for the high bytes, and
/// then for the low ones; of 2: once for both. With `ahead` the next tiles are fetched.
T_VNNI MNK_INLINE void block_vnni(const mnk_tiles *g, size_t row, size_t column, size_t rows, size_t tiles, int parts, int ahead, int format) {
    group_shape shape = group_shape_of(g->k);
    size_t panel = group_panel(format, g->k);
    const uint8_t *b = group_tiles(g, column);
    __m512 total[BLOCK_ROWS][BLOCK_TILES];
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < tiles; c++) total[i][c] = _mm512_setzero_ps();
    for (size_t group = 0; group < shape.groups; group++) {
        size_t begin = group * shape.per_group, end = begin + shape.per_group < shape.steps ? begin + shape.per_group : shape.steps;
        // Of the high bytes, for the second time through the group.
        __m512i high[BLOCK_ROWS][BLOCK_TILES];
        for (int first = 0; first < 2; first += parts) {
            __m512i sums[2][BLOCK_ROWS][BLOCK_TILES];
            for (int p = 0; p < parts; p++)
                for (size_t i = 0; i < rows; i++)
                    for (size_t c = 0; c < tiles; c++) sums[p][i][c] = _mm512_setzero_si512();
            for (size_t step = begin; step < end; step++) {
                const uint8_t *t = b + step * group_tile(format);
                const int8_t *a = group_bytes(g, shape.steps, row, step) + first * 64;
                const int32_t *totals = group_totals(g, shape.steps, row, step) + first * 2;
                if (ahead && first == 0)
                    for (size_t c = 0; c < tiles; c++)
                        for (size_t line = 0; line < group_tile(format); line += 64)
                            _mm_prefetch((const char *)(t + (c + tiles) * panel + line), _MM_HINT_T1);
#pragma clang loop unroll(full)
                for (size_t half = 0; half < 2; half++) {
                    __m512i s[2][BLOCK_ROWS][BLOCK_TILES];
#pragma clang loop unroll(full)
                    for (size_t i = 0; i < rows; i++)
                        for (int p = 0; p < parts; p++)
                            for (size_t c = 0; c < tiles; c++)
                                s[p][i][c] = _mm512_set1_epi32(totals[i * shape.steps * GROUP_TOTALS + (size_t)p * 2 + half]);
#pragma clang loop unroll(full)
                    for (int j = 0; j < 8; j++) {
                        __m512i w[BLOCK_TILES];
#pragma clang loop unroll(full)
                        for (size_t c = 0; c < tiles; c++) w[c] = code_of(t + c * panel + half * 256, j);
#pragma clang loop unroll(full)
                        for (size_t i = 0; i < rows; i++)
                            for (int p = 0; p < parts; p++) {
                                __m512i four = four_bytes(a + (i * shape.steps * 2 + (size_t)p) * 64 + half * 32 + 4 * (size_t)j);
#pragma clang loop unroll(full)
                                for (size_t c = 0; c < tiles; c++) s[p][i][c] = _mm512_dpbusd_epi32(s[p][i][c], w[c], four);
                            }
                    }
                    // The lower 16 bits of a sum are all of it, and the upper ones meet zeros.
#pragma clang loop unroll(full)
                    for (size_t c = 0; c < tiles; c++) {
                        __m512i d = scales_of(t + c * panel, half);
#pragma clang loop unroll(full)
                        for (size_t i = 0; i < rows; i++)
                            for (int p = 0; p < parts; p++) add_pairs(&sums[p][i][c], s[p][i][c], d);
                    }
                }
#pragma clang loop unroll(full)
                for (size_t c = 0; format == MNK_G4 && c < tiles; c++) {
                    __m512i offsets = _mm512_loadu_si512(t + c * panel + GROUP_OFFSETS);
#pragma clang loop unroll(full)
                    for (size_t i = 0; i < rows; i++)
                        for (int p = 0; p < parts; p++) {
                            __m512i bytes = _mm512_set1_epi32(totals[i * shape.steps * GROUP_TOTALS + 4 - (size_t)first + (size_t)p]);
                            add_pairs(&sums[p][i][c], offsets, bytes);
                        }
                }
            }
            if (first + parts < 2) {
#pragma clang loop unroll(full)
                for (size_t i = 0; i < rows; i++)
                    for (size_t c = 0; c < tiles; c++) high[i][c] = sums[0][i][c];
                continue;
            }
#pragma clang loop unroll(full)
            for (size_t i = 0; i < rows; i++) {
                __m512 scale = _mm512_set1_ps(group_scale(g, shape.groups, row + i, group));
#pragma clang loop unroll(full)
                for (size_t c = 0; c < tiles; c++) {
                    __m512i whole = _mm512_add_epi32(parts == 2 ? sums[0][i][c] : high[i][c], _mm512_srai_epi32(sums[parts - 1][i][c], 7));
                    total[i][c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole), scale, total[i][c]);
                }
            }
        }
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < tiles; c++) finish_group(g, row + i, column + 16 * c, &total[i][c]);
}

/// `rows` rows of the columns from `column` on, by `tiles` column tiles as long as there are as many.
#define COLUMNS(rows, tiles, parts, ahead) \
    for (; column + 16 * (tiles) <= g->n_end; column += 16 * (tiles)) block_vnni(g, 0, column, rows, tiles, parts, ahead, format)
/// Blocks of rows by `tiles` column tiles: all rows meet a tile before the next one is read.
#define BLOCKS(tiles)                                                                             \
    for (; column + 16 * (tiles) <= g->n_end; column += 16 * (tiles))                             \
        for (size_t i = 0; i < blocks; i++) {                                                     \
            size_t start, rows = block_rows(g->m, limit, i, &start);                              \
            switch (rows) {                                                                       \
                CASE(3, tiles) CASE(4, tiles) CASE(5, tiles) CASE(6, tiles) CASE(7, tiles) CASE(8, tiles) \
            }                                                                                     \
        }
#define CASE(n, tiles) case n: block_vnni(g, start, column, n, tiles, 1, i + 1 == blocks, format); break;

/// One row: four column tiles at a time, as four streams of memory. Few rows: both parts at once, so
/// that enough sums grow side by side. More: pairs of column tiles, part by part.
T_VNNI MNK_INLINE void gemm_vnni(const mnk_tiles *g, int format) {
    size_t column = g->n_begin;
    switch (g->m) {
        case 1: COLUMNS(1, 4, 2, 1); COLUMNS(1, 1, 2, 1); return;
        case 2: COLUMNS(2, 2, 2, 1); COLUMNS(2, 1, 2, 1); return;
        case 3: COLUMNS(3, 2, 2, 1); COLUMNS(3, 1, 2, 1); return;
    }
    // Eight rows at once leave sums in memory; where there are no more, that is less to do than to
    // unpack the codes twice.
    size_t limit = g->m <= 8 ? 8 : 6, blocks = (g->m + limit - 1) / limit;
    BLOCKS(2)
    BLOCKS(1)
}
#undef COLUMNS
#undef BLOCKS
#undef CASE

/// One function a format: the compiler knows the layout.
T_AVX2 static void gemm_avx2_g4(const mnk_tiles *g) { gemm_avx2(g, MNK_G4); }
T_AVX2 static void gemm_avx2_z4(const mnk_tiles *g) { gemm_avx2(g, MNK_Z4); }
T_VNNI static void gemm_vnni_g4(const mnk_tiles *g) { gemm_vnni(g, MNK_G4); }
T_VNNI static void gemm_vnni_z4(const mnk_tiles *g) { gemm_vnni(g, MNK_Z4); }
#endif

/// The best path of those allowed.
void mnk_gemm_g4(uint32_t features, const mnk_tiles *g) {
    if (features & (MNK_AMX_INT8 | MNK_AMX_EMULATED)) { mnk_gemm_by_amx(features, g, mnk_gemm_g4); return; }
#if defined(__x86_64__)
    if (features & MNK_AVX512_VNNI) { g->format == MNK_Z4 ? gemm_vnni_z4(g) : gemm_vnni_g4(g); return; }
    // AVX-512 without VNNI has nothing to add.
    if (features & MNK_AVX2) { g->format == MNK_Z4 ? gemm_avx2_z4(g) : gemm_avx2_g4(g); return; }
#elif defined(__aarch64__)
    if (features & MNK_NEON) { mnk_arm_gemm_g4(features, g); return; }
#endif
    (void)features;
    gemm_portable(g);
}
