// Portable vectors of 16 lanes (clang's vector extensions), and how one body becomes one function
// for each instruction set: the body is always inlined, into functions with a target attribute.
//
// All paths give the same bits. For that, every sum has one order (16 lanes, then halves of the
// lanes), what is fused is written as fma16(), and the compiler fuses nothing by itself.
#ifndef MNK_VECTOR_H
#define MNK_VECTOR_H

#include "mneme_kernels.h"
#include <string.h>

// Products and sums round one by one unless fma16() says otherwise: what a compiler fuses differs
// between instruction sets, and every path must give the same bits.
#pragma clang fp contract(off)
#pragma clang diagnostic ignored "-Wpsabi"

#define MNK_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
/// Targets: what the compiler may use inside of a function. A function without one uses the
/// baseline (SSE2, NEON).
#define T_AVX2 __attribute__((target("avx2,fma,f16c")))
#define T_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))
#define T_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")))
#define T_AMX __attribute__((target("amx-tile,amx-int8,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))

/// Defines `name` as a choice between three instances of `name_body`. In each, the compiler knows
/// the bits of AVX2 and AVX-512.
#define MNK_DISPATCH(name, PARAMETERS, ARGUMENTS)                                   \
    T_AVX512 static void name##_avx512 PARAMETERS { features |= MNK_AVX2 | MNK_AVX512; name##_body ARGUMENTS; } \
    T_AVX2 static void name##_avx2 PARAMETERS { features |= MNK_AVX2; name##_body ARGUMENTS; }                  \
    static void name##_portable PARAMETERS { features &= ~(uint32_t)(MNK_AVX2 | MNK_AVX512); name##_body ARGUMENTS; } \
    void name PARAMETERS {                                                          \
        if (features & MNK_AVX512) name##_avx512 ARGUMENTS;                         \
        else if (features & MNK_AVX2) name##_avx2 ARGUMENTS;                        \
        else name##_portable ARGUMENTS;                                             \
    }
#elif defined(__aarch64__)
/// Two instances: vectors compile to NEON in both, but only one knows that the machine converts
/// halves.
#define MNK_DISPATCH(name, PARAMETERS, ARGUMENTS)                                   \
    static void name##_neon PARAMETERS { features |= MNK_NEON; name##_body ARGUMENTS; }                         \
    static void name##_portable PARAMETERS { features &= ~(uint32_t)MNK_NEON; name##_body ARGUMENTS; }          \
    void name PARAMETERS {                                                          \
        if (features & MNK_NEON) name##_neon ARGUMENTS;                             \
        else name##_portable ARGUMENTS;                                             \
    }
#else
#define MNK_DISPATCH(name, PARAMETERS, ARGUMENTS) void name PARAMETERS { name##_body ARGUMENTS; }
#endif

/// Vectors of 64 bytes, and 32 for 16-bit lanes, whatever the registers' size.
typedef float f32x16 __attribute__((vector_size(64)));
typedef int32_t i32x16 __attribute__((vector_size(64)));
typedef uint32_t u32x16 __attribute__((vector_size(64)));
typedef uint16_t u16x16 __attribute__((vector_size(32)));

/// Loads and stores need no alignment.
MNK_INLINE f32x16 load16(const float *p) { f32x16 v; memcpy(&v, p, sizeof v); return v; }
MNK_INLINE void store16(float *p, f32x16 v) { memcpy(p, &v, sizeof v); }
MNK_INLINE f32x16 splat16(float x) { return (f32x16){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }

/// a·b + c, rounded once. Without an instruction for it, the C library's fmaf: slow, and the same
/// bits.
MNK_INLINE f32x16 fma16(f32x16 a, f32x16 b, f32x16 c) { return __builtin_elementwise_fma(a, b, c); }

/// The larger, lane by lane; of a NaN in `a`, b. Bits are selected by masks, which compile to one
/// instruction where there is one, and mean the same everywhere.
MNK_INLINE f32x16 max16(f32x16 a, f32x16 b) {
    i32x16 m = a > b;
    return (f32x16)(((i32x16)a & m) | ((i32x16)b & ~m));
}
MNK_INLINE f32x16 min16(f32x16 a, f32x16 b) {
    i32x16 m = a < b;
    return (f32x16)(((i32x16)a & m) | ((i32x16)b & ~m));
}

/// The upper half of what is left, on top of the lower one: 8, 4, 2 and 1 lanes down.
#define MNK_HALVES(v, STEP)                                                                        \
    v = STEP(v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)); \
    v = STEP(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11)); \
    v = STEP(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)); \
    v = STEP(v, __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));

