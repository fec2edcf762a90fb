// Q3_K: 256 weights of three bits in sixteen sub-blocks of 16.
//
//   32 bytes of third bits (bit j of byte i: of weight i of run j of 32), 64 bytes of the lower two, 12 bytes of scales of six
//   bits, d (f16); w = d·(scale − 32)·(q − 4)
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
