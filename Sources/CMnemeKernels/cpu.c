// Instruction sets: what the processor has and the system lets programs use, what MNEME_CPU leaves
// of it, and loops that measure the peak.
//
// A set counts only if all sets that its kernels build on are there, and if the system saves its
// registers (XGETBV). AMX must besides give the emulation's results, bit by bit: a machine may
// announce it and not compute it.

#define _GNU_SOURCE
#include "mneme_training_kernels.h"
#include "amx.h"
#include "arm.h"
#include "groups.h"
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if defined(__x86_64__)
/// XCR0: the register states that the system saves. Bits 1-2: SSE and AVX, 5-7: AVX-512, 17-18:
/// AMX.
__attribute__((target("xsave"))) static uint64_t enabled_state(void) { return _xgetbv(0); }

/// Instruction sets by CPUID leaves 1 and 7, each with those that it builds on.
static uint32_t detect(void) {
    uint32_t a, b, c, d, features = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    int fma = (c & bit_FMA) && (c & bit_F16C);
    uint64_t state = enabled_state();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    uint32_t b7 = b, c7 = c, d7 = d;
    if ((state & 0x6) != 0x6 || !fma || !(b7 & (1u << 5))) return 0;
    features |= MNK_AVX2;
    uint32_t wide = (1u << 16) | (1u << 17) | (1u << 30) | (1u << 31);  // F, DQ, BW, VL
    if ((state & 0xe6) != 0xe6 || (b7 & wide) != wide) return features;
    features |= MNK_AVX512;
    if (c7 & (1u << 11)) features |= MNK_AVX512_VNNI;
#if defined(__linux__)
    // Tile data needs the kernel's permission, once per process (ARCH_REQ_XCOMP_PERM, XTILEDATA).
    if ((d7 & (1u << 24)) && (state & (3u << 17)) == (3u << 17) && syscall(SYS_arch_prctl, 0x1023, 18) == 0) {
        if (d7 & (1u << 25)) features |= MNK_AMX_INT8;
        if (d7 & (1u << 22)) features |= MNK_AMX_BF16;
    }
#endif
    return features;
}
#endif

#if defined(__x86_64__)
/// One product of 33 × 48 × 128 must equal the emulated tiles, or AMX is not used.
static int amx_agrees(void) {
    // Sizes that leave parts of tiles empty: a row more than two tiles, three column tiles.
    enum { M = 33, N = 48, K = 128 };
    static const float zeros[N];
    float scale[N], row_scale[M], c[M * N], reference[M * N];
    int32_t sum[N] = {0}, zero[M];
    uint8_t a[M * K];
    int8_t b[N * K];
    for (int i = 0; i < N; i++) scale[i] = 1;
    for (int i = 0; i < M; i++) { row_scale[i] = 1; zero[i] = 3; }
    for (int i = 0; i < M * K; i++) a[i] = (uint8_t)(i * 37);
    for (int i = 0; i < N * K; i++) b[i] = (int8_t)(i * 29);
    mnk_gemm g = {.a = a, .lda = K, .b = b, .m = M, .n = N, .k = K, .n_begin = 0, .n_end = N, .bias = zeros, .c = c, .ldc = N,
                  .a_scale = row_scale, .a_zero = zero, .b_scale = scale, .b_sum = sum};
    mnk_amx_gemm(&g);
    g.c = reference;
    mnk_amx_gemm_emulated(&g);
    return !memcmp(c, reference, sizeof c);
}

/// The same for a product of 21 × 48 × 64 with quantised tiles.
static int amx_tiles_agree(void) {
    enum { M = 21, N = 48, K = 64 };
    int8_t a[M * K * 2];
    float scale[M * K / 32], sum[M * K / 32], c[M * N], reference[M * N];
    int32_t total[M * K / 32];
    uint8_t b[N / 16 * K / 32 * 576];
    for (int i = 0; i < M * K * 2; i++) a[i] = (int8_t)(i * 29 % 127);
    for (int i = 0; i < M * K / 32; i++) { scale[i] = 1; sum[i] = (float)i; }
    for (size_t i = 0; i < sizeof b; i++) b[i] = i % 2 ? 0x3c : (uint8_t)(i * 37);  // scales are halves about 1
    for (int i = 0; i < M * K / 32; i++) total[i] = i * 37 - 500;
    for (int i = 0; i < 2; i++) {
        static const int formats[] = {MNK_Q8, MNK_Z8};
        mnk_tiles g = {.a = a, .a_scale = scale, .a_sum = sum, .a_total = total, .b = b, .format = formats[i], .m = M, .n = N, .k = K,
                       .n_begin = 0, .n_end = N, .c = c, .ldc = N};
        mnk_amx_tiles(&g);
        g.c = reference;
        mnk_amx_tiles_emulated(&g);
        if (memcmp(c, reference, sizeof c)) return 0;
    }
    return 1;
}

