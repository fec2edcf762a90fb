// Gradients of a decoder's and an encoder's operations besides products and attention, and cross-entropy's parts.

#include "mneme_training_kernels.h"
#include "vector.h"
#include <math.h>

/// With r = 1/√(mean(x²) + eps) and g = weight·dy: dx = r·g − x·r³·mean(x·g).
MNK_INLINE void mnk_rms_norm_backward_body(uint32_t features, const float *x, const float *weight, float eps, size_t rows, size_t n, const float *dy,
                                           float *dx) {
    (void)features;
    for (size_t r = 0; r < rows; r++, x += n, dy += n, dx += n) {
        f32x16 squares = splat16(0), products = splat16(0);
        for (size_t i = 0; i < n; i += 16) {
            f32x16 v = load16(x + i);
            squares = fma16(v, v, squares);
            products = fma16(v, load16(weight + i) * load16(dy + i), products);
        }
        float scale = 1 / sqrtf(sum16(squares) / (float)n + eps);
        f32x16 s = splat16(scale), back = splat16(scale * scale * scale * sum16(products) / (float)n);
        for (size_t i = 0; i < n; i += 16)
            store16(dx + i, load16(dx + i) + s * load16(weight + i) * load16(dy + i) - load16(x + i) * back);
    }
}
MNK_DISPATCH(mnk_rms_norm_backward,
             (uint32_t features, const float *x, const float *weight, float eps, size_t rows, size_t n, const float *dy, float *dx),
             (features, x, weight, eps, rows, n, dy, dx))

/// With x̂ = (x − mean)·r, r = 1/√(variance + eps) and g = gamma·dy: dx = r·(g − mean(g) − x̂·mean(g·x̂)).
MNK_INLINE void mnk_layer_norm_backward_body(uint32_t features, const float *x, const float *gamma, float eps, size_t rows, size_t n, const float *dy,
                                             float *dx) {
    (void)features;
    for (size_t r = 0; r < rows; r++, x += n, dy += n, dx += n) {
        f32x16 sum = splat16(0), squares = splat16(0), gradients = splat16(0), products = splat16(0);
        for (size_t i = 0; i < n; i += 16) sum += load16(x + i);
        f32x16 mean = splat16(sum16(sum) / (float)n);
        for (size_t i = 0; i < n; i += 16) {
            f32x16 d = load16(x + i) - mean, g = load16(gamma + i) * load16(dy + i);
            squares = fma16(d, d, squares);
            gradients += g;
            products = fma16(g, d, products);
        }
        float scale = 1 / sqrtf(sum16(squares) / (float)n + eps);
        // x̂ = d·scale, in the mean of products and before it: d takes both factors.
        f32x16 s = splat16(scale), centre = splat16(sum16(gradients) / (float)n);
        f32x16 along = splat16(sum16(products) / (float)n * scale * scale);
        for (size_t i = 0; i < n; i += 16) {
            f32x16 d = load16(x + i) - mean, g = load16(gamma + i) * load16(dy + i);
            store16(dx + i, s * (g - centre - d * along));
        }
    }
}
MNK_DISPATCH(mnk_layer_norm_backward,
             (uint32_t features, const float *x, const float *gamma, float eps, size_t rows, size_t n, const float *dy, float *dx),
             (features, x, gamma, eps, rows, n, dy, dx))

MNK_INLINE void mnk_gelu_body(uint32_t features, const float *x, size_t count, float *y) {
    (void)features;
    for (size_t i = 0; i < count; i += 16) store16(y + i, gelu16(load16(x + i)));
}
MNK_DISPATCH(mnk_gelu, (uint32_t features, const float *x, size_t count, float *y), (features, x, count, y))

/// With Φ the normal distribution and φ = e^(-x²/2)/√(2π) its density.
MNK_INLINE void mnk_gelu_backward_body(uint32_t features, const float *x, const float *dy, size_t count, float *dx) {
    (void)features;
    for (size_t i = 0; i < count; i += 16) {
        f32x16 v = load16(x + i), density = exp16(v * v * splat16(-0.5f)) * splat16(0.39894228f);
        store16(dx + i, load16(dy + i) * fma16(v, density, normal16(v)));
    }
}
MNK_DISPATCH(mnk_gelu_backward, (uint32_t features, const float *x, const float *dy, size_t count, float *dx), (features, x, dy, count, dx))

