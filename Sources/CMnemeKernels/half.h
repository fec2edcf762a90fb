// Half precision (IEEE 754 binary16), for single numbers and vectors. `native` is a constant of the
// instance: whether the machine converts halves itself. Both ways give the same bits.
#ifndef MNK_HALF_H
#define MNK_HALF_H
#include "vector.h"

/// IEEE 754 binary16 to binary32, exactly: infinities and NaNs stay what they are.
///
/// Exponent and fraction move to their places in a float, whose exponent counts from 127, not 15:
/// 2^112 makes up for that, and normalises subnormals in the same step.
MNK_INLINE float float_of_half(uint16_t h) {
    uint32_t bits = (uint32_t)(h & 0x7fff) << 13;
    float x;
    memcpy(&x, &bits, 4);
    x *= 0x1p112f;
    if ((h & 0x7c00) == 0x7c00) {
        bits |= 0x7f800000;
        memcpy(&x, &bits, 4);
    }
    return h & 0x8000 ? -x : x;
}

/// To the nearest, ties to even. Never infinite: beyond the range, and for NaNs, it is the largest
/// half of the sign, so that all halves that the kernels keep are finite.
MNK_INLINE uint16_t half_of(float x) {
    uint32_t u;
    memcpy(&u, &x, 4);
    uint16_t sign = (uint16_t)(u >> 16 & 0x8000);
    u &= 0x7fffffff;
    if (u >= 0x477ff000) return sign | 0x7bff;
    if (u < 0x38800000) {  // subnormal: let the float unit round at the right place
        float magic = 0.5f, y;
        memcpy(&y, &u, 4);
        y += magic;
        memcpy(&u, &y, 4);
        return sign | (uint16_t)(u - 0x3f000000);
    }
    u += 0xc8000fff + (u >> 13 & 1);
    return sign | (uint16_t)(u >> 13);
}

/// F16C comes with AVX2, and every arm64 converts halves.
MNK_INLINE int converts_halves(uint32_t features) { return (features & (MNK_AVX2 | MNK_NEON)) != 0; }

/// Sixteen halves that the machine converts.
typedef _Float16 h16x16 __attribute__((vector_size(32)));

/// Sixteen halves as floats. Finite ones only: infinities and NaNs differ between machines that
/// convert halves themselves and those that do not, and no kernel stores any.
MNK_INLINE f32x16 load16_half(int native, const uint16_t *p) {
    if (native) {
        h16x16 v;
        memcpy(&v, p, sizeof v);
        return __builtin_convertvector(v, f32x16);
    }
    u16x16 h;
    memcpy(&h, p, sizeof h);
    u32x16 u = __builtin_convertvector(h, u32x16);
    f32x16 x = (f32x16)((u & 0x7fffu) << 13) * splat16(0x1p112f);
    return (f32x16)((u32x16)x | (u & 0x8000u) << 16);
}

/// As half_of for sixteen; values beyond the range become the largest half.
MNK_INLINE void store16_half(int native, uint16_t *p, f32x16 v) {
    v = min16(max16(v, splat16(-65504)), splat16(65504));
    if (native) {
        h16x16 h = __builtin_convertvector(v, h16x16);
        memcpy(p, &h, sizeof h);
        return;
    }
    u32x16 u = (u32x16)v, sign = u >> 16 & 0x8000u;
    u &= 0x7fffffffu;
    u32x16 normal = (u + (0xc8000fffu + (u >> 13 & 1u))) >> 13;
    u32x16 small = (u32x16)((f32x16)u + splat16(0.5f)) - 0x3f000000u;
    u32x16 is_small = (u32x16)(u < 0x38800000u);
    u32x16 r = (small & is_small) | (normal & ~is_small);
    u16x16 h = __builtin_convertvector(r | sign, u16x16);
    memcpy(p, &h, sizeof h);
}
#endif