/// The same for a product of 21 × 48 × 320 over groups of k.
static int amx_groups_agree(void) {
    enum { M = 21, N = 48, K = 320, STEPS = K / 64, GROUPS = 2 };
    static int8_t a[M * K * 2];
    static uint8_t b[N / 16 * (STEPS * 640 + 64)];
    static float scale[M * GROUPS], c[M * N], reference[M * N];
    for (size_t i = 0; i < sizeof a; i++) a[i] = (int8_t)(i * 29 % 127 - 63);
    for (int i = 0; i < M * GROUPS; i++) scale[i] = (float)(i + 1);
    for (size_t i = 0; i < sizeof b; i++) b[i] = (uint8_t)(i * 37);
    for (size_t n = 0; n < N / 16; n++) {
        uint8_t *tiles = b + n * group_panel(MNK_G4, K);
        // Words of 16 bits would not fit in two bytes: the upper bytes of s and t are small.
        for (size_t i = 0; i < STEPS * 128; i += 2) tiles[i / 128 * group_tile(MNK_G4) + GROUP_SCALES + i % 128 + 1] = (uint8_t)(i % 3);
        for (size_t i = 0; i < 16; i++) memcpy(tiles + STEPS * group_tile(MNK_G4) + i * 4, &(float){0.5f}, 4);
    }
    mnk_tiles g = {.a = a, .a_scale = scale, .b = b, .format = MNK_G4, .m = M, .n = N, .k = K, .n_end = N, .c = c, .ldc = N};
    mnk_amx_groups(&g);
    g.c = reference;
    mnk_amx_groups_emulated(&g);
    return !memcmp(c, reference, sizeof c);
}
#endif

#if defined(__x86_64__)
/// One product of small whole numbers, which are exact in bfloat16 and in their sums, must be right.
static int amx_bf16_agrees(void) {
    enum { M = 32, N = 48, K = 64 };
    uint16_t a[M * K], b[N * K];
    float c[M * N];
    for (int i = 0; i < M * K; i++) a[i] = (uint16_t)(0x3f80 + i % 3 * 0x80 - (i % 3 == 2) * 0x40);  // 1, 2, 3
    for (int n = 0; n < N; n++)
        for (int k = 0; k < K; k++) b[n / 16 * K * 16 + k / 2 * 32 + n % 16 * 2 + k % 2] = (n + k) % 2 ? 0x3f80 : 0xc000;  // 1, -2
    mnk_product_bf16(&(mnk_product_bf16_arguments){.a = a, .lda = K, .b = b, .m = M, .n = N, .k = K, .n_begin = 0, .n_end = N, .c = c, .ldc = N});
    for (int i = 0; i < M; i++)
        for (int n = 0; n < N; n++) {
            float sum = 0;
            for (int k = 0; k < K; k++) sum += (float)((i * K + k) % 3 + 1) * ((n + k) % 2 ? 1.0f : -2.0f);
            if (sum != c[i * N + n]) return 0;
        }
    return 1;
}
#endif

/// The names of caps that this kind of processor knows, each with the instruction sets up to it.
static const struct { const char *name; uint32_t kept; } caps[] = {
    {"portable", 0},
#if defined(__aarch64__)
    {"neon", MNK_NEON},
    {"dotprod", MNK_NEON | MNK_DOTPROD},
    {"i8mm", MNK_NEON | MNK_DOTPROD | MNK_I8MM},
#elif defined(__x86_64__)
    {"avx2", MNK_AVX2},
    {"avx512", MNK_AVX2 | MNK_AVX512},
    {"vnni", MNK_AVX2 | MNK_AVX512 | MNK_AVX512_VNNI},
#endif
    {"amx-emulated", MNK_AMX_EMULATED},
};
enum { CAPS = sizeof caps / sizeof *caps };

const char *mnk_cpu_cap_name(size_t index) { return index < CAPS ? caps[index].name : NULL; }

int mnk_cpu_capped(const char *cap, uint32_t features, uint32_t *kept) {
    for (size_t i = 0; i < CAPS; i++) {
        if (strcmp(cap, caps[i].name)) continue;
        // The emulation stands in for AMX, beside all that the machine has.
        *kept = caps[i].kept == MNK_AMX_EMULATED ? (features & ~(uint32_t)(MNK_AMX_INT8 | MNK_AMX_BF16)) | MNK_AMX_EMULATED : features & caps[i].kept;
        return 1;
    }
    return 0;
}

/// Ends the process: a cap that is not understood would measure, or test, something else than was
/// asked for.
static void refuse_cap(const char *cap) {
    fprintf(stderr, "Error: MNEME_CPU is '%.40s'. On this kind of processor it can be", cap);
    for (size_t i = 0; i < CAPS; i++) fprintf(stderr, "%s %s", i ? "," : "", caps[i].name);
    fprintf(stderr, "; without it, all that the machine has is used.\n");
    _Exit(2);
}

