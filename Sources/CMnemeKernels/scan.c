#include "vector.h"
#include <math.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

MNK_INLINE float dot_body(const float *a, const float *b, size_t n) {
    f32x16 s[4] = {splat16(0), splat16(0), splat16(0), splat16(0)};
    size_t i = 0;
    for (; i + 64 <= n; i += 64)
        for (size_t j = 0; j < 4; j++) s[j] += load16(a + i + 16 * j) * load16(b + i + 16 * j);
    for (; i + 16 <= n; i += 16) s[0] += load16(a + i) * load16(b + i);
    float total = sum16((s[0] + s[1]) + (s[2] + s[3]));
    for (; i < n; i++) total += a[i] * b[i];
    return total;
}
#if defined(__x86_64__)
T_AVX512 static float dot_avx512(const float *a, const float *b, size_t n) { return dot_body(a, b, n); }
T_AVX2 static float dot_avx2(const float *a, const float *b, size_t n) { return dot_body(a, b, n); }
#endif
float mnk_dot_f32(uint32_t features, const float *a, const float *b, size_t n) {
#if defined(__x86_64__)
    if (features & MNK_AVX512) return dot_avx512(a, b, n);
    if (features & MNK_AVX2) return dot_avx2(a, b, n);
#endif
    (void)features;
    return dot_body(a, b, n);
}

MNK_INLINE void scan_body(const int8_t *query, float scale, const int8_t *rows, const float *row_scale,
                          size_t count, size_t n, float *scores) {
    for (size_t r = 0; r < count; r++) {
        const int8_t *row = rows + r * n;
        int32_t s = 0;
        for (size_t i = 0; i < n; i++) s += (int32_t)query[i] * row[i];
        scores[r] = scale * row_scale[r] * (float)s;
    }
}
static void scan_portable(const int8_t *q, float s, const int8_t *rows, const float *rs, size_t c, size_t n, float *out) {
    scan_body(q, s, rows, rs, c, n, out);
}

#if defined(__x86_64__)
T_AVX512 static void scan_avx512(const int8_t *q, float s, const int8_t *rows, const float *rs, size_t c, size_t n, float *out) {
    scan_body(q, s, rows, rs, c, n, out);
}
T_AVX2 static void scan_avx2(const int8_t *q, float s, const int8_t *rows, const float *rs, size_t c, size_t n, float *out) {
    scan_body(q, s, rows, rs, c, n, out);
}

/// VNNI multiplies unsigned by signed bytes: the query is shifted by 128 and the shift is taken
/// back with the row's sum. Four rows at a time read four streams, which the prefetcher likes.
T_VNNI static void scan_vnni(const int8_t *query, float scale, const int8_t *rows, const float *row_scale,
                             const int32_t *row_sum, size_t count, size_t n, float *scores) {
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    size_t whole = n / 64 * 64;
    __mmask64 tail = n > whole ? (__mmask64)((~0ull) >> (64 - (n - whole))) : 0;
    size_t r = 0;
    for (; r + 4 <= count; r += 4) {
        const int8_t *p = rows + r * n;
        __m512i s[4];
        for (int j = 0; j < 4; j++) s[j] = _mm512_setzero_si512();
        for (size_t i = 0; i < whole; i += 64) {
            __m512i q = _mm512_xor_si512(_mm512_loadu_si512(query + i), flip);
            for (int j = 0; j < 4; j++) s[j] = _mm512_dpbusd_epi32(s[j], q, _mm512_loadu_si512(p + (size_t)j * n + i));
        }
        if (tail) {
            __m512i q = _mm512_xor_si512(_mm512_maskz_loadu_epi8(tail, query + whole), flip);
            for (int j = 0; j < 4; j++)
                s[j] = _mm512_dpbusd_epi32(s[j], q, _mm512_maskz_loadu_epi8(tail, p + (size_t)j * n + whole));
        }
        for (int j = 0; j < 4; j++)
            scores[r + (size_t)j] = scale * row_scale[r + (size_t)j] *
                (float)(_mm512_reduce_add_epi32(s[j]) - 128 * row_sum[r + (size_t)j]);
    }
    scan_body(query, scale, rows + r * n, row_scale + r, count - r, n, scores + r);
}
#endif

void mnk_scan_int8(uint32_t features, const int8_t *query, float scale, const int8_t *rows, const float *row_scale,
                   const int32_t *row_sum, size_t count, size_t dimension, float *scores) {
#if defined(__x86_64__)
    if (features & MNK_AVX512_VNNI) { scan_vnni(query, scale, rows, row_scale, row_sum, count, dimension, scores); return; }
    if (features & MNK_AVX512) { scan_avx512(query, scale, rows, row_scale, count, dimension, scores); return; }
    if (features & MNK_AVX2) { scan_avx2(query, scale, rows, row_scale, count, dimension, scores); return; }
#endif
    (void)features;
    (void)row_sum;
    scan_portable(query, scale, rows, row_scale, count, dimension, scores);
}

float mnk_quantize_vector(const float *x, size_t n, int8_t *codes, int32_t *sum) {
    float highest = 0;
    for (size_t i = 0; i < n; i++) highest = fabsf(x[i]) > highest ? fabsf(x[i]) : highest;
    float scale = highest > 0 ? highest / 127 : 1;
    int32_t total = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t q = (int32_t)lrintf(x[i] / scale);
        codes[i] = (int8_t)q;
        total += q;
    }
    *sum = total;
    return scale;
}

MNK_INLINE uint32_t read_body(const uint8_t *p, size_t bytes) {
    size_t quarter = bytes / 256 * 64;
    u32x16 s[4] = {{0}, {0}, {0}, {0}};
    for (size_t i = 0; i < quarter; i += 64)
        for (size_t j = 0; j < 4; j++) {
            u32x16 v;
            __builtin_prefetch(p + j * quarter + i + 1024);
            memcpy(&v, p + j * quarter + i, sizeof v);
            s[j] ^= v;
        }
    u32x16 all = (s[0] ^ s[1]) ^ (s[2] ^ s[3]);
    uint32_t result = 0;
    for (int i = 0; i < 16; i++) result ^= all[i];
    return result;
}
#if defined(__x86_64__)
T_AVX512 static uint32_t read_avx512(const uint8_t *p, size_t bytes) { return read_body(p, bytes); }
#endif
uint32_t mnk_read_memory(uint32_t features, const void *source, size_t bytes) {
#if defined(__x86_64__)
    if (features & MNK_AVX512) return read_avx512(source, bytes);
#endif
    (void)features;
    return read_body(source, bytes);
}