/// The lanes' sum, in the order of MNK_HALVES.
MNK_INLINE float sum16(f32x16 v) {
#define STEP(a, b) (a) + (b)
    MNK_HALVES(v, STEP)
#undef STEP
    return v[0];
}
/// The largest of the lanes, in the same order: any order gives the same.
MNK_INLINE float highest16(f32x16 v) {
    MNK_HALVES(v, max16)
    return v[0];
}

/// The same of four vectors at once, by fewer steps: each result is in four lanes, 4i and those behind it for
/// vector i.
#define MNK_HALVES_OF_FOUR(a, b, c, d, STEP)                                                                             \
    f32x16 ab_ = STEP(__builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),             \
                      __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));      \
    f32x16 cd_ = STEP(__builtin_shufflevector(c, d, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),             \
                      __builtin_shufflevector(c, d, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));      \
    f32x16 all_ = STEP(__builtin_shufflevector(ab_, cd_, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27),      \
                       __builtin_shufflevector(ab_, cd_, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31));   \
    all_ = STEP(all_, __builtin_shufflevector(all_, all_, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));        \
    return STEP(all_, __builtin_shufflevector(all_, all_, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
#define MNK_ADD(a, b) (a) + (b)
MNK_INLINE f32x16 sum16_of_four(const f32x16 *v) { MNK_HALVES_OF_FOUR(v[0], v[1], v[2], v[3], MNK_ADD) }
MNK_INLINE f32x16 highest16_of_four(const f32x16 *v) { MNK_HALVES_OF_FOUR(v[0], v[1], v[2], v[3], max16) }
#undef MNK_ADD

/// bfloat16 is the upper half of a float.
MNK_INLINE float float_of_bf16(uint16_t h) {
    uint32_t u = (uint32_t)h << 16;
    float x;
    memcpy(&x, &u, 4);
    return x;
}

/// e^x to about 2 ulp for x in [-87, 88]; clamped outside.
MNK_INLINE f32x16 exp16(f32x16 x) {
    x = min16(max16(x, splat16(-87.0f)), splat16(88.0f));
    const f32x16 magic = splat16(12582912.0f);  // 1.5·2^23: adding it rounds to an integer
    f32x16 t = fma16(x, splat16(1.44269504f), magic);
    f32x16 n = t - magic;
    f32x16 r = fma16(n, splat16(2.12194440e-4f), fma16(n, splat16(-0.693359375f), x));
    f32x16 p = splat16(1.9875691500e-4f);
    p = fma16(p, r, splat16(1.3981999507e-3f));
    p = fma16(p, r, splat16(8.3334519073e-3f));
    p = fma16(p, r, splat16(4.1665795894e-2f));
    p = fma16(p, r, splat16(1.6666665459e-1f));
    p = fma16(p, r, splat16(5.0000001201e-1f));
    p = fma16(p * r, r, r) + splat16(1.0f);
    i32x16 exponent = ((i32x16)t - (i32x16)magic) << 23;
    return (f32x16)((i32x16)p + exponent);
}

/// cap·tanh(x/cap) = cap − 2·cap/(1 + exp(2·x/cap)).
MNK_INLINE f32x16 soft_cap16(f32x16 x, float cap) {
    return splat16(cap) - splat16(2 * cap) / (splat16(1) + exp16(x * splat16(2 / cap)));
}

/// e^x of one number, by the same steps.
MNK_INLINE float exp1(float x) {
    x = x > -87.0f ? x : -87.0f;
    x = x < 88.0f ? x : 88.0f;
    const float magic = 12582912.0f;
    float t = __builtin_fmaf(x, 1.44269504f, magic), n = t - magic;
    float r = __builtin_fmaf(n, 2.12194440e-4f, __builtin_fmaf(n, -0.693359375f, x));
    float p = __builtin_fmaf(1.9875691500e-4f, r, 1.3981999507e-3f);
    p = __builtin_fmaf(p, r, 8.3334519073e-3f);
    p = __builtin_fmaf(p, r, 4.1665795894e-2f);
    p = __builtin_fmaf(p, r, 1.6666665459e-1f);
    p = __builtin_fmaf(p, r, 5.0000001201e-1f);
    p = __builtin_fmaf(p * r, r, r) + 1.0f;
    int32_t bits, steps, zero;
    memcpy(&bits, &p, sizeof bits);
    memcpy(&steps, &t, sizeof steps);
    memcpy(&zero, &magic, sizeof zero);
    bits = (int32_t)((uint32_t)bits + ((uint32_t)(steps - zero) << 23));
    memcpy(&p, &bits, sizeof p);
    return p;
}

/// Φ(x), the normal distribution's, with the error function of Abramowitz and Stegun 7.1.26 (absolute error below 2e-7).
MNK_INLINE f32x16 normal16(f32x16 x) {
    f32x16 z = max16(x, -x) * splat16(0.70710678f);
    f32x16 t = splat16(1.0f) / fma16(splat16(0.3275911f), z, splat16(1.0f));
    f32x16 p = splat16(1.061405429f);
    p = fma16(p, t, splat16(-1.453152027f));
    p = fma16(p, t, splat16(1.421413741f));
    p = fma16(p, t, splat16(-0.284496736f));
    p = fma16(p, t, splat16(0.254829592f));
    f32x16 tail = p * t * exp16(-z * z) * splat16(0.5f);  // (1 − erf|z|)/2
    i32x16 negative = x < splat16(0.0f);
    return (f32x16)(((i32x16)tail & negative) | ((i32x16)(splat16(1.0f) - tail) & ~negative));
}

/// GELU: x·Φ(x).
MNK_INLINE f32x16 gelu16(f32x16 x) { return x * normal16(x); }

/// Bias, activation, residual, and the store of 16 columns at (row, column).
/// (By pointer: a vector argument would tie the helper to one instruction set.)
MNK_INLINE void finish16(const mnk_gemm *g, size_t row, size_t column, const void *sums) {
    f32x16 v;
    memcpy(&v, sums, sizeof v);
    v += load16(g->bias + column);
    if (g->epilogue == MNK_EPILOGUE_GELU) v = gelu16(v);
    if (g->epilogue == MNK_EPILOGUE_RESIDUAL) v += load16(g->residual + row * g->ldc + column);
    store16(g->c + row * g->ldc + column, v);
}
/// The integer sums of a row and 16 columns: takes the row's zero out, scales by row and column,
/// and goes on as finish16().
MNK_INLINE void finish16_int8(const mnk_gemm *g, size_t row, size_t column, const void *products) {
    i32x16 v, sums;
    memcpy(&v, products, sizeof v);
    memcpy(&sums, g->b_sum + column, sizeof sums);
    v -= sums * g->a_zero[row];
    f32x16 x = __builtin_convertvector(v, f32x16) * load16(g->b_scale + column) * splat16(g->a_scale[row]);
    finish16(g, row, column, &x);
}

/// Rows are cut into equal blocks of at most `limit`, so that no block is left with one row.
MNK_INLINE size_t block_rows(size_t m, size_t limit, size_t index, size_t *start) {
    size_t blocks = (m + limit - 1) / limit, base = m / blocks, extra = m % blocks;
    *start = index * base + (index < extra ? index : extra);
    return base + (index < extra ? 1 : 0);
}

#endif