uint32_t mnk_cpu_features(void) {
    // Threads may detect at the same time: they find the same.
    static _Atomic uint32_t cached = 0;  // bit 31: detected
    uint32_t features = atomic_load_explicit(&cached, memory_order_acquire);
    // Bit 31 makes "nothing" different from "not yet".
    if (features) return features & 0x7fffffffu;
#if defined(__x86_64__)
    features = detect();
    if ((features & MNK_AMX_INT8) && !(amx_agrees() && amx_tiles_agree() && amx_groups_agree())) features &= ~(uint32_t)MNK_AMX_INT8;
    if ((features & MNK_AMX_BF16) && !amx_bf16_agrees()) features &= ~(uint32_t)MNK_AMX_BF16;
#elif defined(__aarch64__)
    features = mnk_arm_features();
#endif
    const char *cap = getenv("MNEME_CPU");
    if (cap && *cap && !mnk_cpu_capped(cap, features, &features)) refuse_cap(cap);
    atomic_store_explicit(&cached, features | 0x80000000u, memory_order_release);
    return features;
}

// MARK: Peak

#if defined(__x86_64__)
/// Sixteen independent sums keep both units busy: a multiply-add takes four or five cycles, and one
/// or two begin in each. What the loops return is used, so that they are not optimised away.
__attribute__((target("avx512f,avx512vnni"))) static float peak_int8(size_t n) {
    __m512i s[16], x = _mm512_set1_epi32(0x01010101), y = x;
    for (int j = 0; j < 16; j++) s[j] = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i++) {
        for (int j = 0; j < 16; j++) s[j] = _mm512_dpbusd_epi32(s[j], x, y);
        __asm__ volatile("" : "+v"(x), "+v"(y));
    }
    for (int j = 1; j < 16; j++) s[0] = _mm512_add_epi32(s[0], s[j]);
    return (float)_mm512_reduce_add_epi32(s[0]);
}
__attribute__((target("avx512f"))) static float peak_f32(size_t n) {
    __m512 s[16], x = _mm512_set1_ps(1), y = x;
    for (int j = 0; j < 16; j++) s[j] = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i++) {
        for (int j = 0; j < 16; j++) s[j] = _mm512_fmadd_ps(x, y, s[j]);
        __asm__ volatile("" : "+v"(x), "+v"(y));
    }
    for (int j = 1; j < 16; j++) s[0] = _mm512_add_ps(s[0], s[j]);
    return _mm512_reduce_add_ps(s[0]);
}
__attribute__((target("avx2,fma"))) static float peak_f32_avx2(size_t n) {
    __m256 s[12], x = _mm256_set1_ps(1), y = x;
    for (int j = 0; j < 12; j++) s[j] = _mm256_setzero_ps();
    for (size_t i = 0; i < n; i++) {
        for (int j = 0; j < 12; j++) s[j] = _mm256_fmadd_ps(x, y, s[j]);
        __asm__ volatile("" : "+x"(x), "+x"(y));
    }
    for (int j = 1; j < 12; j++) s[0] = _mm256_add_ps(s[0], s[j]);
    return _mm256_cvtss_f32(s[0]);
}
/// Four products a round, over tiles that hold anything: what is in them does not change the speed.
__attribute__((target("amx-tile,amx-int8,avx512f"))) static void peak_amx(size_t n) {
    struct __attribute__((packed)) { uint8_t palette, start, reserved[14]; uint16_t columns[16]; uint8_t rows[16]; } c;
    memset(&c, 0, sizeof c);
    c.palette = 1;
    for (int t = 0; t < 8; t++) { c.rows[t] = 16; c.columns[t] = 64; }
    _tile_loadconfig(&c);
    for (size_t i = 0; i < n; i++) {
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 4, 7);
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
    }
    _tile_release();
}
#endif

/// Loops of the fastest instruction that `features` allows; operations count a multiply and an add
/// as two.
double mnk_peak_operations(uint32_t features, int kind, size_t iterations) {
    double n = (double)iterations;
#if defined(__x86_64__)
    static volatile float sink;
    if (kind == 1 && (features & MNK_AMX_INT8)) { peak_amx(iterations); return n * 4 * 16 * 16 * 64 * 2; }
    if (kind == 1 && (features & MNK_AVX512_VNNI)) { sink = peak_int8(iterations); return n * 16 * 64 * 2; }
    if (kind == 0 && (features & MNK_AVX512)) { sink = peak_f32(iterations); return n * 16 * 16 * 2; }
    if (kind == 0 && (features & MNK_AVX2)) { sink = peak_f32_avx2(iterations); return n * 12 * 8 * 2; }
    (void)sink;
#elif defined(__aarch64__)
    return mnk_arm_peak(features, kind, iterations);
#endif
    (void)features;
    (void)kind;
    (void)n;
    return 0;
}
