// What an arm64 machine has, as Linux and Apple's systems tell, and its peak.
#include "arm.h"

#if defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>
#ifndef HWCAP2_I8MM  // headers before Linux 5.6
#define HWCAP2_I8MM (1 << 13)
#endif
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#if defined(__linux__)
/// Linux tells features in the auxiliary vector.
static int has_crc(void) { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
static int has_dotprod(void) { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
static int has_i8mm(void) { return (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0; }
#elif defined(__APPLE__)
/// Apple's systems tell features by name; a name that they do not know means no.
static int has(const char *name) {
    int value = 0;
    size_t size = sizeof value;
    return sysctlbyname(name, &value, &size, NULL, 0) == 0 && value != 0;
}
static int has_crc(void) { return has("hw.optional.armv8_crc32"); }
static int has_dotprod(void) { return has("hw.optional.arm.FEAT_DotProd"); }
static int has_i8mm(void) { return has("hw.optional.arm.FEAT_I8MM"); }
#else
/// Elsewhere nothing is known: the portable path.
static int has_crc(void) { return 0; }
static int has_dotprod(void) { return 0; }
static int has_i8mm(void) { return 0; }
#endif

uint32_t mnk_arm_features(void) {
    // NEON and the conversion of halves belong to all of arm64; the CRC-32C to all but its first
    // processors.
    if (!has_crc()) return 0;
    if (!has_dotprod()) return MNK_NEON;
    return has_i8mm() ? MNK_NEON | MNK_DOTPROD | MNK_I8MM : MNK_NEON | MNK_DOTPROD;
}

// MARK: Peak

/// A loop over sixteen sums, each of which `STEP(sum)` adds to; x and y change for all that the
/// compiler knows.
#define PEAK(TARGET, name, VECTOR, SUM, STEP)                                                  \
    TARGET static int32_t name(size_t n, VECTOR x, VECTOR y) {                                 \
        SUM s[16], total;                                                                      \
        int32_t result;                                                                        \
        memset(s, 0, sizeof s);                                                                \
        for (size_t i = 0; i < n; i++) {                                                       \
            for (int j = 0; j < 16; j++) s[j] = STEP(s[j], x, y);                              \
            __asm__ volatile("" : "+w"(x), "+w"(y));                                           \
        }                                                                                      \
        total = s[0];                                                                          \
        for (int j = 1; j < 16; j++) total += s[j];                                            \
        memcpy(&result, &total, sizeof result);                                                \
        return result;                                                                         \
    }
PEAK(T_I8MM, peak_i8mm, int8x16_t, int32x4_t, vmmlaq_s32)
PEAK(T_DOTPROD, peak_dotprod, int8x16_t, int32x4_t, vdotq_s32)
PEAK(, peak_f32, float32x4_t, float32x4_t, vfmaq_f32)

/// The loop of the fastest instruction allowed, sixteen sums side by side.
double mnk_arm_peak(uint32_t features, int kind, size_t iterations) {
    static volatile int32_t sink;
    double n = (double)iterations * 16 * 2;
    if (kind == 1 && (features & MNK_I8MM)) {
        sink = peak_i8mm(iterations, vdupq_n_s8(1), vdupq_n_s8(1));
        return n * 32;
    }
    if (kind == 1 && (features & MNK_DOTPROD)) {
        sink = peak_dotprod(iterations, vdupq_n_s8(1), vdupq_n_s8(1));
        return n * 16;
    }
    if (kind == 0 && (features & MNK_NEON)) {
        sink = peak_f32(iterations, vdupq_n_f32(1), vdupq_n_f32(1));
        return n * 4;
    }
    (void)sink;
    return 0;
}
#endif
