// Q2_K: 256 weights of two bits in sixteen sub-blocks of 16.
//
//   16 bytes with a scale (low bits) and a minimum (high bits) each, 64 bytes of codes, d, dmin (f16). 32 bytes of codes hold
//   four sub-block pairs, two bits each; w = d·scale·q − dmin·minimum
#include "weights.h"

static void q2_k_floats(const uint8_t *p, size_t blocks, float *y) {
    for (; blocks > 0; blocks--, p += 84) {
        const uint8_t *scales = p, *q = p + 16;
        float d = half_at(p + 80), minimum = half_at(p + 82);
        for (int n = 0; n < 256; n += 128, q += 32)
            for (int j = 0; j < 8; j++, scales++)
                for (int i = 0; i < 16; i++)
                    *y++ = d * (float)(*scales & 15) * (float)(q[j % 2 * 16 + i] >> (j / 2 * 2) & 3) - minimum * (float)(*scales >> 4);
    }
}
const weight_type mnk_weights_q2_k = {10, 256, 84, MNK_Q8, NULL, q2_k_floats, NULL};
