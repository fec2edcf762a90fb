// Products with quantised weights: tiles of 16 columns by 32 of k, see mnk_gemm_tiles in the header.
#include "half.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

size_t mnk_tile_bytes(int format) { return (format == MNK_Q4 ? 256 : 512) + 64; }

MNK_INLINE void finish_tile(const mnk_tiles *g, size_t row, size_t column, const void *sums) {
    f32x16 v;
    memcpy(&v, sums, sizeof v);
    float *c = g->c + row * g->ldc + column;
    if (g->bias) v += load16(g->bias + column);
    if (g->accumulate) v += load16(c);
    store16(c, v);
}

MNK_INLINE void gemm_tiles_body(const mnk_tiles *g) {
    size_t blocks = g->k / 32, tile = g->format == MNK_Q4 ? 320 : 576;
    for (size_t column = g->n_begin; column < g->n_end; column += 16)
        for (size_t row = 0; row < g->m; row++) {
            f32x16 acc = splat16(0);
            for (size_t b = 0; b < blocks; b++) {
                const uint8_t *t = (const uint8_t *)g->b + (column / 16 * blocks + b) * tile;
                const int8_t *a = g->a + (row * blocks + b) * 64;
                int32_t s[16] = {0};
                for (size_t j = 0; j < 8; j++)
                    for (size_t n = 0; n < 16; n++)
                        for (size_t q = 0; q < 4; q++) {
                            int w = g->format == MNK_Q8 ? t[j * 64 + n * 4 + q] : t[j / 2 * 64 + n * 4 + q] >> (j % 2 * 4) & 15;
                            s[n] += w * (a[j * 4 + q] * 128 + a[32 + j * 4 + q]);
                        }
                i32x16 v;
                memcpy(&v, s, sizeof v);
                const uint16_t *scales = (const uint16_t *)(t + tile - 64);
                acc += __builtin_convertvector(v, f32x16) * load16_half(scales) * splat16(g->a_scale[row * blocks + b])
                    + load16_half(scales + 16) * splat16(g->a_sum[row * blocks + b]);
            }
            finish_tile(g, row, column, &acc);
        }
}
static void gemm_tiles_portable(const mnk_tiles *g) { gemm_tiles_body(g); }

#if defined(__x86_64__)
T_AVX512 static void gemm_tiles_avx512(const mnk_tiles *g) { gemm_tiles_body(g); }
T_AVX2 static void gemm_tiles_avx2(const mnk_tiles *g) { gemm_tiles_body(g); }

/// Eight vectors of 16 columns × 4 codes.
T_VNNI MNK_INLINE void codes_of(const uint8_t *t, int format, __m512i w[8]) {
    if (format == MNK_Q8) {
        for (int j = 0; j < 8; j++) w[j] = _mm512_loadu_si512(t + 64 * j);
    } else {
        const __m512i low = _mm512_set1_epi8(15);
        for (int j = 0; j < 4; j++) {
            __m512i p = _mm512_loadu_si512(t + 64 * j);
            w[2 * j] = _mm512_and_si512(p, low);
            w[2 * j + 1] = _mm512_and_si512(_mm512_srli_epi16(p, 4), low);
        }
    }
}

T_VNNI MNK_INLINE __m512 block_product(const __m512i w[8], const int8_t *a) {
    __m512i high = _mm512_setzero_si512(), low = high;
    for (int j = 0; j < 8; j++) {
        int32_t h, l;
        memcpy(&h, a + 4 * j, 4);
        memcpy(&l, a + 32 + 4 * j, 4);
        high = _mm512_dpbusd_epi32(high, w[j], _mm512_set1_epi32(h));
        low = _mm512_dpbusd_epi32(low, w[j], _mm512_set1_epi32(l));
    }
    return _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(high, 7), low));
}

/// `rows` rows of one column tile: the codes are unpacked once for all of them.
T_VNNI MNK_INLINE void rows_vnni(const mnk_tiles *g, size_t row, size_t column, size_t rows, int format) {
    size_t blocks = g->k / 32, tile = format == MNK_Q4 ? 320 : 576;
    const uint8_t *t = (const uint8_t *)g->b + column / 16 * blocks * tile;
    __m512 acc[12];
    for (size_t i = 0; i < rows; i++) acc[i] = _mm512_setzero_ps();
    for (size_t b = 0; b < blocks; b++, t += tile) {
        __m512i w[8];
        codes_of(t, format, w);
        __m512 d = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(t + tile - 64)));
        __m512 m = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(t + tile - 32)));
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++) {
            size_t at = (row + i) * blocks + b;
            __m512 f = block_product(w, g->a + at * 64);
            acc[i] = _mm512_fmadd_ps(f, _mm512_mul_ps(d, _mm512_set1_ps(g->a_scale[at])), acc[i]);
            acc[i] = _mm512_fmadd_ps(m, _mm512_set1_ps(g->a_sum[at]), acc[i]);
        }
    }
    for (size_t i = 0; i < rows; i++) finish_tile(g, row + i, column, &acc[i]);
}

