// Q2_K: 256 weights of two bits in sixteen sub-blocks of 16, 84 bytes.
//
//     0   a scale (low four bits) and a minimum (high four) for each sub-block
//    16   codes: 32 bytes hold four runs of 32 weights, two bits each
//    80   d, dmin (f16)
//   w = d·scale·q − dmin·minimum
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
