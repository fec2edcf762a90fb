#include "kv_page.h"

// Pages of codes are written once and read by attention as they are, see kv_page.h.

/// Keys and values, each with its scales and codes.
size_t mnk_kv_page_bytes(int bits, size_t dim) {
    return 4 * (dim + MNK_KV_BLOCK * value_groups(bits, dim)) + 2 * code_bytes(bits, MNK_KV_BLOCK * dim);
}

/// Codes of `count` numbers, rounded to the nearest level; the scale and least value that they are
/// of are rounded to halves before.
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
        codes[i] = !(code > 0) ? 0 : code > levels ? (uint8_t)levels : (uint8_t)code;
    }
}

/// An element of the keys after the other, then a position of the values after the other.
MNK_INLINE void mnk_encode_kv_page_body(uint32_t features, int bits, const uint16_t *keys, const uint16_t *values, size_t dim, uint8_t *target) {
    int native = converts_halves(features);
    kv_page page = page_at(target, bits, dim);
    float x[MNK_MAX_HEAD];
    uint8_t codes[MNK_MAX_HEAD], *of_keys = (uint8_t *)page.keys.codes, *of_values = (uint8_t *)page.values.codes;
    memset(of_keys, 0, code_bytes(bits, MNK_KV_BLOCK * dim));
    memset(of_values, 0, code_bytes(bits, MNK_KV_BLOCK * dim));
    for (size_t i = 0; i < dim; i++) {
        for (size_t e = 0; e < MNK_KV_BLOCK; e += 16) store16(x + e, load16_half(native, keys + i * MNK_KV_BLOCK + e));
        encode_codes(x, MNK_KV_BLOCK, bits, (uint16_t *)page.keys.scales + i, (uint16_t *)page.keys.least + i, codes);
        for (size_t e = 0; e < MNK_KV_BLOCK; e++) of_keys[code_place(bits, MNK_KV_BLOCK, i, e)] |= (uint8_t)(codes[e] << code_shift(bits, i));
    }
    size_t groups = value_groups(bits, dim), count = dim / groups;
    for (size_t j = 0; j < MNK_KV_BLOCK; j++) {
        for (size_t i = 0; i < dim; i += 16) store16(x + i, load16_half(native, values + j * dim + i));
        for (size_t g = 0; g < groups; g++) {
            size_t pair = g * MNK_KV_BLOCK + j;
            encode_codes(x + g * count, count, bits, (uint16_t *)page.values.scales + pair, (uint16_t *)page.values.least + pair, codes + g * count);
        }
        for (size_t i = 0; i < dim; i++) of_values[code_place(bits, dim, j, i)] |= (uint8_t)(codes[i] << code_shift(bits, j));
    }
}
MNK_DISPATCH(mnk_encode_kv_page, (uint32_t features, int bits, const uint16_t *keys, const uint16_t *values, size_t dim, uint8_t *target),
             (features, bits, keys, values, dim, target))

/// least + scale·code, rounded once and then to halves.
MNK_INLINE void mnk_decode_kv_page_body(uint32_t features, int bits, const uint8_t *source, size_t dim, uint16_t *keys, uint16_t *values) {
    int native = converts_halves(features);
    kv_page page = page_at(source, bits, dim);
    float scale[MNK_MAX_HEAD], least[MNK_MAX_HEAD], x[MNK_MAX_HEAD];
    load_scales(native, &page.keys, dim, scale, least);
    for (size_t i = 0; i < dim; i++) {
        for (size_t e = 0; e < MNK_KV_BLOCK; e++) x[e] = code_at(page.keys.codes, bits, MNK_KV_BLOCK, i, e);
        for (size_t e = 0; e < MNK_KV_BLOCK; e += 16)
            store16_half(native, keys + i * MNK_KV_BLOCK + e, fma16(load16(x + e), splat16(scale[i]), splat16(least[i])));
    }
    size_t groups = value_groups(bits, dim), count = dim / groups;
    load_scales(native, &page.values, MNK_KV_BLOCK * groups, scale, least);
    for (size_t j = 0; j < MNK_KV_BLOCK; j++) {
        for (size_t i = 0; i < dim; i++) x[i] = code_at(page.values.codes, bits, dim, j, i);
        for (size_t i = 0; i < dim; i += 16) {
            size_t pair = i / count * MNK_KV_BLOCK + j;
            store16_half(native, values + j * dim + i, fma16(load16(x + i), splat16(scale[pair]), splat16(least[pair])));
        }
    }
}
MNK_DISPATCH(mnk_decode_kv_page, (uint32_t features, int bits, const uint8_t *source, size_t dim, uint16_t *keys, uint16_t *values),
             (features, bits, source, dim, keys, values))
