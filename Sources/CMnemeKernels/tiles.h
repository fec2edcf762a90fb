// What the products with tiles of quantised weights share: the layouts of those whose sums are of blocks of 32, and how
// they are scaled and stored.
#ifndef MNK_TILES_H
#define MNK_TILES_H
#include "half.h"

/// How a tile of a format is laid out: 16 columns by 32 of k.
typedef struct {
    uint8_t zero;         // the code that stands for zero where that is fixed; else 0, and minima are kept
    uint16_t scale_bytes; // of a tile: its d (and m) as f16
} tile_format;

/// By the formats' numbers; those of integers alone are in groups.h. Kernels are instances for one format each, in which the compiler knows
/// what stands here.
static const tile_format tile_formats[] = {
    [MNK_Q8] = {0, 64}, [MNK_Z8] = {128, 32},
};
/// Whether sums over groups of k are integers: see groups.h.
MNK_INLINE int is_grouped(int format) { return format == MNK_G4 || format == MNK_Z4 || format == MNK_G12; }
/// Bytes of a tile's codes; the fixed zero; bytes of a tile.
enum { CODE_BYTES = 512 };
MNK_INLINE int zero_of(int format) { return tile_formats[format].zero; }
MNK_INLINE size_t tile_bytes(int format) { return CODE_BYTES + tile_formats[format].scale_bytes; }

/// What activations below `highest` are multiplied by to become words. Of those that reach no further
/// than this all words are zero: 16191 over less could be infinite.
MNK_INLINE float inverse_of(float highest) { return highest > 0x1p-100f ? 16191 / highest : 0; }

/// Words of 16 elements, rounded to the nearest by adding 1.5·2^23, whose last bit is the unit.
MNK_INLINE i32x16 words16(f32x16 x, float inverse) {
    const f32x16 magic = splat16(12582912.0f);
    return (i32x16)fma16(x, splat16(inverse), magic) - (i32x16)magic;
}

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
