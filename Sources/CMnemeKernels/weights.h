// Types of weights in GGUF files, by ggml's numbers: what a type's file (`weights_*.c`) offers, and
// the table of all in weights.c.
//
// A row of a matrix is a run of blocks, each a little-endian structure of 32 or 256 weights (1 for
// floats). The layouts are those of ggml
// (https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h). To add a type: its file, and a
// line of the table.
#ifndef MNK_WEIGHTS_H
#define MNK_WEIGHTS_H
#include "half.h"

/// 32 weights as integers with an affine scale: w = d·q + m.
typedef struct { uint8_t q[32]; float d, m; } affine;

/// One type of weights.
typedef struct {
    int number;               // ggml's, or above 1000 one of Mneme's own
    uint16_t weights, bytes;  // of a block
    int tiles;                // the format in which matrices of it are packed, MNK_G4 and so on; -1: not packed
    // Sub-block `part` (of 32 weights) of a block. NULL where scales do not span 32 weights: such
    // blocks become floats and are fitted anew. Where the format's zero is fixed (MNK_Z8),
    // q counts from that zero.
    void (*affine)(const uint8_t *block, int part, affine *a);
    void (*floats)(const uint8_t *p, size_t blocks, float *y);    // all weights of a run of blocks; NULL where `affine` says them
    void (*quantize)(const float *x, size_t blocks, uint8_t *p);  // a run of blocks; NULL for types that are only read
} weight_type;

extern const weight_type mnk_weights_f32, mnk_weights_f16, mnk_weights_bf16;
extern const weight_type mnk_weights_q4_0, mnk_weights_q4_1, mnk_weights_q5_0, mnk_weights_q5_1, mnk_weights_q8_0, mnk_weights_iq4_nl;
extern const weight_type mnk_weights_q2_k, mnk_weights_q3_k, mnk_weights_q4_k, mnk_weights_q5_k, mnk_weights_q6_k;
extern const weight_type mnk_weights_q2_64;

/// The type of a number; NULL for those that are not read.
const weight_type *mnk_weight_type(int number);

/// Little-endian numbers at any address.
MNK_INLINE uint16_t u16_at(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
MNK_INLINE uint32_t u32_at(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }
MNK_INLINE float half_at(const uint8_t *p) { return float_of_half(u16_at(p)); }

/// The 32 codes of four bits at `p`: the low halves of 16 bytes, then the high ones.
MNK_INLINE void nibbles_at(const uint8_t *p, uint8_t q[32]) {
    for (int i = 0; i < 16; i++) {
        q[i] = p[i] & 15;
        q[i + 16] = p[i] >> 4;
    }
}

/// Scale and minimum `j` of the eight that Q4_K and Q5_K keep in 12 bytes, six bits each: those of
/// the first four in bytes 0-3 and 4-7, those of the others in bytes 8-11 (four bits each) and the
/// upper two bits of bytes 0-7.
MNK_INLINE void scale_of_k4(const uint8_t *s, int j, int *scale, int *minimum) {
    if (j < 4) {
        *scale = s[j] & 63;
        *minimum = s[j + 4] & 63;
    } else {
        *scale = (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
        *minimum = (s[j + 4] >> 4) | (s[j] >> 6) << 4;
    }
}
#endif
