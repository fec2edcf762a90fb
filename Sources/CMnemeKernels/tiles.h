// What the products with tiles of quantised weights share: the layouts of tiles, and how sums of a
// block are scaled and stored.
#ifndef MNK_TILES_H
#define MNK_TILES_H
#include "half.h"

/// How a tile of a format is laid out: 16 columns by 32 of k.
typedef struct {
    uint8_t bits;                     // of a code
    uint8_t zero;                     // the code that stands for zero where that is fixed; else 0, and minima are kept
    uint16_t code_bytes, scale_bytes; // of a tile: its codes, and its d (and m) as f16
} tile_format;

/// By the formats' numbers; that of MNK_G4 is in groups.h. Kernels are instances for one format each, in which the compiler knows
/// what stands here.
static const tile_format tile_formats[] = {
    [MNK_Q8] = {8, 0, 512, 64}, [MNK_Q12] = {12, 0, 768, 32},
    [MNK_Z4] = {4, 8, 256, 32}, [MNK_Z8] = {8, 128, 512, 32},
};
/// Whether two codes share a byte; the fixed zero; bytes of a tile's codes, and of the tile.
MNK_INLINE int is_narrow(int format) { return tile_formats[format].bits == 4; }
MNK_INLINE int zero_of(int format) { return tile_formats[format].zero; }
MNK_INLINE size_t code_bytes(int format) { return tile_formats[format].code_bytes; }
MNK_INLINE size_t tile_bytes(int format) { return code_bytes(format) + tile_formats[format].scale_bytes; }

/// Adds bias and what stands there, and stores sixteen columns of a row.
MNK_INLINE void finish_tile(const mnk_tiles *g, size_t row, size_t column, const void *sums) {
    f32x16 v;
    memcpy(&v, sums, sizeof v);
    float *c = g->c + row * g->ldc + column;
    if (g->bias) v += load16(g->bias + column);
    if (g->accumulate) v += load16(c);
    store16(c, v);
}

/// A row's codes of a block: 32 high bytes and 32 low ones.
MNK_INLINE const int8_t *codes_of_row(const mnk_tiles *g, size_t row, size_t block) { return (const int8_t *)g->a + (row * (g->k / 32) + block) * 64; }

/// What a fixed zero takes from the sums of a block.
MNK_INLINE int32_t start_of(const mnk_tiles *g, size_t at, int format) { return zero_of(format) ? -zero_of(format) * g->a_total[at] : 0; }

/// Bytes of an MNK_Q12 tile's codes.
#define CODES code_bytes(MNK_Q12)
/// Bytes of a column group: the codes of all its tiles, then all their scales.
#define PANEL(blocks) ((blocks) * tile_bytes(MNK_Q12))

/// Where a group of 16 columns begins, and its scales.
MNK_INLINE const uint8_t *codes_at(const mnk_tiles *g, size_t column) { return (const uint8_t *)g->b + column / 16 * PANEL(g->k / 32); }
MNK_INLINE const uint16_t *scales_at(const mnk_tiles *g, size_t column) { return (const uint16_t *)(codes_at(g, column) + g->k / 32 * CODES); }

/// A row's words of a block, for MNK_Q12.
MNK_INLINE const int16_t *words_at(const mnk_tiles *g, size_t row, size_t block) { return (const int16_t *)g->a + (row * (g->k / 32) + block) * 32; }

/// Codes of 12 bits count in 1/2047 of a tile's scale: taken out once, at the end.
MNK_INLINE void finish_q12(const mnk_tiles *g, size_t row, size_t column, const void *sums) {
    f32x16 v;
    memcpy(&v, sums, sizeof v);
    v *= splat16(1.0f / 2047);
    finish_tile(g, row, column, &v);
}

/// The weights of 12 bits; see MNK_Q12.
void mnk_gemm_q12(uint32_t features, const mnk_tiles *g);

/// The code of column `n` at `k` of the MNK_Q12 tile at `t`.
MNK_INLINE int mnk_q12_code(const uint8_t *t, size_t n, size_t k) {
    int16_t words[3];
    for (size_t v = 0; v < 3; v++) memcpy(words + v, t + (k / 8 * 3 + v) * 64 + n * 4 + k % 2 * 2, 2);
    if (k % 8 < 6) return words[k % 8 / 2] >> 4;
    return (int16_t)((words[2] & 15) << 12 | (words[1] & 15) << 8 | (words[0] & 15) << 4) >> 4;
}

/// Scales the integer sums of block `b` for `rows` rows of sixteen columns and adds them up.
MNK_INLINE void add_block(int native, const mnk_tiles *g, size_t row, size_t rows, size_t b, const uint8_t *scales, const int32_t *high, const int32_t *low, float *total) {
    int zero = zero_of(g->format);
    f32x16 d = load16_half(native, (const uint16_t *)scales), m = splat16(0);
    if (!zero) m = load16_half(native, (const uint16_t *)scales + 16);
    for (size_t i = 0; i < rows; i++) {
        size_t at = (row + i) * (g->k / 32) + b;
        i32x16 h, l;
        memcpy(&h, high + i * 16, sizeof h);
        memcpy(&l, low + i * 16, sizeof l);
        f32x16 s = __builtin_convertvector(h * 128 + l - zero * (zero ? g->a_total[at] : 0), f32x16);
        f32x16 sum = fma16(s, d * splat16(g->a_scale[at]), load16(total + i * 16));
        if (!zero) sum = fma16(m, splat16(g->a_sum[at]), sum);
        store16(total + i * 16, sum);
    }
}
#endif
