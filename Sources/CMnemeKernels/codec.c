#include "half.h"
#include <math.h>

// Groups of 32 halves as codes of 8, 4 or 2 bits with an affine scale: in a block of keys and values these are one element of a
// head's keys over 32 positions, and 32 elements of one position's values (KIVI, Liu et al. 2024).
// A group: scale and least value as halves, then 4·bits bytes, the first code in the lowest bits.

enum { GROUP = 32 };

size_t mnk_group_bytes(int bits) { return 4 + GROUP * (size_t)bits / 8; }

MNK_INLINE void mnk_encode_groups_body(uint32_t features, int bits, const uint16_t *source, size_t groups, uint8_t *target) {
    int native = (features & MNK_AVX2) != 0;
    for (size_t g = 0; g < groups; g++, source += GROUP, target += mnk_group_bytes(bits)) {
        float x[GROUP];
        for (size_t i = 0; i < GROUP; i += 16) store16(x + i, load16_half(native, source + i));
        float low = x[0], high = x[0];
        for (size_t i = 1; i < GROUP; i++) {
            if (x[i] < low) low = x[i];
            if (x[i] > high) high = x[i];
        }
        float levels = (float)((1 << bits) - 1);
        // Codes are of the numbers that are kept.
        uint16_t kept[2] = {half_of((high - low) / levels), half_of(low)};
        float scale = float_of_half(kept[0]), least = float_of_half(kept[1]);
        memcpy(target, kept, sizeof kept);
        uint8_t codes[GROUP];
        for (size_t i = 0; i < GROUP; i++) {
            float code = scale > 0 ? (x[i] - least) / scale + 0.5f : 0;
            codes[i] = code < 0 ? 0 : code > levels ? (uint8_t)levels : (uint8_t)code;
        }
        size_t each = 8 / (size_t)bits;
        for (size_t i = 0; i < GROUP / each; i++) {
            unsigned byte = 0;
            for (size_t j = 0; j < each; j++) byte |= (unsigned)codes[i * each + j] << (j * (size_t)bits);
            target[4 + i] = (uint8_t)byte;
        }
    }
}
MNK_DISPATCH(mnk_encode_groups, (uint32_t features, int bits, const uint16_t *source, size_t groups, uint8_t *target), (features, bits, source, groups, target))

MNK_INLINE void mnk_decode_groups_body(uint32_t features, int bits, const uint8_t *source, size_t groups, uint16_t *target) {
    int native = (features & MNK_AVX2) != 0;
    for (size_t g = 0; g < groups; g++, target += GROUP, source += mnk_group_bytes(bits)) {
        uint16_t kept[2];
        memcpy(kept, source, sizeof kept);
        float scale = float_of_half(kept[0]), least = float_of_half(kept[1]), x[GROUP];
        size_t each = 8 / (size_t)bits;
        for (size_t i = 0; i < GROUP; i++) x[i] = least + scale * (float)(source[4 + i / each] >> (i % each * (size_t)bits) & ((1 << bits) - 1));
        for (size_t i = 0; i < GROUP; i += 16) store16_half(native, target + i, load16(x + i));
    }
}
MNK_DISPATCH(mnk_decode_groups, (uint32_t features, int bits, const uint8_t *source, size_t groups, uint16_t *target), (features, bits, source, groups, target))
