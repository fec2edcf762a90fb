// Q5_K: 256 weights in eight sub-blocks of 32, 176 bytes: Q4_K with a fifth bit.
//
//     0   d, dmin (f16)
//     4   scales and minima of six bits, see scale_of_k4
//    16   fifth bits: bit j of byte i is that of weight i of sub-block j
//    48   low bits: 32 bytes hold those of one sub-block, and in their high halves those of the next
//   w = d·scale·q − dmin·minimum
#include "weights.h"

static void q5_k_affine(const uint8_t *p, int part, affine *a) {
    int scale, minimum;
    scale_of_k4(p + 4, part, &scale, &minimum);
    a->d = half_at(p) * (float)scale;
    a->m = -half_at(p + 2) * (float)minimum;
    const uint8_t *high = p + 16, *q = p + 48 + part / 2 * 32;
    for (int i = 0; i < 32; i++) {
        uint8_t low = part & 1 ? q[i] >> 4 : q[i] & 15;
        a->q[i] = (uint8_t)(low | (high[i] >> part & 1) << 4);
    }
}
const weight_type mnk_weights_q5_k = {13, 256, 176, MNK_Q8, q5_k_affine, NULL, NULL};
