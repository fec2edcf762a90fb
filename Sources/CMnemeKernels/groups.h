// What the products with weights of 4 bits share (MNK_G4): integers on both sides, over groups of
// k so long that floats hardly count.
//
// A weight is D·(s·(code − 8) + t), an activation scale·(128·high + low), all but D and scale
// integers. So a group's sums of high and of low bytes are exact in 32 bits, in whatever order and
// by whatever instructions; two multiply-adds of floats a group follow. See mnk_tiles.
#ifndef MNK_GROUPS_H
#define MNK_GROUPS_H
#include "tiles.h"

/// Of a tile, 16 columns by 64 of k: where its s of each half and its pairs of t begin, and its
/// bytes.
enum { GROUP_SCALES = 512, GROUP_OFFSETS = 576, GROUP_TILE = 640 };
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

/// Bytes of a column group: its tiles, and D of its columns.
MNK_INLINE size_t group_panel(size_t steps) { return steps * GROUP_TILE + 64; }
/// The tiles of the column group at `column`.
MNK_INLINE const uint8_t *group_tiles(const mnk_tiles *g, size_t steps, size_t column) { return (const uint8_t *)g->b + column / 16 * group_panel(steps); }

/// A row's bytes of a step: 64 high ones, then 64 low ones.
MNK_INLINE const int8_t *group_bytes(const mnk_tiles *g, size_t steps, size_t row, size_t step) { return (const int8_t *)g->a + (row * steps + step) * 128; }
/// A row's integers of a step.
MNK_INLINE const int32_t *group_totals(const mnk_tiles *g, size_t steps, size_t row, size_t step) { return g->a_total + (row * steps + step) * GROUP_TOTALS; }
/// What a group's sums of high bytes and of low ones are multiplied by: 128·scale and scale.
MNK_INLINE const float *group_scales(const mnk_tiles *g, size_t groups, size_t row, size_t group) { return g->a_scale + (row * groups + group) * 2; }

/// Scales a row's sums over all of k by the columns' D, adds what is to be added, and stores.
MNK_INLINE void finish_group(const mnk_tiles *g, size_t steps, size_t row, size_t column, const void *total) {
    f32x16 v, d;
    memcpy(&v, total, sizeof v);
    memcpy(&d, group_tiles(g, steps, column) + steps * GROUP_TILE, sizeof d);
    v *= d;
    finish_tile(g, row, column, &v);
}

/// The product with MNK_G4.
void mnk_gemm_groups(uint32_t features, const mnk_tiles *g);
/// Packs rows of a type with an affine scale for each 32 weights of 4 bits.
void mnk_pack_groups(int type, const void *source, size_t k, size_t row_begin, size_t row_end, void *packed);
/// One row of W from tiles of MNK_G4.
void mnk_group_row(const void *packed, size_t k, size_t row, float *y);
#endif
