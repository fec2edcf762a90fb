#include "kv_page.h"

// Pages of codes are written once and read by attention as they are, see kv_page.h.

/// Keys and values, each with its scales and codes.
size_t mnk_kv_page_bytes(int bits, size_t dim) {
    return 4 * (dim + MNK_KV_BLOCK * value_groups(bits, dim)) + 2 * code_bytes(bits, MNK_KV_BLOCK * dim);
}

/// Codes of `count` numbers (a multiple of 32), rounded to the nearest level; the scale and least
/// value that they are of are rounded to halves before.
MNK_INLINE void encode_codes(const float *x, size_t count, int bits, uint16_t *scale, uint16_t *least, uint8_t *codes) {
    float low = x[0], high = x[0], levels = (float)((1 << bits) - 1);
    for (size_t i = 1; i < count; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    *scale = half_of((high - low) / levels);
    *least = half_of(low);
    float step = float_of_half(*scale), first = float_of_half(*least), inverse = step > 0 ? 1 / step : 0;
    for (size_t i = 0; i < count; i++) {
        float code = (x[i] - first) * inverse + 0.5f;
        uint8_t c = !(code > 0) ? 0 : code > levels ? (uint8_t)levels : (uint8_t)code;
        if (bits == 8) codes[i] = c;
        else if (i % 32 < 16) codes[i / 32 * 16 + i % 16] = c;
        else codes[i / 32 * 16 + i % 16] |= (uint8_t)(c << 4);
    }
}

/// An element of the keys after the other, then a position of the values after the other.
MNK_INLINE void mnk_encode_kv_page_body(uint32_t features, int bits, const uint16_t *keys, const uint16_t *values, size_t dim, uint8_t *target) {
    int native = converts_halves(features);
    kv_page page = page_at(target, bits, dim);
    float x[MNK_MAX_HEAD];
    for (size_t i = 0; i < dim; i++) {
        for (size_t e = 0; e < MNK_KV_BLOCK; e += 16) store16(x + e, load16_half(native, keys + i * MNK_KV_BLOCK + e));
        encode_codes(x, MNK_KV_BLOCK, bits, (uint16_t *)page.keys.scales + i, (uint16_t *)page.keys.least + i, (uint8_t *)key_codes(&page, i));
    }
    size_t groups = value_groups(bits, dim), count = dim / groups;
    for (size_t j = 0; j < MNK_KV_BLOCK; j++) {
        for (size_t i = 0; i < dim; i += 16) store16(x + i, load16_half(native, values + j * dim + i));
        for (size_t g = 0; g < groups; g++)
            encode_codes(x + g * count, count, bits, (uint16_t *)page.values.scales + j * groups + g, (uint16_t *)page.values.least + j * groups + g,
                         (uint8_t *)page.values.codes + code_bytes(bits, j * dim + g * count));
    }
}
MNK_DISPATCH(mnk_encode_kv_page, (uint32_t features, int bits, const uint16_t *keys, const uint16_t *values, size_t dim, uint8_t *target),
             (features, bits, keys, values, dim, target))

/// As attention reads it, rounded to halves.
MNK_INLINE void mnk_decode_kv_page_body(uint32_t features, int bits, const uint8_t *source, size_t dim, uint16_t *keys, uint16_t *values) {
    int native = converts_halves(features);
    kv_page page = page_at(source, bits, dim);
    float scale[MNK_MAX_HEAD], least[MNK_MAX_HEAD];
    load_scales(native, &page.keys, dim, scale, least);
    for (size_t i = 0; i < dim; i++)
        for (size_t e = 0; e < 2; e++)
            store16_half(native, keys + i * MNK_KV_BLOCK + e * 16, decode16(key_codes(&page, i), e, bits, scale[i], least[i]));
    size_t groups = value_groups(bits, dim);
    load_scales(native, &page.values, MNK_KV_BLOCK * groups, scale, least);
    for (size_t j = 0; j < MNK_KV_BLOCK; j++)
        for (size_t i = 0; i < dim; i += 16) {
            size_t pair = j * groups + (bits == 8 ? 0 : i / MNK_KV_BLOCK);
            store16_half(native, values + j * dim + i, decode16(value_codes(&page, j, i), i / 16 % 2, bits, scale[pair], least[pair]));
        }
}
MNK_DISPATCH(mnk_decode_kv_page, (uint32_t features, int bits, const uint8_t *source, size_t dim, uint16_t *keys, uint16_t *values),
             (features, bits, source, dim, keys, values))
