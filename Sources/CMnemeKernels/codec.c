#include "half.h"
#include <math.h>

// Groups of 32 halves as codes of 8 or 4 bits, of 16 halves as codes of 2 bits, with an affine scale: in a block of keys and values
// these are one element of a head's keys over as many positions, and as many elements of one position's values (KIVI, Liu et al. 2024).
// A group: scale and least value as halves, then the codes, the first in the lowest bits.

MNK_INLINE size_t group_width(int bits) { return bits == 2 ? 16 : 32; }
MNK_INLINE size_t group_bytes(int bits) { return 4 + group_width(bits) * (size_t)bits / 8; }

size_t mnk_encoded_bytes(int bits, size_t count) { return count / group_width(bits) * group_bytes(bits); }

/// Codes of a group within [low, high]; returns the squared error.
MNK_INLINE float encode_range(const float *x, size_t width, int bits, float low, float high, uint16_t kept[2], uint8_t *codes) {
    float levels = (float)((1 << bits) - 1), error = 0;
    // Codes are of the numbers that are kept.
    kept[0] = half_of((high - low) / levels);
    kept[1] = half_of(low);
    float scale = float_of_half(kept[0]), least = float_of_half(kept[1]);
    for (size_t i = 0; i < width; i++) {
        float code = scale > 0 ? (x[i] - least) / scale + 0.5f : 0;
        codes[i] = code < 0 ? 0 : code > levels ? (uint8_t)levels : (uint8_t)code;
        float e = least + scale * (float)codes[i] - x[i];
        error += e * e;
    }
    return error;
}

MNK_INLINE void mnk_encode_groups_body(uint32_t features, int bits, const uint16_t *source, size_t count, uint8_t *target) {
    int native = (features & MNK_AVX2) != 0;
    size_t width = group_width(bits), each = 8 / (size_t)bits;
    for (size_t g = 0; g < count / width; g++, source += width, target += group_bytes(bits)) {
        float x[32], least_error = INFINITY;
        for (size_t i = 0; i < width; i += 16) store16(x + i, load16_half(native, source + i));
        float low = x[0], high = x[0];
        for (size_t i = 1; i < width; i++) {
            if (x[i] < low) low = x[i];
            if (x[i] > high) high = x[i];
        }
        uint8_t best[32] = {0};
        // With few bits it pays to cut the ends off a little.
        for (int cut = 0; cut < (bits > 4 ? 1 : 6); cut++) {
            uint16_t kept[2];
            uint8_t codes[32];
            float margin = (high - low) * 0.03f * (float)cut, error = encode_range(x, width, bits, low + margin, high - margin, kept, codes);
            if (error < least_error) {
                least_error = error;
                memcpy(target, kept, sizeof kept);
                memcpy(best, codes, width);
            }
        }
        for (size_t i = 0; i < width / each; i++) {
            unsigned byte = 0;
            for (size_t j = 0; j < each; j++) byte |= (unsigned)best[i * each + j] << (j * (size_t)bits);
            target[4 + i] = (uint8_t)byte;
        }
    }
}
MNK_DISPATCH(mnk_encode_groups, (uint32_t features, int bits, const uint16_t *source, size_t count, uint8_t *target), (features, bits, source, count, target))

MNK_INLINE void mnk_decode_groups_body(uint32_t features, int bits, const uint8_t *source, size_t count, uint16_t *target) {
    int native = (features & MNK_AVX2) != 0;
    size_t width = group_width(bits), each = 8 / (size_t)bits;
    for (size_t g = 0; g < count / width; g++, target += width, source += group_bytes(bits)) {
        uint16_t kept[2];
        memcpy(kept, source, sizeof kept);
        float scale = float_of_half(kept[0]), least = float_of_half(kept[1]), x[32];
        for (size_t i = 0; i < width; i++) x[i] = least + scale * (float)(source[4 + i / each] >> (i % each * (size_t)bits) & ((1 << bits) - 1));
        for (size_t i = 0; i < width; i += 16) store16_half(native, target + i, load16(x + i));
    }
}
MNK_DISPATCH(mnk_decode_groups, (uint32_t features, int bits, const uint8_t *source, size_t count, uint16_t *target), (features, bits, source, count, target))
