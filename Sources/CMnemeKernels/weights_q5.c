// Q5_0 and Q5_1: 32 weights of five bits, the fifth of each apart.
//
//   Q5_0, 22 bytes                       Q5_1, 24 bytes
//   0   d (f16)                          0   d (f16)
//   2   fifth bits: bit i for weight i   2   m (f16)
//   6   low bits, see nibbles_at         4   fifth bits
//                                        8   low bits
//   w = d·(q − 16)                       w = d·q + m
#include "weights.h"

/// The codes whose fifth bits are at `p` and the others behind, each raised by `shift`.
static void codes_at(const uint8_t *p, int shift, uint8_t q[32]) {
    uint32_t high = u32_at(p);
    nibbles_at(p + 4, q);
    for (int i = 0; i < 32; i++) q[i] = (uint8_t)((q[i] | (high >> i & 1) << 4) + (uint32_t)shift);
}

static void q5_0_affine(const uint8_t *p, int part, affine *a) {
    (void)part;
    codes_at(p + 2, 128 - 16, a->q);  // from MNK_Z8's zero
    a->d = half_at(p);
    a->m = -128 * a->d;
}
const weight_type mnk_weights_q5_0 = {6, 32, 22, MNK_Z8, q5_0_affine, NULL, NULL};

static void q5_1_affine(const uint8_t *p, int part, affine *a) {
    (void)part;
    codes_at(p + 4, 0, a->q);
    a->d = half_at(p);
    a->m = half_at(p + 2);
}
const weight_type mnk_weights_q5_1 = {7, 32, 24, MNK_Q8, q5_1_affine, NULL, NULL};
