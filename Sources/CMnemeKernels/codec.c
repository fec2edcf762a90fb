#include "half.h"

// Groups of 32 halves as codes of 8, 4 or 3 bits, of 16 halves as codes of 2 bits, with an affine scale: in a block of keys and values
// these are one element of a head's keys over as many positions, and as many elements of one position's values (KIVI, Liu et al. 2024).
// A group: scale and least value as halves, then the codes, the first in the lowest bits. Eight codes take as many bytes as a code has bits.

MNK_INLINE size_t group_width(int bits) { return bits == 2 ? 16 : 32; }
MNK_INLINE size_t group_bytes(int bits) { return 4 + group_width(bits) * (size_t)bits / 8; }

size_t mnk_encoded_bytes(int bits, size_t count) { return count / group_width(bits) * group_bytes(bits); }

MNK_INLINE void mnk_encode_groups_body(uint32_t features, int bits, const uint16_t *source, size_t count, uint8_t *target) {
    int native = (features & MNK_AVX2) != 0;
    size_t width = group_width(bits);
    for (size_t g = 0; g < count / width; g++, source += width, target += group_bytes(bits)) {
        float x[32];
        for (size_t i = 0; i < width; i += 16) store16(x + i, load16_half(native, source + i));
        float low = x[0], high = x[0];
        for (size_t i = 1; i < width; i++) {
            if (x[i] < low) low = x[i];
            if (x[i] > high) high = x[i];
        }
        // Codes are of the numbers that are kept. (Cutting ends off for a lesser squared error made perplexity worse.)
        float levels = (float)((1 << bits) - 1);
        uint16_t kept[2] = {half_of((high - low) / levels), half_of(low)};
        float scale = float_of_half(kept[0]), least = float_of_half(kept[1]);
        memcpy(target, kept, sizeof kept);
        uint8_t codes[32];
        for (size_t i = 0; i < width; i++) {
            float code = scale > 0 ? (x[i] - least) / scale + 0.5f : 0;
            codes[i] = code < 0 ? 0 : code > levels ? (uint8_t)levels : (uint8_t)code;
        }
        for (size_t i = 0; i < width / 8; i++) {
            uint64_t eight = 0;
            for (size_t j = 0; j < 8; j++) eight |= (uint64_t)codes[i * 8 + j] << (j * (size_t)bits);
            for (size_t j = 0; j < (size_t)bits; j++) target[4 + i * (size_t)bits + j] = (uint8_t)(eight >> (8 * j));
        }
    }
}
MNK_DISPATCH(mnk_encode_groups, (uint32_t features, int bits, const uint16_t *source, size_t count, uint8_t *target), (features, bits, source, count, target))

MNK_INLINE void mnk_decode_groups_body(uint32_t features, int bits, const uint8_t *source, size_t count, uint16_t *target) {
    int native = (features & MNK_AVX2) != 0;
    size_t width = group_width(bits);
    uint64_t mask = (1u << bits) - 1;
    for (size_t g = 0; g < count / width; g++, target += width, source += group_bytes(bits)) {
        uint16_t kept[2];
        memcpy(kept, source, sizeof kept);
        float scale = float_of_half(kept[0]), least = float_of_half(kept[1]), x[32];
        for (size_t i = 0; i < width / 8; i++) {
            uint64_t eight = 0;
            for (size_t j = 0; j < (size_t)bits; j++) eight |= (uint64_t)source[4 + i * (size_t)bits + j] << (8 * j);
            for (size_t j = 0; j < 8; j++) x[i * 8 + j] = least + scale * (float)(int32_t)(eight >> (j * (size_t)bits) & mask);
        }
        for (size_t i = 0; i < width; i += 16) store16_half(native, target + i, load16(x + i));
    }
}
MNK_DISPATCH(mnk_decode_groups, (uint32_t features, int bits, const uint8_t *source, size_t count, uint16_t *target), (features, bits, source, count, target))
