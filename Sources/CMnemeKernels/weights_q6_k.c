// Q6_K: 256 weights of six bits in sixteen sub-blocks of 16, 210 bytes.
//
//     0   the lower four bits: 64 bytes hold 128 weights, see below
//   128   the upper two bits: 32 bytes hold 128 weights
//   192   sixteen signed scales
//   208   d (f16)
//   w = d·scale·(q − 32)
//
// Of 128 weights, those of the first and second quarter are in the low halves of the 64 bytes, those
// of the third and fourth in the high halves; the upper bits of quarter j are bits 2j and 2j+1.
#include "weights.h"

static void q6_k_floats(const uint8_t *p, size_t blocks, float *y) {
    for (; blocks > 0; blocks--, p += 210) {
        const uint8_t *low = p, *high = p + 128;
        const int8_t *scales = (const int8_t *)p + 192;
        float d = half_at(p + 208);
        for (int n = 0; n < 2; n++, low += 64, high += 32, scales += 8, y += 128)
            for (int i = 0; i < 128; i++) {
                int l = i % 32, quarter = i / 32, nibble = quarter < 2 ? low[l + quarter * 32] & 15 : low[l + (quarter - 2) * 32] >> 4;
                int q = (nibble | (high[l] >> (quarter * 2) & 3) << 4) - 32;
                y[i] = d * (float)scales[i / 16] * (float)q;
            }
    }
}
const weight_type mnk_weights_q6_k = {14, 256, 210, MNK_Q8, NULL, q6_k_floats, NULL};
