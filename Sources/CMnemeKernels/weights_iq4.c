// IQ4_NL: 32 weights of four bits, 18 bytes.
//
//   0   d (f16)
//   2   indices into a table of levels that are not equally far apart, see nibbles_at
//   w = d·level
#include "weights.h"

/// Of IQ4_NL's definition: denser around zero, as weights are.
static const int8_t levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

static void iq4_nl_affine(const uint8_t *p, int part, affine *a) {
    (void)part;
    nibbles_at(p + 2, a->q);
    for (int i = 0; i < 32; i++) a->q[i] = (uint8_t)(levels[a->q[i]] + 128);
    a->d = half_at(p);
    a->m = -128 * a->d;
}
const weight_type mnk_weights_iq4_nl = {20, 32, 18, MNK_Z8, iq4_nl_affine, NULL, NULL};