/// One row: memory is the limit, so that four column tiles are read as four streams and the next four are fetched ahead.
T_VNNI MNK_INLINE void streams_vnni(const mnk_tiles *g, size_t row, size_t column, size_t streams, int format) {
    size_t blocks = g->k / 32, tile = format == MNK_Q4 ? 320 : 576;
    const uint8_t *t = (const uint8_t *)g->b + column / 16 * blocks * tile;
    __m512 acc[4];
    for (size_t i = 0; i < streams; i++) acc[i] = _mm512_setzero_ps();
    for (size_t b = 0; b < blocks; b++, t += tile) {
        size_t at = row * blocks + b;
        __m512 scale = _mm512_set1_ps(g->a_scale[at]), sum = _mm512_set1_ps(g->a_sum[at]);
#pragma clang loop unroll(full)
        for (size_t i = 0; i < streams; i++) {
            const uint8_t *p = t + i * blocks * tile;
            for (size_t line = 0; line < tile; line += 64) _mm_prefetch((const char *)(p + streams * blocks * tile + line), _MM_HINT_T0);
            __m512i w[8];
            codes_of(p, format, w);
            __m512 d = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p + tile - 64)));
            __m512 m = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p + tile - 32)));
            acc[i] = _mm512_fmadd_ps(block_product(w, g->a + at * 64), _mm512_mul_ps(d, scale), acc[i]);
            acc[i] = _mm512_fmadd_ps(m, sum, acc[i]);
        }
    }
    for (size_t i = 0; i < streams; i++) finish_tile(g, row, column + 16 * i, &acc[i]);
}

T_VNNI MNK_INLINE void gemm_vnni(const mnk_tiles *g, int format) {
    if (g->m == 1) {
        size_t column = g->n_begin;
        for (; column + 64 <= g->n_end; column += 64) streams_vnni(g, 0, column, 4, format);
        for (; column < g->n_end; column += 16) streams_vnni(g, 0, column, 1, format);
        return;
    }
    size_t blocks = (g->m + 11) / 12;
    for (size_t column = g->n_begin; column < g->n_end; column += 16)
        for (size_t i = 0; i < blocks; i++) {
            size_t start, rows = block_rows(g->m, 12, i, &start);
            switch (rows) {
#define CASE(n) case n: rows_vnni(g, start, column, n, format); break;
                CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#undef CASE
            }
        }
}
T_VNNI static void gemm_vnni_q4(const mnk_tiles *g) { gemm_vnni(g, MNK_Q4); }
T_VNNI static void gemm_vnni_q8(const mnk_tiles *g) { gemm_vnni(g, MNK_Q8); }
#endif

void mnk_gemm_tiles(uint32_t features, const mnk_tiles *g) {
    if (g->m == 0) return;
#if defined(__x86_64__)
    if (features & MNK_AVX512_VNNI) {
        if (g->format == MNK_Q4) gemm_vnni_q4(g);
        else gemm_vnni_q8(g);
        return;
    }
    if (features & MNK_AVX512) { gemm_tiles_avx512(g); return; }
    if (features & MNK_AVX2) { gemm_tiles_avx2(g); return; }
#endif
    (void)features;
    gemm_tiles_portable(g);
}

MNK_INLINE void mnk_quantize_blocks_body(uint32_t features, const float *x, size_t count, int8_t *codes, float *scale, float *sum) {
    (void)features;
    typedef int8_t i8x16 __attribute__((vector_size(16)));
    const f32x16 magic = splat16(12582912.0f);  // adding it rounds to an integer
    for (size_t b = 0; b < count / 32; b++, x += 32, codes += 64) {
        f32x16 v[2] = {load16(x), load16(x + 16)};
        float highest = highest16(max16(max16(v[0], -v[0]), max16(v[1], -v[1]))), inverse = highest > 0 ? 16191 / highest : 0;
        i32x16 all = {0};
        for (size_t half = 0; half < 2; half++) {
            i32x16 q = (i32x16)(v[half] * splat16(inverse) + magic) - (i32x16)magic;
            i32x16 h = (q + 64) >> 7, l = q - (h << 7);
            i8x16 high = __builtin_convertvector(h, i8x16), low = __builtin_convertvector(l, i8x16);
            memcpy(codes + half * 16, &high, 16);
            memcpy(codes + 32 + half * 16, &low, 16);
            all += q;
        }
        scale[b] = highest / 16191;
        sum[b] = scale[b] * sum16(__builtin_convertvector(all, f32x16));
    }
}
MNK_DISPATCH(mnk_quantize_blocks, (uint32_t features, const float *x, size_t count, int8_t *codes, float *scale, float *sum), (features, x, count, codes, scale, sum))
