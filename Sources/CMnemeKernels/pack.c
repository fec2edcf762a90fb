// Packs rows of GGUF blocks into tiles for the kernels, and reads rows back from tiles. The layout
// of tiles is in the header.
//
// Types with an affine scale for each 32 weights keep their codes. Others (floats, and types whose
// scales span 16 weights) are fitted: 12 bits signed for halves (pack_groups.c), 8 bits between the
// least and the greatest weight for the rest.
#include "groups.h"
#include "tiles.h"
#include "weights.h"
#include <math.h>

/// Eight bits between the least and the greatest of 32 weights. The minimum is rounded to a half
/// first, and the codes count from what is kept. What is no number becomes the least.
static void affine_fit(const float *y, affine *a) {
    float low = y[0] == y[0] ? y[0] : 0, high = low;
    for (int i = 1; i < 32; i++) {
        low = y[i] < low ? y[i] : low;
        high = y[i] > high ? y[i] : high;
    }
    a->m = float_of_half(half_of(low));
    a->d = float_of_half(half_of((high - a->m) / 255));
    float inverse = a->d > 0 ? 1 / a->d : 0;
    for (int i = 0; i < 32; i++) {
        float q = (y[i] - a->m) * inverse + 0.5f;
        // What is no number becomes the least weight.
        a->q[i] = (uint8_t)(q > 255 ? 255 : q > 0 ? q : 0);
    }
}

/// Writes the codes and scales of column `n` of a tile of 8 bits.
static void put_column(uint8_t *t, int format, size_t n, const affine *a) {
    for (size_t i = 0; i < 32; i++) t[i / 4 * 64 + n * 4 + i % 4] = a->q[i];
    uint16_t d = half_of(a->d), m = half_of(a->m);
    memcpy(t + CODE_BYTES + n * 2, &d, 2);
    if (!zero_of(format)) memcpy(t + CODE_BYTES + 32 + n * 2, &m, 2);
}

/// Complexity: one pass over the blocks; threads can share a matrix by groups of 16 rows.
void mnk_pack_tiles(int type, const void *source, size_t k, size_t row_begin, size_t row_end, void *packed) {
    const weight_type *w = mnk_weight_type(type);
    if (!w || w->tiles < 0) return;
    if (w->tiles == MNK_G4 || w->tiles == MNK_Z4) { mnk_pack_g4(type, source, k, row_begin, row_end, packed); return; }
    if (w->tiles == MNK_G12) { mnk_pack_g12(type, source, k, row_begin, row_end, packed); return; }
    size_t parts = w->weights / 32, tile = tile_bytes(w->tiles);
    for (size_t row = row_begin; row < row_end; row++) {
        const uint8_t *blocks = (const uint8_t *)source + row * (k / w->weights) * w->bytes;
        for (size_t b = 0; b < k / 32; b++) {
            const uint8_t *block = blocks + b / parts * w->bytes;
            affine a;
            if (w->affine) {
                w->affine(block, (int)(b % parts), &a);
            } else {
                float y[256];
                w->floats(block, 1, y);
                affine_fit(y + b % parts * 32, &a);
            }
            put_column((uint8_t *)packed + (row / 16 * (k / 32) + b) * tile, w->tiles, row % 16, &a);
        }
    }
}

/// For embeddings, and for tests of packing.
void mnk_tile_row(int format, const void *packed, size_t k, size_t row, float *y) {
    if (format == MNK_G4 || format == MNK_Z4) { mnk_g4_row(format, packed, k, row, y); return; }
    if (format == MNK_G12) { mnk_g12_row(packed, k, row, y); return; }
    size_t tile = tile_bytes(format), n = row % 16;
    for (size_t b = 0; b < k / 32; b++) {
        const uint8_t *t = (const uint8_t *)packed + (row / 16 * (k / 32) + b) * tile;
        float d = half_at(t + CODE_BYTES + n * 2), m = zero_of(format) ? 0 : half_at(t + CODE_BYTES + 32 + n * 2);
        for (size_t i = 0; i < 32; i++) *y++ = d * (float)(t[i / 4 * 64 + n * 4 + i % 4] - zero_of(format)) + m;
    }
}
