// CRC-32C (Castagnoli, as in RFC 3720) of the four quarters of a buffer: checksums of KV blocks.
//
// Processors have an instruction for it that takes eight bytes and three cycles; four quarters side
// by side hide the wait, where one CRC of all would not. A changed byte changes one of the four.

#include "mneme_kernels.h"
#include "vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#endif

/// CRC-32C (Castagnoli), a nibble at a time: the reference.
static uint32_t crc_portable(uint32_t crc, const uint8_t *p, size_t n) {
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

/// Four streams at once: one would wait three cycles for each step.
#define FOUR_STREAMS(STEP)                                                   \
    for (size_t i = 0; i + 8 <= quarter; i += 8) {                           \
        uint64_t x[4];                                                       \
        for (int s = 0; s < 4; s++) memcpy(&x[s], p + s * quarter + i, 8);   \
        for (int s = 0; s < 4; s++) crc[s] = (uint32_t)STEP(crc[s], x[s]);   \
    }

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static void streams_sse(const uint8_t *p, size_t quarter, uint32_t *crc) { FOUR_STREAMS(_mm_crc32_u64) }
#elif defined(__aarch64__)
__attribute__((target("crc"))) static void streams_arm(const uint8_t *p, size_t quarter, uint32_t *crc) { FOUR_STREAMS(__crc32cd) }
#endif

/// Complexity: one pass, eight bytes a step where there is an instruction; else a table of 16, a
/// nibble a step.
void mnk_checksum(uint32_t features, const void *source, size_t bytes, uint32_t out[4]) {
    const uint8_t *p = source;
    // Whole steps of eight bytes; the last quarter takes what is left over.
    size_t quarter = bytes / 4 / 8 * 8;
    for (int s = 0; s < 4; s++) out[s] = ~0u;
#if defined(__x86_64__)
    if (features & MNK_AVX2) streams_sse(p, quarter, out);
    else
#elif defined(__aarch64__)
    if (features & MNK_NEON) streams_arm(p, quarter, out);
    else
#else
    (void)features;
#endif
        for (int s = 0; s < 4; s++) out[s] = crc_portable(out[s], p + s * quarter, quarter);
    out[3] = crc_portable(out[3], p + 4 * quarter, bytes - 4 * quarter);
    for (int s = 0; s < 4; s++) out[s] = ~out[s];
}
