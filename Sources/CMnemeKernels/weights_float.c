// F32, F16 and BF16: a weight is a block. Halves are packed as 12-bit codes, floats are not packed.
#include "weights.h"

static void f32_floats(const uint8_t *p, size_t blocks, float *y) { memcpy(y, p, blocks * 4); }
static void f32_quantize(const float *x, size_t blocks, uint8_t *p) { memcpy(p, x, blocks * 4); }
const weight_type mnk_weights_f32 = {0, 1, 4, -1, NULL, f32_floats, f32_quantize};

static void f16_floats(const uint8_t *p, size_t blocks, float *y) {
    for (size_t i = 0; i < blocks; i++) y[i] = half_at(p + 2 * i);
}
static void f16_quantize(const float *x, size_t blocks, uint8_t *p) {
    for (size_t i = 0; i < blocks; i++) {
        uint16_t h = half_of(x[i]);
        memcpy(p + 2 * i, &h, 2);
    }
}
const weight_type mnk_weights_f16 = {1, 1, 2, MNK_G12, NULL, f16_floats, f16_quantize};

/// The upper half of a float (bfloat16).
static void bf16_floats(const uint8_t *p, size_t blocks, float *y) {
    for (size_t i = 0; i < blocks; i++) y[i] = float_of_bf16(u16_at(p + 2 * i));
}
const weight_type mnk_weights_bf16 = {30, 1, 2, MNK_G12, NULL, bf16_floats, NULL};
