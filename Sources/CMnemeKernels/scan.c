// Inner products of floats, and a loop that only reads memory, for measuring bandwidth.

#include "vector.h"
#include <math.h>

/// Four sums of sixteen lanes, added up in one order: the same bits on every path.
MNK_INLINE float dot_body(const float *a, const float *b, size_t n) {
    f32x16 s[4] = {splat16(0), splat16(0), splat16(0), splat16(0)};
    size_t i = 0;
    for (; i + 64 <= n; i += 64)
        for (size_t j = 0; j < 4; j++) s[j] = fma16(load16(a + i + 16 * j), load16(b + i + 16 * j), s[j]);
    // The rest in steps of 16, then one by one.
    for (; i + 16 <= n; i += 16) s[0] = fma16(load16(a + i), load16(b + i), s[0]);
    float total = sum16((s[0] + s[1]) + (s[2] + s[3]));
    for (; i < n; i++) total = fmaf(a[i], b[i], total);
    return total;
}
#if defined(__x86_64__)
T_AVX512 static float dot_avx512(const float *a, const float *b, size_t n) { return dot_body(a, b, n); }
T_AVX2 static float dot_avx2(const float *a, const float *b, size_t n) { return dot_body(a, b, n); }
#endif
/// Any length; the rest that fills no vector is added one by one.
float mnk_dot_f32(uint32_t features, const float *a, const float *b, size_t n) {
#if defined(__x86_64__)
    if (features & MNK_AVX512) return dot_avx512(a, b, n);
    if (features & MNK_AVX2) return dot_avx2(a, b, n);
#endif
    (void)features;
    return dot_body(a, b, n);
}

/// Four streams with prefetches, as one alone does not fill the memory bus. What is read is folded
/// into a result, so that nothing is optimised away.
MNK_INLINE uint32_t read_body(const uint8_t *p, size_t bytes) {
    size_t quarter = bytes / 256 * 64;
    u32x16 s[4] = {{0}, {0}, {0}, {0}};
    for (size_t i = 0; i < quarter; i += 64)
        for (size_t j = 0; j < 4; j++) {
            u32x16 v;
            __builtin_prefetch(p + j * quarter + i + 1024, 0, 2);
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
