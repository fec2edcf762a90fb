// Packs rows of GGUF blocks as MNK_G4, see groups.h, and reads rows back.
#include "groups.h"
#include "weights.h"
#include <math.h>

/// Words reach 16191 at most, as those of activations do; what the rounding of s and t adds is left
/// off here.
static const float reach = 16186;

/// A scale or minimum of a file; what is no number, or infinite, becomes zero.
static float counted(float x) { return fabsf(x) <= 0x1p127f ? x : 0; }

/// Where sub-block `b` of 32 weights begins in a row's blocks.
static void affine_of(const weight_type *w, const uint8_t *row, size_t b, affine *a) {
    size_t parts = w->weights / 32;
    w->affine(row + b / parts * w->bytes, (int)(b % parts), a);
    a->d = counted(a->d);
    a->m = counted(a->m);
}

void mnk_pack_groups(int type, const void *source, size_t k, size_t row_begin, size_t row_end, void *packed) {
    const weight_type *w = mnk_weight_type(type);
    size_t steps = (k + 63) / 64;
    for (size_t row = row_begin; row < row_end; row++) {
        const uint8_t *blocks = (const uint8_t *)source + row * (k / w->weights) * w->bytes;
        uint8_t *tiles = (uint8_t *)packed + row / 16 * group_panel(steps);
        size_t n = row % 16;
        float highest = 0;
        for (size_t b = 0; b < k / 32; b++) {
            affine a;
            affine_of(w, blocks, b, &a);
            highest = fmaxf(highest, fmaxf(fabsf(a.m), fabsf(15 * a.d + a.m)));
        }
        float unit = highest > 0x1p-100f && highest <= 0x1p127f ? highest / reach : 0;
        memcpy(tiles + steps * GROUP_TILE + n * 4, &unit, 4);
        for (size_t b = 0; b < steps * 2; b++) {
            uint8_t *t = tiles + b / 2 * GROUP_TILE;
            affine a = {.d = 0};
            if (b < k / 32) affine_of(w, blocks, b, &a);
            for (size_t i = 0; i < 32; i++) {
                uint8_t *c = t + b % 2 * 256 + i / 8 * 64 + n * 4 + i % 4;
                *c = i / 4 % 2 ? (uint8_t)((*c & 15) | a.q[i] << 4) : (uint8_t)((*c & 0xf0) | a.q[i]);
            }
            int16_t s = unit > 0 ? (int16_t)lrintf(a.d / unit) : 0, offset = unit > 0 ? (int16_t)lrintf((a.m + 8 * a.d) / unit) : 0;
            memcpy(t + GROUP_SCALES + b % 2 * 32 + n * 2, &s, 2);
            memcpy(t + GROUP_OFFSETS + n * 4 + b % 2 * 2, &offset, 2);
        }
    }
}

void mnk_group_row(const void *packed, size_t k, size_t row, float *y) {
    size_t steps = (k + 63) / 64, n = row % 16;
    const uint8_t *tiles = (const uint8_t *)packed + row / 16 * group_panel(steps);
    float unit;
    memcpy(&unit, tiles + steps * GROUP_TILE + n * 4, 4);
    for (size_t b = 0; b < k / 32; b++) {
        const uint8_t *t = tiles + b / 2 * GROUP_TILE;
        int16_t s, offset;
        memcpy(&s, t + GROUP_SCALES + b % 2 * 32 + n * 2, 2);
        memcpy(&offset, t + GROUP_OFFSETS + n * 4 + b % 2 * 2, 2);
        for (size_t i = 0; i < 32; i++) {
            int code = t[b % 2 * 256 + i / 8 * 64 + n * 4 + i % 4] >> (i / 4 % 2 * 4) & 15;
            y[b * 32 + i] = unit * (float)(s * (code - 8) + offset);
        }
    }
}
