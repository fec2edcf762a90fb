// A page of codes: 32 positions of one key-value head, its keys and values as codes of 8 or 4 bits.
// What attention reads without decoding the page (kv_codes.c), and what kv_page.c writes.
//
// Keys have a scale and a least value for each element, over the page's positions; values have one
// for each position, over all elements with 8 bits, over 32 with 4 (KIVI, Liu et al. 2024: keys by
// channel, values by token). A number is least + scale·code.
//
// In bytes, one behind the other:
//   keys    scales, least values: a half for each element
//           codes: a matrix of dim rows and 32 columns
//   values  scales, least values: a half for each position, group by group
//           codes: a matrix of 32 rows and dim columns
// Products add up over rows, so that four neighbours of a column lie side by side, as the
// instructions for them want it: [rows/4][columns][4]. With 4 bits a byte holds two rows that are
// four apart: [rows/8][columns][4], the first four of eight in low bits, the others in high.
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

/// What is fetched while something else is computed: a block's keys or values, as they lie; of no bytes if
/// nothing is.
typedef struct {
    const uint8_t *start;
    size_t bytes;
} kv_fetch;

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

/// Rows whose codes of a column are four bytes.
MNK_INLINE size_t code_rows(int bits) { return bits == 8 ? 4 : 8; }
/// A page's keys or values, as they lie.
MNK_INLINE kv_fetch fetch_of_codes(const kv_page *page, int values) {
    const kv_codes *codes = values ? &page->values : &page->keys;
    size_t scales = values ? MNK_KV_BLOCK * value_groups(page->bits, page->dim) : page->dim;
    return (kv_fetch){(const uint8_t *)codes->scales, 4 * scales + code_bytes(page->bits, MNK_KV_BLOCK * page->dim)};
}

/// Where the code of a row and column lies, of a matrix with so many columns.
MNK_INLINE size_t code_place(int bits, size_t columns, size_t row, size_t column) {
    return (row / code_rows(bits) * columns + column) * 4 + row % 4;
}
/// How far its bits are up in the byte.
MNK_INLINE int code_shift(int bits, size_t row) { return bits == 4 ? (int)(row / 4 % 2) * 4 : 0; }

/// Pairs in floats.
MNK_INLINE void load_scales(int native, const kv_codes *codes, size_t count, float *scale, float *least) {
    for (size_t i = 0; i < count; i += 16) {
        store16(scale + i, load16_half(native, codes->scales + i));
        store16(least + i, load16_half(native, codes->least + i));
    }
}

/// The code of a row and column.
MNK_INLINE uint8_t code_at(const uint8_t *codes, int bits, size_t columns, size_t row, size_t column) {
    return (uint8_t)(codes[code_place(bits, columns, row, column)] >> code_shift(bits, row) & ((1 << bits) - 1));
}
#endif
