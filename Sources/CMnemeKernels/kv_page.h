// A page of codes: 32 positions of one key-value head, its keys and values as codes of 8 or 4 bits.
// What attention reads without decoding the page, and what kv_page.c writes.
//
// Keys have a scale and a least value for each element, over the page's positions; values have one
// for each position, over all elements with 8 bits, over 32 with 4 (KIVI, Liu et al. 2024: keys by
// channel, values by token). A number is least + scale·code.
//
// In bytes, one behind the other:
//   keys    scales, least values: a half for each element
//           codes: 32 for each element
//   values  scales, least values: a half for each position and group
//           codes: dim for each position
// With 4 bits, byte b of 32 codes holds code b in its low bits and code b + 16 in its high ones, so
// that 16 neighbours come of one load.
#ifndef MNK_KV_PAGE_H
#define MNK_KV_PAGE_H
#include "half.h"

/// Scales and least values, then codes.
typedef struct {
    const uint16_t *scales, *least;
    const uint8_t *codes;
} kv_codes;
/// A page's parts; bits is 0 if there is none.
typedef struct {
    int bits;
    size_t dim;
    kv_codes keys, values;
} kv_page;

/// Groups of a position's values.
MNK_INLINE size_t value_groups(int bits, size_t dim) { return bits == 8 ? 1 : dim / MNK_KV_BLOCK; }
/// Bytes of a number of codes.
MNK_INLINE size_t code_bytes(int bits, size_t codes) { return codes * (size_t)bits / 8; }

MNK_INLINE kv_page page_at(const uint8_t *start, int bits, size_t dim) {
    size_t pairs = MNK_KV_BLOCK * value_groups(bits, dim);
    const uint8_t *values = start + 4 * dim + code_bytes(bits, MNK_KV_BLOCK * dim);
    return (kv_page){
        .bits = bits,
        .dim = dim,
        .keys = {(const uint16_t *)start, (const uint16_t *)start + dim, start + 4 * dim},
        .values = {(const uint16_t *)values, (const uint16_t *)values + pairs, values + 4 * pairs},
    };
}

/// The 32 codes of an element of the keys; those of a position's values from element i on, which is
/// a multiple of 16: with 4 bits, of the 32 that it is among.
MNK_INLINE const uint8_t *key_codes(const kv_page *page, size_t i) { return page->keys.codes + code_bytes(page->bits, i * MNK_KV_BLOCK); }
MNK_INLINE const uint8_t *value_codes(const kv_page *page, size_t row, size_t i) {
    return page->values.codes + code_bytes(page->bits, row * page->dim) + (page->bits == 8 ? i / 32 * 32 : i / 32 * 16);
}

/// Pairs in floats.
MNK_INLINE void load_scales(int native, const kv_codes *codes, size_t count, float *scale, float *least) {
    for (size_t i = 0; i < count; i += 16) {
        store16(scale + i, load16_half(native, codes->scales + i));
        store16(least + i, load16_half(native, codes->least + i));
    }
}

typedef uint8_t u8x16 __attribute__((vector_size(16)));

/// Sixteen numbers: the first (half 0) or second half of 32 codes.
MNK_INLINE f32x16 decode16(const uint8_t *codes, size_t half, int bits, float scale, float least) {
    u8x16 c;
    memcpy(&c, codes + (bits == 8 ? half * 16 : 0), sizeof c);
    if (bits == 4) c = half ? c >> 4 : c & 15;
    return fma16(__builtin_convertvector(__builtin_convertvector(c, i32x16), f32x16), splat16(scale), splat16(least));
}

/// A whole page: keys as [dim][key_stride], values as [32][dim].
MNK_INLINE void load_page(int native, const kv_page *page, float *keys, size_t key_stride, float *values) {
    float scale[MNK_MAX_HEAD], least[MNK_MAX_HEAD];
    size_t dim = page->dim, groups = value_groups(page->bits, dim);
    load_scales(native, &page->keys, dim, scale, least);
    for (size_t i = 0; i < dim; i++)
        for (size_t e = 0; e < 2; e++) store16(keys + i * key_stride + e * 16, decode16(key_codes(page, i), e, page->bits, scale[i], least[i]));
    load_scales(native, &page->values, MNK_KV_BLOCK * groups, scale, least);
    for (size_t j = 0; j < MNK_KV_BLOCK; j++)
        for (size_t i = 0; i < dim; i += 16) {
            size_t pair = j * groups + (page->bits == 8 ? 0 : i / MNK_KV_BLOCK);
            store16(values + j * dim + i, decode16(value_codes(page, j, i), i / 16 % 2, page->bits, scale[pair], least[pair]));
        }
}
#endif
