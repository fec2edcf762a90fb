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
                const int8_t *a = g->a + row * g->k + b * 32;
                int32_t s[16] = {0};
                for (size_t j = 0; j < 8; j++)
                    for (size_t n = 0; n < 16; n++)
                        for (size_t q = 0; q < 4; q++) {
                            int w = g->format == MNK_Q8 ? t[j * 64 + n * 4 + q] : t[j / 2 * 64 + n * 4 + q] >> (j % 2 * 4) & 15;
                            s[n] += w * a[j * 4 + q];
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
    __m512i s[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    for (int j = 0; j < 8; j++) {
        int32_t quad;
        memcpy(&quad, a + 4 * j, 4);
        s[j & 1] = _mm512_dpbusd_epi32(s[j & 1], w[j], _mm512_set1_epi32(quad));
    }
    return _mm512_cvtepi32_ps(_mm512_add_epi32(s[0], s[1]));
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
        for (size_t i = 0; i < rows; i++) {
            size_t at = (row + i) * blocks + b;
            __m512 f = block_product(w, g->a + at * 32);
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
        for (size_t i = 0; i < streams; i++) {
            const uint8_t *p = t + i * blocks * tile;
            for (size_t line = 0; line < tile; line += 64) _mm_prefetch((const char *)(p + streams * blocks * tile + line), _MM_HINT_T0);
            __m512i w[8];
            codes_of(p, format, w);
            __m512 d = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p + tile - 64)));
            __m512 m = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p + tile - 32)));
            acc[i] = _mm512_fmadd_ps(block_product(w, g->a + at * 32), _mm512_mul_ps(d, scale), acc[i]);
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
    for (size_t b = 0; b < count / 32; b++, x += 32, codes += 32) {
        f32x16 u = load16(x), v = load16(x + 16);
        float highest = highest16(max16(max16(u, -u), max16(v, -v))), inverse = highest > 0 ? 127 / highest : 0;
        const f32x16 magic = splat16(12582912.0f);  // adding it rounds to an integer
        f32x16 ru = u * splat16(inverse) + magic, rv = v * splat16(inverse) + magic;
        i32x16 qu = (i32x16)ru - (i32x16)magic, qv = (i32x16)rv - (i32x16)magic;
        typedef int8_t i8x16 __attribute__((vector_size(16)));
        i8x16 bu = __builtin_convertvector(qu, i8x16), bv = __builtin_convertvector(qv, i8x16);
        memcpy(codes, &bu, 16);
        memcpy(codes + 16, &bv, 16);
        scale[b] = highest / 127;
        sum[b] = scale[b] * sum16(__builtin_convertvector(qu + qv, f32x16));
    }
}
MNK_DISPATCH(mnk_quantize_blocks, (uint32_t features, const float *x, size_t count, int8_t *codes, float *scale, float *sum), (features, x, count, codes, scale, sum))
