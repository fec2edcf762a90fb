// Packs rows of GGUF blocks as MNK_G4, MNK_Z4 and MNK_G12, see groups.h, and reads rows back.
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

// MARK: Four bits

void mnk_pack_g4(int type, const void *source, size_t k, size_t row_begin, size_t row_end, void *packed) {
    const weight_type *w = mnk_weight_type(type);
    size_t steps = (k + 63) / 64, tile = group_tile(w->tiles), panel = group_panel(w->tiles, k);
    for (size_t row = row_begin; row < row_end; row++) {
        const uint8_t *blocks = (const uint8_t *)source + row * (k / w->weights) * w->bytes;
        uint8_t *tiles = (uint8_t *)packed + row / 16 * panel;
        size_t n = row % 16;
        float highest = 0;
        for (size_t b = 0; b < k / 32; b++) {
            affine a;
            affine_of(w, blocks, b, &a);
            highest = fmaxf(highest, fmaxf(fabsf(a.m), fabsf(15 * a.d + a.m)));
        }
        float unit = highest > 0x1p-100f && highest <= 0x1p127f ? highest / reach : 0;
        memcpy(tiles + steps * tile + n * 4, &unit, 4);
        for (size_t b = 0; b < steps * 2; b++) {
            uint8_t *t = tiles + b / 2 * tile;
            affine a = {.d = 0};
            if (b < k / 32) affine_of(w, blocks, b, &a);
            for (size_t i = 0; i < 32; i++) {
                uint8_t *c = t + b % 2 * 256 + i / 8 * 64 + n * 4 + i % 4;
                *c = i / 4 % 2 ? (uint8_t)((*c & 15) | a.q[i] << 4) : (uint8_t)((*c & 0xf0) | a.q[i]);
            }
            int16_t s = unit > 0 ? (int16_t)lrintf(a.d / unit) : 0, offset = unit > 0 ? (int16_t)lrintf((a.m + 8 * a.d) / unit) : 0;
            memcpy(t + GROUP_SCALES + b % 2 * 32 + n * 2, &s, 2);
            if (w->tiles == MNK_G4) memcpy(t + GROUP_OFFSETS + n * 4 + b % 2 * 2, &offset, 2);
        }
    }
}

void mnk_g4_row(int format, const void *packed, size_t k, size_t row, float *y) {
    size_t steps = (k + 63) / 64, tile = group_tile(format), n = row % 16;
    const uint8_t *tiles = (const uint8_t *)packed + row / 16 * group_panel(format, k);
    float unit;
    memcpy(&unit, tiles + steps * tile + n * 4, 4);
    for (size_t b = 0; b < k / 32; b++) {
        const uint8_t *t = tiles + b / 2 * tile;
        int16_t s, offset = 0;
        memcpy(&s, t + GROUP_SCALES + b % 2 * 32 + n * 2, 2);
        if (format == MNK_G4) memcpy(&offset, t + GROUP_OFFSETS + n * 4 + b % 2 * 2, 2);
        for (size_t i = 0; i < 32; i++) {
            int code = t[b % 2 * 256 + i / 8 * 64 + n * 4 + i % 4] >> (i / 4 % 2 * 4) & 15;
            y[b * 32 + i] = unit * (float)(s * (code - 8) + offset);
        }
    }
}

// MARK: Twelve bits

/// Twelve bits, signed, below the highest of a group: codes of −2047…2047 in D. What is no number
/// becomes zero.
static float fit_g12(const float *y, size_t count, int16_t *q) {
    float highest = 0;
    for (size_t i = 0; i < count; i++) highest = fabsf(y[i]) > highest ? fabsf(y[i]) : highest;
    // Products with what is higher could be infinite.
    highest = fminf(highest, 0x1p120f);
    // Of weights that reach no further all codes are zero: the inverse could be infinite.
    float d = highest > 0x1p-100f ? highest / 2047 : 0, inverse = d > 0 ? 2047 / highest : 0;
    for (size_t i = 0; i < count; i++) {
        float code = y[i] * inverse;
        q[i] = (int16_t)(code >= 2047 ? 2047 : code <= -2047 ? -2047 : code == code ? lrintf(code) : 0);
    }
    return d;
}

/// Of eight codes along k, the last two are spread over the free bits of the other six.
void mnk_pack_g12(int type, const void *source, size_t k, size_t row_begin, size_t row_end, void *packed) {
    group_shape shape = group_shape_of(k);
    for (size_t row = row_begin; row < row_end; row++) {
        uint8_t *tiles = (uint8_t *)packed + row / 16 * group_panel(MNK_G12, k), *scales = tiles + shape.steps * 2 * G12_TILE;
        for (size_t group = 0; group < shape.groups; group++) {
            float y[256];
            int16_t q[256] = {0};
            size_t begin = group * shape.per_group * 64, end = begin + shape.per_group * 64 < k ? begin + shape.per_group * 64 : k;
            mnk_dequantize(type, (const uint8_t *)source + (row * k + begin) * 2, end - begin, y);  // two bytes a weight
            float d = fit_g12(y, end - begin, q);
            memcpy(scales + (group * 16 + row % 16) * 4, &d, 4);
            // Eight codes along k a round: three words with two codes each, in their upper twelve
            // bits, and the last two codes in the three words' lower four.
            for (size_t j = 0; begin + j * 8 < (end + 63) / 64 * 64; j++)
                for (size_t v = 0; v < 3; v++)
                    for (size_t i = 0; i < 2; i++) {
                        uint16_t word = (uint16_t)((uint16_t)q[8 * j + 2 * v + i] << 4 | ((uint16_t)q[8 * j + 6 + i] >> 4 * v & 15));
                        memcpy(tiles + (begin / 8 * 3 + 3 * j + v) * 64 + row % 16 * 4 + i * 2, &word, 2);
                    }
        }
    }
}

void mnk_g12_row(const void *packed, size_t k, size_t row, float *y) {
    group_shape shape = group_shape_of(k);
    const uint8_t *tiles = (const uint8_t *)packed + row / 16 * group_panel(MNK_G12, k), *scales = tiles + shape.steps * 2 * G12_TILE;
    for (size_t i = 0; i < k; i++) {
        float d;
        memcpy(&d, scales + (i / 64 / shape.per_group * 16 + row % 16) * 4, 4);
        y[i] = d * (float)g12_code(tiles + i / 32 * G12_TILE, row % 16, i % 32);
    }
}
