// The block formats of GGUF files, as ggml defines them: little-endian structures of 32 or 256 weights.
#include "tiles.h"
#include <math.h>

enum {
    F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8, Q2_K = 10, Q3_K = 11, Q4_K = 12, Q5_K = 13, Q6_K = 14,
    IQ4_NL = 20, BF16 = 30
};

int mnk_block_shape(int type, size_t *weights, size_t *bytes) {
    switch (type) {
#define SHAPE(t, w, b) case t: *weights = w; *bytes = b; return 1;
        SHAPE(F32, 1, 4) SHAPE(F16, 1, 2) SHAPE(BF16, 1, 2) SHAPE(Q4_0, 32, 18) SHAPE(Q4_1, 32, 20) SHAPE(Q5_0, 32, 22)
        SHAPE(Q5_1, 32, 24) SHAPE(Q8_0, 32, 34) SHAPE(IQ4_NL, 32, 18) SHAPE(Q2_K, 256, 84) SHAPE(Q3_K, 256, 110)
        SHAPE(Q4_K, 256, 144) SHAPE(Q5_K, 256, 176) SHAPE(Q6_K, 256, 210)
#undef SHAPE
        default: return 0;
    }
}

static uint16_t u16_at(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static float half_at(const uint8_t *p) { return float_of_half(u16_at(p)); }
static uint32_t u32_at(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

static const int8_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/// Scale and minimum j of the eight that Q4_K and Q5_K keep in 12 bytes, six bits each.
static void scale_of_k4(const uint8_t *s, int j, int *scale, int *minimum) {
    if (j < 4) {
        *scale = s[j] & 63;
        *minimum = s[j + 4] & 63;
    } else {
        *scale = (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
        *minimum = (s[j + 4] >> 4) | (s[j] >> 6) << 4;
    }
}

/// Integers and affine scales of 32 weights where the format has them: w = d·q + m.
typedef struct { uint8_t q[32]; float d, m; } affine;

/// Sub-block `part` (of 32 weights) of the block at `p`; 0 if the format is not affine in blocks of 32.
static int affine_of(int type, const uint8_t *p, int part, affine *a) {
    switch (type) {
    case Q4_0:
    case IQ4_NL:
    case Q4_1: {
        const uint8_t *q = p + (type == Q4_1 ? 4 : 2);
        a->d = half_at(p);
        a->m = type == Q4_1 ? half_at(p + 2) : type == Q4_0 ? -8 * a->d : -128 * a->d;
        for (int i = 0; i < 16; i++) {
            a->q[i] = q[i] & 15;
            a->q[i + 16] = q[i] >> 4;
        }
        if (type == IQ4_NL)
            for (int i = 0; i < 32; i++) a->q[i] = (uint8_t)(iq4_values[a->q[i]] + 128);
        return 1;
    }
    case Q5_0:
    case Q5_1: {
        const uint8_t *h = p + (type == Q5_1 ? 4 : 2), *q = h + 4;
        uint32_t high = u32_at(h);
        a->d = half_at(p);
        a->m = type == Q5_1 ? half_at(p + 2) : -16 * a->d;
        for (int i = 0; i < 16; i++) {
            a->q[i] = (uint8_t)((q[i] & 15) | (high >> i & 1) << 4);
            a->q[i + 16] = (uint8_t)(q[i] >> 4 | (high >> (i + 16) & 1) << 4);
        }
        return 1;
    }
    case Q8_0:
        a->d = half_at(p);
        a->m = -128 * a->d;
        for (int i = 0; i < 32; i++) a->q[i] = (uint8_t)((int8_t)p[2 + i] + 128);
        return 1;
    case Q4_K:
    case Q5_K: {
        int scale, minimum;
        scale_of_k4(p + 4, part, &scale, &minimum);
        a->d = half_at(p) * (float)scale;
        a->m = -half_at(p + 2) * (float)minimum;
        const uint8_t *q = p + (type == Q5_K ? 48 : 16) + part / 2 * 32;
        for (int i = 0; i < 32; i++) {
            a->q[i] = part & 1 ? q[i] >> 4 : q[i] & 15;
            if (type == Q5_K) a->q[i] |= (uint8_t)((p[16 + i] >> part & 1) << 4);
        }
        return 1;
    }
    default: return 0;
    }
}

static void q2_k(const uint8_t *p, float *y) {
    const uint8_t *scales = p, *q = p + 16;
    float d = half_at(p + 80), minimum = half_at(p + 82);
    for (int n = 0; n < 256; n += 128, q += 32)
        for (int j = 0; j < 8; j++, scales++)
            for (int i = 0; i < 16; i++)
                *y++ = d * (float)(*scales & 15) * (float)(q[j % 2 * 16 + i] >> (j / 2 * 2) & 3) - minimum * (float)(*scales >> 4);
}

static void q3_k(const uint8_t *p, float *y) {
    const uint8_t *high = p, *q = p + 32, *s = p + 96;
    float d = half_at(p + 108);
    for (int n = 0, index = 0; n < 2; n++, q += 32)
        for (int j = 0; j < 8; j++, index++) {
            int low = index < 8 ? s[index] & 15 : s[index - 8] >> 4;
            int scale = (low | (s[8 + index % 4] >> (index / 4 * 2) & 3) << 4) - 32;
            for (int i = 0; i < 16; i++) {
                int l = j % 2 * 16 + i, bit = high[l] >> (n * 4 + j / 2) & 1;
                *y++ = d * (float)scale * (float)((q[l] >> (j / 2 * 2) & 3) - (bit ? 0 : 4));
            }
        }
}

static void q6_k(const uint8_t *p, float *y) {
    const uint8_t *low = p, *high = p + 128;
    const int8_t *scales = (const int8_t *)p + 192;
    float d = half_at(p + 208);
    for (int n = 0; n < 2; n++, low += 64, high += 32, scales += 8, y += 128)
        for (int i = 0; i < 128; i++) {
            int l = i % 32, quarter = i / 32, nibble = quarter < 2 ? low[l + quarter * 32] & 15 : low[l + (quarter - 2) * 32] >> 4;
            int q = (nibble | (high[l] >> (quarter * 2) & 3) << 4) - 32;
            y[i] = d * (float)scales[i / 16] * (float)q;
        }
}

/// The weights of one block.
static void block_floats(int type, const uint8_t *p, size_t weights, float *y) {
    affine a;
    switch (type) {
    case F32: memcpy(y, p, 4); return;
    case F16: *y = half_at(p); return;
    case BF16: *y = float_of_bf16(u16_at(p)); return;
    case Q2_K: q2_k(p, y); return;
    case Q3_K: q3_k(p, y); return;
    case Q6_K: q6_k(p, y); return;
    default:
        for (size_t part = 0; part < weights / 32; part++) {
            affine_of(type, p, (int)part, &a);
            for (int i = 0; i < 32; i++) *y++ = a.d * (float)a.q[i] + a.m;
        }
    }
}

void mnk_dequantize(int type, const void *source, size_t count, float *y) {
    size_t weights, bytes;
    if (!mnk_block_shape(type, &weights, &bytes)) return;
    const uint8_t *p = source;
    for (size_t i = 0; i < count; i += weights, p += bytes, y += weights) block_floats(type, p, weights, y);
}

void mnk_quantize(int type, const float *x, size_t count, void *target) {
    uint8_t *p = target;
    if (type == F32) memcpy(p, x, count * 4);
    if (type == F16)
        for (size_t i = 0; i < count; i++, p += 2) {
            uint16_t h = half_of(x[i]);
            memcpy(p, &h, 2);
        }
    if (type == Q8_0)
        for (size_t b = 0; b < count / 32; b++, x += 32, p += 34) {
            float highest = 0;
            for (int i = 0; i < 32; i++) highest = fmaxf(highest, fabsf(x[i]));
            float d = highest / 127, inverse = d > 0x1p-100f ? 1 / d : 0;  // less could be infinite
            uint16_t h = half_of(d);
            memcpy(p, &h, 2);
            for (int i = 0; i < 32; i++) {
                float code = x[i] * inverse;
                // What is no number becomes zero: its conversion to an integer is undefined.
                p[2 + i] = (uint8_t)(int8_t)(code == code ? roundf(code) : 0);
            }
        }
}

int mnk_tile_format(int type) {
    switch (type) {
    case Q4_0: return MNK_Z4;
    case Q5_0: case Q8_0: case IQ4_NL: return MNK_Z8;
    case Q4_1: case Q4_K: return MNK_Q4;
    case Q5_1: case Q5_K: case Q2_K: case Q3_K: case Q6_K: return MNK_Q8;
    case F16: case BF16: return MNK_Q12;
    default: return -1;
    }
}

/// Eight bits between the least and the greatest of 32 weights.
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

/// Twelve bits, signed, below the least half that is not lower than all 32.
static void q12_fit(const float *y, int16_t *q, uint16_t *d) {
    float highest = 0;
    for (int i = 0; i < 32; i++) highest = fabsf(y[i]) > highest ? fabsf(y[i]) : highest;
    *d = half_of(highest);
    if (float_of_half(*d) < highest && *d < 0x7bff) *d += 1;
    float inverse = *d ? 2047 / float_of_half(*d) : 0;
    for (int i = 0; i < 32; i++) {
        float code = y[i] * inverse;
        // What is no number becomes zero.
        q[i] = (int16_t)(code >= 2047 ? 2047 : code <= -2047 ? -2047 : code == code ? lrintf(code) : 0);
    }
}

static void pack_q12(int type, const void *source, size_t k, size_t row_begin, size_t row_end, uint8_t *packed) {
    size_t blocks = k / 32, codes = code_bytes(MNK_Q12), panel = blocks * tile_bytes(MNK_Q12);
    for (size_t row = row_begin; row < row_end; row++) {
        uint8_t *t = packed + row / 16 * panel, *scales = t + blocks * codes;
        for (size_t b = 0; b < blocks; b++) {
            float y[32];
            int16_t q[32];
            uint16_t d;
            mnk_dequantize(type, (const uint8_t *)source + (row * k + b * 32) * 2, 32, y);
            q12_fit(y, q, &d);
            memcpy(scales + (b * 16 + row % 16) * 2, &d, 2);
            for (size_t j = 0; j < 4; j++)
                for (size_t v = 0; v < 3; v++)
                    for (size_t i = 0; i < 2; i++) {
                        uint16_t word = (uint16_t)((uint16_t)q[8 * j + 2 * v + i] << 4 | ((uint16_t)q[8 * j + 6 + i] >> 4 * v & 15));
                        memcpy(t + b * codes + (3 * j + v) * 64 + row % 16 * 4 + i * 2, &word, 2);
                    }
        }
    }
}

void mnk_pack_tiles(int type, const void *source, size_t k, size_t row_begin, size_t row_end, void *packed) {
    size_t weights, bytes;
    int format = mnk_tile_format(type);
    if (format == MNK_Q12) pack_q12(type, source, k, row_begin, row_end, packed);
    if (format < 0 || format == MNK_Q12 || !mnk_block_shape(type, &weights, &bytes)) return;
    size_t tile = tile_bytes(format), codes = code_bytes(format);
    for (size_t row = row_begin; row < row_end; row++) {
        const uint8_t *p = (const uint8_t *)source + row * (k / weights) * bytes;
        size_t n = row % 16;
        for (size_t b = 0; b < k / 32; b++) {
            affine a;
            size_t part = b % (weights / 32);
            if (!affine_of(type, p + b / (weights / 32) * bytes, (int)part, &a)) {
                float y[256];
                block_floats(type, p + b / (weights / 32) * bytes, weights, y);
                affine_fit(y + part * 32, &a);
            }
            uint8_t *t = (uint8_t *)packed + (row / 16 * (k / 32) + b) * tile;
            for (size_t i = 0; i < 32; i++) {
                if (!is_narrow(format)) {
                    // Q5_0's zero is 16.
                    t[i / 4 * 64 + n * 4 + i % 4] = (uint8_t)(a.q[i] + (type == Q5_0 ? 128 - 16 : 0));
                } else {
                    uint8_t *c = t + i / 8 * 64 + n * 4 + i % 4;
                    *c = i / 4 % 2 ? (uint8_t)((*c & 15) | a.q[i] << 4) : (uint8_t)((*c & 0xf0) | a.q[i]);
                }
            }
            uint16_t d = half_of(a.d), m = half_of(a.m);
            memcpy(t + codes + n * 2, &d, 2);
            if (!zero_of(format)) memcpy(t + codes + 32 + n * 2, &m, 2);
        }
    }
}

void mnk_tile_row(int format, const void *packed, size_t k, size_t row, float *y) {
    if (format == MNK_Q12) {
        const uint8_t *t = (const uint8_t *)packed + row / 16 * (k / 32) * tile_bytes(format), *scales = t + k / 32 * code_bytes(format);
        for (size_t i = 0; i < k; i++) {
            float d = half_at(scales + (i / 32 * 16 + row % 16) * 2);
            y[i] = (float)mnk_q12_code(t + i / 32 * code_bytes(format), row % 16, i % 32) * d * (1.0f / 2047);
        }
        return;
    }
    size_t tile = tile_bytes(format), codes = code_bytes(format), n = row % 16;
    for (size_t b = 0; b < k / 32; b++) {
        const uint8_t *t = (const uint8_t *)packed + (row / 16 * (k / 32) + b) * tile;
        float d = half_at(t + codes + n * 2), m = zero_of(format) ? 0 : half_at(t + codes + 32 + n * 2);
        for (size_t i = 0; i < 32; i++) {
            int q;
            if (!is_narrow(format)) q = t[i / 4 * 64 + n * 4 + i % 4];
            else q = t[i / 8 * 64 + n * 4 + i % 4] >> (i / 4 % 2 * 4) & 15;
            *y++ = d * (float)(q - zero_of(format)) + m;
        }
    }
}
