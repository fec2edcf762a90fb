// Q4_K: 256 weights in eight sub-blocks of 32, 144 bytes.
//
//     0   d, dmin (f16)
//     4   scales and minima of six bits, see scale_of_k4
//    16   codes: 32 bytes hold the low bits for one sub-block and the high bits for the next
//   w = d·scale·q − dmin·minimum
#include "weights.h"

static void q4_k_affine(const uint8_t *p, int part, affine *a) {
    int scale, minimum;
    scale_of_k4(p + 4, part, &scale, &minimum);
    a->d = half_at(p) * (float)scale;
    a->m = -half_at(p + 2) * (float)minimum;
    const uint8_t *q = p + 16 + part / 2 * 32;
    for (int i = 0; i < 32; i++) a->q[i] = part & 1 ? q[i] >> 4 : q[i] & 15;
}
const weight_type mnk_weights_q4_k = {12, 256, 144, MNK_G4, q4_k_affine, NULL, NULL};
