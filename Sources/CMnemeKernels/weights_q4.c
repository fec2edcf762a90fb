// Q4_0 and Q4_1: 32 weights of four bits.
//
//   Q4_0, 18 bytes              Q4_1, 20 bytes
//   0   d (f16)                 0   d (f16)
//   2   codes, see nibbles_at   2   m (f16)
//                               4   codes
//   w = d·(q − 8)               w = d·q + m
#include "weights.h"

static void q4_0_affine(const uint8_t *p, int part, affine *a) {
    (void)part;
    nibbles_at(p + 2, a->q);
    a->d = half_at(p);
    a->m = -8 * a->d;
}
const weight_type mnk_weights_q4_0 = {2, 32, 18, MNK_Z4, q4_0_affine, NULL, NULL};

static void q4_1_affine(const uint8_t *p, int part, affine *a) {
    (void)part;
    nibbles_at(p + 4, a->q);
    a->d = half_at(p);
    a->m = half_at(p + 2);
}
const weight_type mnk_weights_q4_1 = {3, 32, 20, MNK_G4, q4_1_affine, NULL, NULL};
