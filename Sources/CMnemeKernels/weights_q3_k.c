// Q3_K: 256 weights of three bits in sixteen sub-blocks of 16, 110 bytes.
//
//     0   third bits: bit j of byte i is that of weight i of run j of 32
//    32   lower bits: 32 bytes hold four runs of 32 weights, two bits each
//    96   scales of six bits: four low bits in bytes 0-7, two high ones in bytes 8-11
//   108   d (f16)
//   w = d·(scale − 32)·(q − 4)
#include "weights.h"

static void q3_k_floats(const uint8_t *p, size_t blocks, float *y) {
    for (; blocks > 0; blocks--, p += 110) {
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
}
const weight_type mnk_weights_q3_k = {11, 256, 110, MNK_Q8, NULL, q3_k_floats, NULL};