MNK_INLINE void mnk_swiglu_body(uint32_t features, const float *gate, const float *up, size_t count, float *y) {
    (void)features;
    for (size_t i = 0; i < count; i += 16) {
        f32x16 g = load16(gate + i);
        store16(y + i, g / (splat16(1) + exp16(-g)) * load16(up + i));
    }
}
MNK_DISPATCH(mnk_swiglu, (uint32_t features, const float *gate, const float *up, size_t count, float *y), (features, gate, up, count, y))

/// With σ = 1/(1 + e^-g): d(g·σ) = σ·(1 + g·(1 − σ)).
MNK_INLINE void mnk_swiglu_backward_body(uint32_t features, const float *gate, const float *up, const float *dy, size_t count, float *dgate, float *dup) {
    (void)features;
    for (size_t i = 0; i < count; i += 16) {
        f32x16 g = load16(gate + i), u = load16(up + i), d = load16(dy + i), one = splat16(1);
        f32x16 sigma = one / (one + exp16(-g));
        store16(dup + i, d * g * sigma);
        store16(dgate + i, d * u * sigma * (one + g * (one - sigma)));
    }
}
MNK_DISPATCH(mnk_swiglu_backward,
             (uint32_t features, const float *gate, const float *up, const float *dy, size_t count, float *dgate, float *dup),
             (features, gate, up, dy, count, dgate, dup))

MNK_INLINE void mnk_softmax_add_body(uint32_t features, const float *logits, size_t count, mnk_softmax_state *state) {
    (void)features;
    float highest = state->highest;
    size_t whole = count / 16 * 16;
    if (whole) {
        f32x16 most = load16(logits);
        for (size_t i = 16; i < whole; i += 16) most = max16(load16(logits + i), most);
        float h = highest16(most);
        highest = h > highest ? h : highest;
    }
    for (size_t i = whole; i < count; i++) highest = logits[i] > highest ? logits[i] : highest;
    f32x16 sum = splat16(0);
    for (size_t i = 0; i < whole; i += 16) sum += exp16(load16(logits + i) - splat16(highest));
    float total = sum16(sum);
    for (size_t i = whole; i < count; i++) total += exp1(logits[i] - highest);
    state->sum = (state->sum > 0 ? state->sum * exp1(state->highest - highest) : 0) + total;
    state->highest = highest;
}
MNK_DISPATCH(mnk_softmax_add, (uint32_t features, const float *logits, size_t count, mnk_softmax_state *state), (features, logits, count, state))

MNK_INLINE void mnk_softmax_gradient_body(uint32_t features, float *logits, size_t count, float lse, float scale) {
    (void)features;
    size_t whole = count / 16 * 16;
    for (size_t i = 0; i < whole; i += 16) store16(logits + i, splat16(scale) * exp16(load16(logits + i) - splat16(lse)));
    for (size_t i = whole; i < count; i++) logits[i] = scale * exp1(logits[i] - lse);
}
MNK_DISPATCH(mnk_softmax_gradient, (uint32_t features, float *logits, size_t count, float lse, float scale), (features, logits, count, lse, scale))

/// With p and q of base and model: the sum of p·log(p/q), and q − p, its gradient.
MNK_INLINE void mnk_divergence_gradient_body(uint32_t features, const mnk_divergence *d, float *logits, size_t count, float scale, float *sum) {
    (void)features;
    f32x16 sums = splat16(0);
    size_t whole = count / 16 * 16;
    for (size_t i = 0; i < whole; i += 16) {
        f32x16 p = load16(d->base + i) - splat16(d->base_lse), q = load16(logits + i) - splat16(d->lse), likely = exp16(p);
        sums = fma16(likely, p - q, sums);
        store16(logits + i, splat16(scale) * (exp16(q) - likely));
    }
    float total = sum16(sums);
    for (size_t i = whole; i < count; i++) {
        float p = d->base[i] - d->base_lse, q = logits[i] - d->lse, likely = exp1(p);
        total += likely * (p - q);
        logits[i] = scale * (exp1(q) - likely);
    }
    *sum += total;
}
MNK_DISPATCH(mnk_divergence_gradient, (uint32_t features, const mnk_divergence *d, float *logits, size_t count, float scale, float *sum),
             (features, d, logits, count, scale, sum))
