#include "half.h"

// Groups of 32 halves as codes of 8, 4 or 2 bits with an affine scale: in a block of keys and
// values a group is one element of a head's keys over 32 positions, and 32 elements of one
// position's values (KIVI, Liu et al. 2024). Of the groups that are encoded together, those with
// the widest range can have twice the bits: few elements of the keys make most of the error (Kitty,
// Xia et al. 2025).
//
// Layout: if some are wide, a bit for each group that says so; then the groups, each with scale and
// least value as halves and its codes, the first in the lowest bits. Eight codes take as many bytes
// as a code has bits.

enum { WIDTH = 32 };
// So a head's keys or values of a block are as many groups as a key has elements.
_Static_assert(WIDTH == MNK_KV_BLOCK, "A group is one element of a block's keys.");

/// Bytes of a group: scale and least value as halves, then its codes; and of the bits that say
/// which groups are wide.
MNK_INLINE size_t group_bytes(int bits) { return 4 + WIDTH * (size_t)bits / 8; }
MNK_INLINE size_t mask_bytes(size_t groups, size_t wide) { return wide ? (groups + 7) / 8 : 0; }

/// The mask, then narrow and wide groups in their order.
size_t mnk_encoded_bytes(int bits, size_t groups, size_t wide) {
    return mask_bytes(groups, wide) + (groups - wide) * group_bytes(bits) + wide * group_bytes(2 * bits);
}

/// The least and the greatest of a group.
MNK_INLINE void ends_of(const float *x, float *low, float *high) {
    *low = *high = x[0];
    for (size_t i = 1; i < WIDTH; i++) {
        *low = x[i] < *low ? x[i] : *low;
        *high = x[i] > *high ? x[i] : *high;
    }
}

/// Codes of one group, rounded to the nearest level. NaNs take the first level.
MNK_INLINE void encode_group(const float *x, int bits, uint8_t *target) {
    float low, high, levels = (float)((1 << bits) - 1);
    ends_of(x, &low, &high);
    // Codes are of the numbers that are kept. (Cutting ends off for a lesser squared error made
    // perplexity worse.)
    uint16_t kept[2] = {half_of((high - low) / levels), half_of(low)};
    float scale = float_of_half(kept[0]), least = float_of_half(kept[1]);
    memcpy(target, kept, sizeof kept);
    uint8_t codes[WIDTH];
    for (size_t i = 0; i < WIDTH; i++) {
        float code = scale > 0 ? (x[i] - least) / scale + 0.5f : 0;
        codes[i] = !(code > 0) ? 0 : code > levels ? (uint8_t)levels : (uint8_t)code;
    }
    for (size_t i = 0; i < WIDTH / 8; i++) {
        uint64_t eight = 0;
        for (size_t j = 0; j < 8; j++) eight |= (uint64_t)codes[i * 8 + j] << (j * (size_t)bits);
        for (size_t j = 0; j < (size_t)bits; j++) target[4 + i * (size_t)bits + j] = (uint8_t)(eight >> (8 * j));
    }
}

/// Two passes: ranges first, as which groups are wide depends on all. Complexity: groups²
/// comparisons where some are wide; a head's part of a block has at most 512.
MNK_INLINE void mnk_encode_groups_body(uint32_t features, int bits, const uint16_t *source, size_t groups, size_t wide, uint8_t *target) {
    int native = converts_halves(features);
    uint8_t *mask = target;
    target += mask_bytes(groups, wide);
    memset(mask, 0, mask_bytes(groups, wide));
    float x[WIDTH], ranges[wide ? groups : 1];
    for (size_t g = 0; g < groups && wide; g++) {
        float low, high;
        for (size_t i = 0; i < WIDTH; i += 16) store16(x + i, load16_half(native, source + g * WIDTH + i));
        ends_of(x, &low, &high);
        ranges[g] = high - low;
    }
    for (size_t g = 0, given = 0; g < groups; g++) {
        size_t wider = 0;
        // Equal ones, the first first; so that what is no number takes no more than there are.
        for (size_t other = 0; other < groups && given < wide; other++)
            wider += ranges[other] > ranges[g] || (ranges[other] == ranges[g] && other < g);
        int is_wide = given < wide && (wider < wide || groups - g == wide - given);
        if (is_wide) {
            mask[g / 8] |= (uint8_t)(1 << g % 8);
            given++;
        }
        for (size_t i = 0; i < WIDTH; i += 16) store16(x + i, load16_half(native, source + g * WIDTH + i));
        encode_group(x, is_wide ? 2 * bits : bits, target);
        target += group_bytes(is_wide ? 2 * bits : bits);
    }
}
MNK_DISPATCH(mnk_encode_groups, (uint32_t features, int bits, const uint16_t *source, size_t groups, size_t wide, uint8_t *target),
             (features, bits, source, groups, wide, target))

/// Reads within mnk_encoded_bytes() whatever the bytes say.
MNK_INLINE void mnk_decode_groups_body(uint32_t features, int bits, const uint8_t *source, size_t groups, size_t wide, uint16_t *target) {
    int native = converts_halves(features);
    const uint8_t *mask = source;
    source += mask_bytes(groups, wide);
    for (size_t g = 0, given = 0; g < groups; g++, target += WIDTH) {
        // No more than there is room for, whatever the bits say.
        int is_wide = given < wide && (mask[g / 8] >> g % 8 & 1), width = is_wide ? 2 * bits : bits;
        given += (size_t)is_wide;
        // Codes of eight values are `width` bytes.
        uint64_t ones = (1u << width) - 1;
        uint16_t kept[2];
        memcpy(kept, source, sizeof kept);
        float scale = float_of_half(kept[0]), least = float_of_half(kept[1]), x[WIDTH];
        for (size_t i = 0; i < WIDTH / 8; i++) {
            uint64_t eight = 0;
            for (size_t j = 0; j < (size_t)width; j++) eight |= (uint64_t)source[4 + i * (size_t)width + j] << (8 * j);
            for (size_t j = 0; j < 8; j++) x[i * 8 + j] = least + scale * (float)(int32_t)(eight >> (j * (size_t)width) & ones);
        }
        for (size_t i = 0; i < WIDTH; i += 16) store16_half(native, target + i, load16(x + i));
        source += group_bytes(width);
    }
}
MNK_DISPATCH(mnk_decode_groups, (uint32_t features, int bits, const uint8_t *source, size_t groups, size_t wide, uint16_t *target),
             (features, bits, source, groups, wide, target))
