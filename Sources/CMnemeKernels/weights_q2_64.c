// Q2_64: 64 weights of two bits with a scale and a minimum, 20 bytes; 2.5 bits a weight. A type of Mneme's own,
// for rows that do not fall into Q2_K's blocks of 256: it is written by mneme, and other programs do not read it.
//
//   0   d (f16)
//   2   m (f16)
//   4   codes: byte i % 16, two bits from bit 2·(i / 16) on
//   w = d·q + m
#include "weights.h"
#include <math.h>

enum { COUNT = 64, BYTES = 20, ROUNDS = 4 };

static void q2_64_affine(const uint8_t *p, int part, affine *a) {
    a->d = half_at(p);
    a->m = half_at(p + 2);
    for (int i = 0; i < 32; i++) a->q[i] = p[4 + i % 16] >> (2 * (i / 16 + 2 * part)) & 3;
}

/// The nearest of the four levels.
static int code_of(float x, float d, float m) {
    float code = d > 0x1p-100f ? (x - m) / d : 0;  // less could be infinite
    return code == code && code > 0 ? (code < 3 ? (int)lrintf(code) : 3) : 0;
}

/// Scale and minimum by least squares for the codes of the ones given, some times; returns the error.
static float fit(const float *x, float *d, float *m) {
    float error = 0;
    for (int round = 0; round <= ROUNDS; round++) {
        float sum = 0, squares = 0, values = 0, products = 0;
        error = 0;
        for (int i = 0; i < COUNT; i++) {
            float q = (float)code_of(x[i], *d, *m), away = x[i] - (*d * q + *m);
            error += away * away;
            sum += q;
            squares += q * q;
            values += x[i];
            products += q * x[i];
        }
        float spread = COUNT * squares - sum * sum;
        if (round == ROUNDS || spread <= 0) break;
        float scale = (COUNT * products - sum * values) / spread;
        if (!(scale > 0)) break;
        *d = scale;
        *m = (values - scale * sum) / COUNT;
    }
    return error;
}

/// The best of some beginnings: the whole range of the weights, and narrower ones, in which the few that are far out
/// count less.
static void q2_64_quantize(const float *x, size_t blocks, uint8_t *p) {
    for (; blocks > 0; blocks--, x += COUNT, p += BYTES) {
        float low = x[0], high = x[0], mean = 0;
        for (int i = 0; i < COUNT; i++) {
            low = fminf(low, x[i]);
            high = fmaxf(high, x[i]);
            mean += x[i] / COUNT;
        }
        float best = INFINITY, d = 0, m = mean;
        for (int part = 10; part >= 5; part--) {
            float s = (float)part / 10, from = mean + s * (low - mean), scale = s * (high - low) / 3;
            float error = fit(x, &scale, &from);
            if (error < best) {
                best = error;
                d = scale;
                m = from;
            }
        }
        uint16_t halves[2] = {half_of(d), half_of(m)};
        memcpy(p, halves, 4);
        memset(p + 4, 0, BYTES - 4);
        // By the numbers that are read back.
        for (int i = 0; i < COUNT; i++)
            p[4 + i % 16] |= (uint8_t)(code_of(x[i], float_of_half(halves[0]), float_of_half(halves[1])) << (2 * (i / 16)));
    }
}
const weight_type mnk_weights_q2_64 = {1002, COUNT, BYTES, MNK_Q8, q2_64_affine, NULL, q2_64_quantize};
