// The table of weight types, and what the header offers for all of them.
#include "weights.h"

/// In the order in which they are most likely asked for.
static const weight_type *const types[] = {
    &mnk_weights_f32, &mnk_weights_f16, &mnk_weights_bf16,
    &mnk_weights_q4_0, &mnk_weights_q4_1, &mnk_weights_q5_0, &mnk_weights_q5_1, &mnk_weights_q8_0, &mnk_weights_iq4_nl,
    &mnk_weights_q2_k, &mnk_weights_q3_k, &mnk_weights_q4_k, &mnk_weights_q5_k, &mnk_weights_q6_k, &mnk_weights_q2_64,
};

const weight_type *mnk_weight_type(int number) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i]->number == number) return types[i];
    return NULL;
}

int mnk_block_shape(int type, size_t *weights, size_t *bytes) {
    const weight_type *t = mnk_weight_type(type);
    if (!t) return 0;
    *weights = t->weights;
    *bytes = t->bytes;
    return 1;
}

int mnk_tile_format(int type) {
    const weight_type *t = mnk_weight_type(type);
    return t ? t->tiles : -1;
}

/// Complexity: one pass. A call for a run of weights is better than many for few: the type is
/// looked up once.
void mnk_dequantize(int type, const void *source, size_t count, float *y) {
    const weight_type *t = mnk_weight_type(type);
    if (!t) return;
    const uint8_t *p = source;
    if (t->floats) {
        t->floats(p, count / t->weights, y);
        return;
    }
    for (size_t i = 0; i < count; i += t->weights, p += t->bytes)
        // Affine types: sub-block by sub-block.
        for (size_t part = 0; part < t->weights / 32u; part++) {
            affine a;
            t->affine(p, (int)part, &a);
            for (size_t j = 0; j < 32; j++) y[i + part * 32 + j] = a.d * (float)a.q[j] + a.m;
        }
}

void mnk_quantize(int type, const float *x, size_t count, void *target) {
    const weight_type *t = mnk_weight_type(type);
    if (t && t->quantize) t->quantize(x, count / t->weights, target);
}
