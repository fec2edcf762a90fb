// Q8_0: 32 weights of eight bits, 34 bytes.
//
//   0   d (f16)
//   2   32 signed codes
//   w = d·q
#include "weights.h"
#include <math.h>

static void q8_0_affine(const uint8_t *p, int part, affine *a) {
    (void)part;
    a->d = half_at(p);
    a->m = -128 * a->d;
    for (int i = 0; i < 32; i++) a->q[i] = (uint8_t)((int8_t)p[2 + i] + 128);
}

/// d = highest/127, codes rounded to the nearest, as llama.cpp does it. What is no number becomes
/// zero.
static void q8_0_quantize(const float *x, size_t blocks, uint8_t *p) {
    for (; blocks > 0; blocks--, x += 32, p += 34) {
        float highest = 0;
        for (int i = 0; i < 32; i++) highest = fmaxf(highest, fabsf(x[i]));
        float d = highest / 127, inverse = d > 0x1p-100f ? 1 / d : 0;  // less could be infinite
        uint16_t h = half_of(d);
        memcpy(p, &h, 2);
        for (int i = 0; i < 32; i++) {
            float code = x[i] * inverse;
            // The conversion of a NaN to an integer is undefined.
            p[2 + i] = (uint8_t)(int8_t)(code == code ? roundf(code) : 0);
        }
    }
}
const weight_type mnk_weights_q8_0 = {8, 32, 34, MNK_Z8, q8_0_affine, NULL, q8_0_quantize};
