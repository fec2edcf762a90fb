// What the products over groups of k share (MNK_G4, MNK_Z4, MNK_G12): integers on both sides, over
// groups so long that floats hardly count.
//
// A weight is D·word, an activation scale·(128·high + low), all but D and scale integers. So a
// group's sum of word·activation is exact, in whatever order and by whatever instructions it is
// found. Its lowest seven bits are dropped (toward minus infinity), so that it fits in 32, and one
// multiply-add of floats a group follows. See mnk_tiles.
#ifndef MNK_GROUPS_H
#define MNK_GROUPS_H
#include "tiles.h"

/// Of a tile of MNK_G4, 16 columns by 64 of k: where its s of each half and its pairs of t begin.
enum { GROUP_SCALES = 512, GROUP_OFFSETS = 576 };
/// Its bytes; MNK_Z4 has no t.
MNK_INLINE size_t group_tile(int format) { return format == MNK_Z4 ? 576 : 640; }
/// Of MNK_G12, 16 columns by 32 of k: a tile's bytes.
enum { G12_TILE = 768 };
/// Integers of a row and 64 of k beside its bytes, see mnk_quantize_groups.
enum { GROUP_TOTALS = 6 };

/// A depth in steps of 64 of k, and steps in a group; the last group may have fewer.
typedef struct { size_t steps, per_group, groups; } group_shape;

/// As few groups as hold at most 256 of k each, and as even as they can be.
MNK_INLINE group_shape group_shape_of(size_t k) {
    group_shape s = {.steps = (k + 63) / 64};
    s.groups = (s.steps + 3) / 4;
    s.per_group = (s.steps + s.groups - 1) / s.groups;
    s.groups = (s.steps + s.per_group - 1) / s.per_group;
    return s;
}

/// Bytes of a column group: its tiles, and D of its columns, for MNK_G12 of each group.
MNK_INLINE size_t group_panel(int format, size_t k) {
    group_shape s = group_shape_of(k);
    if (format == MNK_G12) return s.steps * 2 * G12_TILE + s.groups * 64;
    return s.steps * group_tile(format) + 64;
}
/// The tiles of the column group at `column`.
MNK_INLINE const uint8_t *group_tiles(const mnk_tiles *g, size_t column) { return (const uint8_t *)g->b + column / 16 * group_panel(g->format, g->k); }

/// A row's bytes of a step: 64 high ones, then 64 low ones.
MNK_INLINE const int8_t *group_bytes(const mnk_tiles *g, size_t steps, size_t row, size_t step) { return (const int8_t *)g->a + (row * steps + step) * 128; }
/// A row's words of a step.
MNK_INLINE const int16_t *group_words(const mnk_tiles *g, size_t steps, size_t row, size_t step) { return g->a_words + (row * steps + step) * 64; }
/// A row's integers of a step.
MNK_INLINE const int32_t *group_totals(const mnk_tiles *g, size_t steps, size_t row, size_t step) { return g->a_total + (row * steps + step) * GROUP_TOTALS; }
/// What the sum of a row's group is multiplied by, but for D.
MNK_INLINE float group_scale(const mnk_tiles *g, size_t groups, size_t row, size_t group) { return g->a_scale[row * groups + group]; }

/// What is left of a group's sums by high bytes and by low ones, of sixteen columns: a 128th of both,
/// rounded down.
MNK_INLINE i32x16 whole_sums(i32x16 high, i32x16 low) { return high + (low >> 7); }

/// Adds a group's sums to what the groups before gave.
MNK_INLINE f32x16 add_whole(i32x16 sums, f32x16 scale, f32x16 total) { return fma16(__builtin_convertvector(sums, f32x16), scale, total); }

/// Scales a row's sums over all of k by the columns' D, adds what is to be added, and stores. For
/// MNK_G4 and MNK_Z4.
MNK_INLINE void finish_group(const mnk_tiles *g, size_t row, size_t column, const void *total) {
    f32x16 v, d;
    memcpy(&v, total, sizeof v);
    memcpy(&d, group_tiles(g, column) + group_panel(g->format, g->k) - 64, sizeof d);
    v *= d;
    finish_tile(g, row, column, &v);
}

/// Of MNK_G12: D of sixteen columns for a group.
MNK_INLINE const float *g12_scales(const mnk_tiles *g, group_shape shape, size_t column, size_t group) {
    return (const float *)(const void *)(group_tiles(g, column) + shape.steps * 2 * G12_TILE) + group * 16;
}
/// The code of column `n` at `k` of the MNK_G12 tile at `t`.
MNK_INLINE int g12_code(const uint8_t *t, size_t n, size_t k) {
    int16_t words[3];
    for (size_t v = 0; v < 3; v++) memcpy(words + v, t + (k / 8 * 3 + v) * 64 + n * 4 + k % 2 * 2, 2);
    if (k % 8 < 6) return words[k % 8 / 2] >> 4;
    return (int16_t)((words[2] & 15) << 12 | (words[1] & 15) << 8 | (words[0] & 15) << 4) >> 4;
}
/// A step's sums, which fit in 32 bits (64 · 2047 · 16191), in two parts that a group's add up in.
MNK_INLINE void add_step(i32x16 step, i32x16 *high, i32x16 *low) {
    *high += step >> 7;
    *low += step & 127;
}

/// The products of each format, and their packing.
void mnk_gemm_g4(uint32_t features, const mnk_tiles *g);
void mnk_gemm_g12(uint32_t features, const mnk_tiles *g);
void mnk_pack_g4(int type, const void *source, size_t k, size_t row_begin, size_t row_end, void *packed);
void mnk_pack_g12(int type, const void *source, size_t k, size_t row_begin, size_t row_end, void *packed);
/// One row of W from tiles.
void mnk_g4_row(int format, const void *packed, size_t k, size_t row, float *y);
void mnk_g12_row(const void *packed, size_t k, size_t row, float *y);
#endif
