// Kernels of training: products of floats and of bfloat16 for both passes, attention with its
// gradient, and the gradients of a decoder's and an encoder's other operations.
//
// Rules of mneme_kernels.h hold: nothing is allocated, every output is one chain of operations in
// one order whatever the threads. Kernels of floats give the same bits on all paths; products of
// bfloat16 by AMX round as the instruction does.
#ifndef MNEME_TRAINING_KERNELS_H
#define MNEME_TRAINING_KERNELS_H

#include "mneme_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

// MARK: Products

/// C[m][n] (+)= scale·A[m][k]·B[k][n] of floats. n is a multiple of 16.
typedef struct {
    /// Element (i, k) at a + i·a_row + k·a_column: A may lie transposed.
    const float *a;
    size_t a_row, a_column;
    /// Element (k, j) at b + j/16·b_panel + k·b_row + j%16: rows (b_panel 16), or panels of 16 columns.
    const float *b;
    size_t b_row, b_panel;
    size_t m, n, k;
    float scale;
    /// Row i begins at c + i·ldc; whether to add to it.
    float *c;
    size_t ldc;
    int accumulate;
} mnk_product;
void mnk_product_f32(uint32_t features, const mnk_product *p);

/// C[m][n] (+)= A[m][k]·B[k][n] of bfloat16, summed in floats by AMX (needs MNK_AMX_BF16).
typedef struct {
    /// Rows of k elements, k a multiple of 32; m is a multiple of 32.
    const uint16_t *a;
    size_t lda;
    /// Tiles [n/16][k/32][16][16][2], as mnk_pack_frozen() writes them.
    const uint16_t *b;
    size_t m, n, k;
    /// Columns to compute, multiples of 16.
    size_t n_begin, n_end;
    float *c;
    size_t ldc;
    int accumulate;
} mnk_product_bf16_arguments;
void mnk_product_bf16(const mnk_product_bf16_arguments *p);

/// Rows of floats to bfloat16, to the nearest; elements from `columns` up to `stride` (a multiple
/// of 32) become zeros.
void mnk_to_bf16(uint32_t features, const float *x, size_t ldx, size_t rows, size_t columns, uint16_t *y, size_t stride);

/// Packs rows [row_begin, row_end) of a frozen matrix W[outputs][inputs] in a GGUF type as the
/// right side of a product: of x·Wᵀ (columns are outputs), or with `transposed` of dy·W (columns
/// are inputs). row_begin is a multiple of 32, row_end another or `outputs`; inputs is a multiple
/// of 16. Floats become panels (b_row 16, b_panel 16·k), bfloat16 tiles; rows and elements up to
/// whole tiles are zeros. `scratch` holds 32·inputs floats.
void mnk_pack_frozen(uint32_t features, int bf16, int transposed, int type, const void *source, size_t outputs, size_t inputs,
                     size_t row_begin, size_t row_end, float *scratch, void *packed);
/// Bytes of W packed.
size_t mnk_frozen_bytes(int bf16, int transposed, size_t outputs, size_t inputs);

// MARK: Attention

/// Attention of one head over one sequence, exact, in blocks of 32 queries: of the scores
/// only a block's are held, and the gradient computes them again (FlashAttention, Dao et al. 2022).
/// dim is a multiple of 16.
typedef struct {
    /// Token t's query at q + t·ldq; key and value at k + t·ldk and v + t·ldk.
    const float *q;
    size_t ldq;
    const float *k, *v;
    size_t ldk;
    size_t tokens, dim;
    float scale;
    /// Token t's output at out + t·ldo, and the logarithm of its scores' sum.
    float *out;
    size_t ldo;
    float *lse;
    /// 0: a token sees those up to itself (decoders). 1: all see all (encoders).
    int bidirectional;
    /// Keys and values, where they are others than the tokens' own: all are seen. 0: the tokens' own.
    size_t keys;
    /// Each token's Σ dout·out, for the gradient; NULL: computed from `out`.
    const float *delta;
    /// 1: the gradients of keys and values are added, not replaced.
    int adds;
} mnk_training_attention;
/// Floats of scratch memory for both passes over as many keys as tokens, or as `keys`.
size_t mnk_training_scratch(size_t tokens, size_t dim);
void mnk_training_attend(uint32_t features, const mnk_training_attention *a, float *scratch);
/// Gradients by those of the outputs (at ldo): of queries at ldq, of keys and values at `ldg`.
/// All are replaced, but see `adds`.
void mnk_training_attend_backward(uint32_t features, const mnk_training_attention *a, const float *dout, float *dq,
                                  float *dk, float *dv, size_t ldg, float *scratch);

// MARK: Layers

/// dx += the gradient of mnk_rms_norm() by that of its output. n is a multiple of 16.
void mnk_rms_norm_backward(uint32_t features, const float *x, const float *weight, float eps, size_t rows, size_t n, const float *dy, float *dx);
/// dx = the gradient of mnk_layer_norm() by that of its output; dx may be dy. n is a multiple of 16.
void mnk_layer_norm_backward(uint32_t features, const float *x, const float *gamma, float eps, size_t rows, size_t n, const float *dy, float *dx);
/// y = x·Φ(x) (GELU, Hendrycks and Gimpel 2016), as encoders' products have it. count is a multiple of 16.
void mnk_gelu(uint32_t features, const float *x, size_t count, float *y);
/// dx = dy·(Φ(x) + x·φ(x)); dx may be dy. count is a multiple of 16.
void mnk_gelu_backward(uint32_t features, const float *x, const float *dy, size_t count, float *dx);
/// y = SiLU(gate)·up. count is a multiple of 16, also below.
void mnk_swiglu(uint32_t features, const float *gate, const float *up, size_t count, float *y);
/// Gradients of gate and up by that of y; dgate may be dy.
void mnk_swiglu_backward(uint32_t features, const float *gate, const float *up, const float *dy, size_t count, float *dgate, float *dup);

/// The softmax of a row of logits that comes in chunks: its highest logit so far, and the sum of
/// e^(logit − highest).
typedef struct { float highest, sum; } mnk_softmax_state;
/// Takes in `count` logits; the first chunk comes with highest = -INFINITY and sum = 0.
void mnk_softmax_add(uint32_t features, const float *logits, size_t count, mnk_softmax_state *state);
/// logits = scale·e^(logit − lse): the part of cross-entropy's gradient that is not the target's.
void mnk_softmax_gradient(uint32_t features, float *logits, size_t count, float lse, float scale);

/// A chunk of a row of logits beside the base model's: the base's, and the logarithm of the sum of
/// e^logit over the whole row for each.
typedef struct { const float *base; float base_lse, lse; } mnk_divergence;
/// sum += the chunk's part of KL(base || model); logits = scale·(model's p − base's p), its gradient.
void mnk_divergence_gradient(uint32_t features, const mnk_divergence *d, float *logits, size_t count, float scale, float *sum);

#ifdef __cplusplus
}
#endif
#endif
