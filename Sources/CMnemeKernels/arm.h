// What the files of arm64's kernels share: how functions for its newer instructions are marked, and
// who offers what.
//
// Vectors of vector.h compile to NEON. The kernels here are those where that is not enough: sums of
// integers. Floats are scaled and added by the same steps as everywhere.
#ifndef MNK_ARM_H
#define MNK_ARM_H
#if defined(__aarch64__)
#include "vector.h"
#include <arm_neon.h>

/// Targets beyond the baseline, which is Armv8.0 with NEON.
#define T_DOTPROD __attribute__((target("dotprod")))
#define T_I8MM __attribute__((target("dotprod,i8mm")))

/// Instruction sets of this machine.
uint32_t mnk_arm_features(void);
/// See mnk_peak_operations.
double mnk_arm_peak(uint32_t features, int kind, size_t iterations);

// The products, for features with MNK_NEON.
void mnk_arm_gemm_tiles(uint32_t features, const mnk_tiles *g);
void mnk_arm_gemm_g4(uint32_t features, const mnk_tiles *g);
void mnk_arm_gemm_g12(const mnk_tiles *g);
void mnk_arm_gemm_int8(uint32_t features, const mnk_gemm *g);

/// Adds the products of eight numbers of a row with the weights of sixteen columns: w[k] holds
/// columns 0-7 and 8-15.
MNK_INLINE void add_eight(int32x4_t s[4], const int16x8_t w[8][2], int16x8_t a) {
#define STEP(k)                                                        \
    s[0] = vmlal_laneq_s16(s[0], vget_low_s16(w[k][0]), a, k);         \
    s[1] = vmlal_high_laneq_s16(s[1], w[k][0], a, k);                  \
    s[2] = vmlal_laneq_s16(s[2], vget_low_s16(w[k][1]), a, k);         \
    s[3] = vmlal_high_laneq_s16(s[3], w[k][1], a, k);
    STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7)
#undef STEP
}

/// What stands at eight numbers of two columns each, for the instructions of i8mm: w[c] holds
/// columns 2c and 2c+1. The vectors `u` and `v` hold four numbers of each of four columns, those of
/// `v` behind those of `u`.
MNK_INLINE void pair_columns(uint8x16_t u, uint8x16_t v, uint8x16_t w[2]) {
    uint32x4_t x = vreinterpretq_u32_u8(u), y = vreinterpretq_u32_u8(v);
    w[0] = vreinterpretq_u8_u32(vzip1q_u32(x, y));
    w[1] = vreinterpretq_u8_u32(vzip2q_u32(x, y));
}

/// Inner product of a query with a graph's codes, where 128 stands for zero. n is a multiple of 64.
T_DOTPROD MNK_INLINE int32_t dot_codes_dotprod(const uint8_t *row, const int8_t *query, size_t n) {
    int32x4_t s[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    for (size_t i = 0; i < n; i += 64)
        for (size_t j = 0; j < 4; j++) {
            uint8x16_t codes = veorq_u8(vld1q_u8(row + i + 16 * j), vdupq_n_u8(128));
            s[j] = vdotq_s32(s[j], vreinterpretq_s8_u8(codes), vld1q_s8(query + i + 16 * j));
        }
    return vaddvq_s32(vaddq_s32(vaddq_s32(s[0], s[1]), vaddq_s32(s[2], s[3])));
}
#endif
#endif
