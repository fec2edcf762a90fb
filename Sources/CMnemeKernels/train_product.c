// Products of training. Floats: any of the operands' layouts that the two passes need, without
// packing. bfloat16: AMX tiles, 32 rows by 32 columns in four tile registers.

#include "mneme_training_kernels.h"
#include "vector.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// `rows` × (16·panels) outputs in registers while k runs; see gemm_f32.c.
MNK_INLINE void tile_product(const mnk_product *p, size_t row, size_t column, size_t rows, size_t panels) {
    const float *a = p->a + row * p->a_row, *b = p->b + column / 16 * p->b_panel;
    f32x16 acc[12][2];
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < panels; j++) acc[i][j] = splat16(0);
    for (size_t k = 0; k < p->k; k++) {
        f32x16 w[2];
        for (size_t j = 0; j < panels; j++) w[j] = load16(b + j * p->b_panel + k * p->b_row);
        for (size_t i = 0; i < rows; i++) {
            f32x16 x = splat16(a[i * p->a_row + k * p->a_column]);
            for (size_t j = 0; j < panels; j++) acc[i][j] = fma16(x, w[j], acc[i][j]);
        }
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < panels; j++) {
            float *c = p->c + (row + i) * p->ldc + column + 16 * j;
            f32x16 v = acc[i][j] * splat16(p->scale);
            store16(c, p->accumulate ? load16(c) + v : v);
        }
}

/// A number of rows that the compiler knows, so that the sums stay in registers.
MNK_INLINE void rows_product(const mnk_product *p, size_t row, size_t column, size_t rows, size_t panels) {
    switch (rows) {
#define CASE(n) case n: tile_product(p, row, column, n, panels); return;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#undef CASE
    }
}

MNK_INLINE void product_body(const mnk_product *p, size_t limit, size_t panels) {
    if (p->m == 0) return;
    size_t blocks = (p->m + limit - 1) / limit;
    for (size_t column = 0; column < p->n;) {
        size_t wide = column + 16 * panels <= p->n ? panels : 1;
        for (size_t i = 0; i < blocks; i++) {
            size_t start, rows = block_rows(p->m, limit, i, &start);
            if (wide == 2) rows_product(p, start, column, rows, 2);
            else rows_product(p, start, column, rows, 1);
        }
        column += 16 * wide;
    }
}

#if defined(__x86_64__)
T_AVX512 static void product_avx512(const mnk_product *p) { product_body(p, 12, 2); }
T_AVX2 static void product_avx2(const mnk_product *p) { product_body(p, 6, 1); }
#endif
static void product_portable(const mnk_product *p) { product_body(p, 4, 1); }

void mnk_product_f32(uint32_t features, const mnk_product *p) {
#if defined(__x86_64__)
    if (features & MNK_AVX512) { product_avx512(p); return; }
    if (features & MNK_AVX2) { product_avx2(p); return; }
#endif
    (void)features;
    product_portable(p);
}

// MARK: bfloat16

/// The upper halves, rounded to the nearest, ties to even.
MNK_INLINE u16x16 bf16_of(f32x16 x) {
    u32x16 u = (u32x16)x;
    u = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
    return __builtin_convertvector(u, u16x16);
}

MNK_INLINE void mnk_to_bf16_body(uint32_t features, const float *x, size_t ldx, size_t rows, size_t columns, uint16_t *y, size_t stride) {
    (void)features;
    for (size_t r = 0; r < rows; r++, x += ldx, y += stride) {
        for (size_t i = 0; i < columns; i += 16) {
            u16x16 h = bf16_of(load16(x + i));
            memcpy(y + i, &h, sizeof h);
        }
        memset(y + columns, 0, (stride - columns) * sizeof *y);
    }
}
MNK_DISPATCH(mnk_to_bf16, (uint32_t features, const float *x, size_t ldx, size_t rows, size_t columns, uint16_t *y, size_t stride),
             (features, x, ldx, rows, columns, y, stride))

#if defined(__x86_64__)
/// Tiles 0-3 are sums, 4-5 rows of A, 6-7 columns of B; the second column tile may be missing.
__attribute__((target("amx-tile,amx-bf16,avx512f"))) void mnk_product_bf16(const mnk_product_bf16_arguments *p) {
    struct __attribute__((packed)) { uint8_t palette, start, reserved[14]; uint16_t columns[16]; uint8_t rows[16]; } configuration;
    memset(&configuration, 0, sizeof configuration);
    configuration.palette = 1;
    for (int t = 0; t < 8; t++) { configuration.rows[t] = 16; configuration.columns[t] = 64; }
    _tile_loadconfig(&configuration);
    size_t blocks = p->k / 32, lda = p->lda * 2, ldc = p->ldc * 4;
    for (size_t column = p->n_begin; column < p->n_end; column += 32) {
        int two = column + 32 <= p->n_end;
        const uint16_t *b0 = p->b + column / 16 * blocks * 512, *b1 = b0 + blocks * 512;
        for (size_t row = 0; row < p->m; row += 32) {
            const uint16_t *a0 = p->a + row * p->lda, *a1 = a0 + 16 * p->lda;
            float *c0 = p->c + row * p->ldc + column, *c1 = c0 + 16 * p->ldc;
            if (p->accumulate) {
                _tile_loadd(0, c0, ldc);
                _tile_loadd(2, c1, ldc);
            } else {
                _tile_zero(0);
                _tile_zero(2);
            }
            if (two) {
                if (p->accumulate) {
                    _tile_loadd(1, c0 + 16, ldc);
                    _tile_loadd(3, c1 + 16, ldc);
                } else {
                    _tile_zero(1);
                    _tile_zero(3);
                }
                for (size_t k = 0; k < blocks; k++) {
                    _tile_loadd(4, a0 + k * 32, lda);
                    _tile_loadd(6, b0 + k * 512, 64);
                    _tile_loadd(7, b1 + k * 512, 64);
                    _tile_dpbf16ps(0, 4, 6);
                    _tile_loadd(5, a1 + k * 32, lda);
                    _tile_dpbf16ps(1, 4, 7);
                    _tile_dpbf16ps(2, 5, 6);
                    _tile_dpbf16ps(3, 5, 7);
                }
                _tile_stored(1, c0 + 16, ldc);
                _tile_stored(3, c1 + 16, ldc);
            } else {
                for (size_t k = 0; k < blocks; k++) {
                    _tile_loadd(4, a0 + k * 32, lda);
                    _tile_loadd(5, a1 + k * 32, lda);
                    _tile_loadd(6, b0 + k * 512, 64);
                    _tile_dpbf16ps(0, 4, 6);
                    _tile_dpbf16ps(2, 5, 6);
                }
            }
            _tile_stored(0, c0, ldc);
            _tile_stored(2, c1, ldc);
        }
    }
    _tile_release();
}
#else
void mnk_product_bf16(const mnk_product_bf16_arguments *p) { (void)p; }
#endif

// MARK: Frozen matrices

/// Elements along k that a packed matrix has: whole tiles for bfloat16.
MNK_INLINE size_t depth_of(int bf16, size_t k) { return bf16 ? (k + 31) / 32 * 32 : k; }

size_t mnk_frozen_bytes(int bf16, int transposed, size_t outputs, size_t inputs) {
    size_t k = depth_of(bf16, transposed ? outputs : inputs), n = transposed ? inputs : (outputs + 15) / 16 * 16;
    return n * k * (bf16 ? 2 : 4);
}

/// 32 rows of floats, of which `rows` are W's, into panels of floats.
MNK_INLINE void pack_floats(int transposed, const float *x, size_t first, size_t rows, size_t outputs, size_t inputs, float *packed) {
    for (size_t r = 0; r < rows; r++, x += inputs) {
        size_t row = first + r;
        if (transposed)
            for (size_t p = 0; p < inputs / 16; p++) store16(packed + (p * outputs + row) * 16, load16(x + p * 16));
        else
            for (size_t i = 0; i < inputs; i++) packed[(row / 16 * inputs + i) * 16 + row % 16] = x[i];
    }
    if (transposed) return;
    // Columns up to a whole panel.
    for (size_t row = first + rows; row % 16; row++)
        for (size_t i = 0; i < inputs; i++) packed[(row / 16 * inputs + i) * 16 + row % 16] = 0;
}

/// The same 32 rows into tiles of bfloat16: pairs along k side by side.
MNK_INLINE void pack_bf16(int transposed, const float *x, size_t first, size_t rows, size_t outputs, size_t inputs, uint16_t *packed) {
    size_t wide = depth_of(1, inputs) / 32, deep = depth_of(1, outputs) / 32;
    if (transposed) {
        for (size_t p = 0; p < inputs / 16; p++) {
            uint16_t *tile = packed + (p * deep + first / 32) * 512;
            for (size_t r = 0; r < 32; r += 2) {
                u32x16 low = {0}, high = {0};
                if (r < rows) low = __builtin_convertvector(bf16_of(load16(x + r * inputs + p * 16)), u32x16);
                if (r + 1 < rows) high = __builtin_convertvector(bf16_of(load16(x + (r + 1) * inputs + p * 16)), u32x16);
                u32x16 pairs = low | high << 16;
                memcpy(tile + r * 16, &pairs, sizeof pairs);
            }
        }
        return;
    }
    for (size_t r = 0; r < (rows + 15) / 16 * 16; r++) {
        uint16_t *target = packed + ((first + r) / 16 * wide) * 512 + (first + r) % 16 * 2;
        for (size_t i = 0; i < wide * 32; i += 16) {
            u16x16 h = {0};
            if (r < rows && i < inputs) h = bf16_of(load16(x + r * inputs + i));
            uint32_t pairs[8];
            memcpy(pairs, &h, sizeof pairs);
            uint16_t *tile = target + i / 32 * 512 + i % 32 * 16;
            for (size_t j = 0; j < 8; j++) memcpy(tile + j * 32, pairs + j, 4);
        }
    }
}

MNK_INLINE void mnk_pack_frozen_body(uint32_t features, int bf16, int transposed, int type, const void *source, size_t outputs, size_t inputs,
                                     size_t row_begin, size_t row_end, float *scratch, void *packed) {
    (void)features;
    size_t weights, bytes;
    if (!mnk_block_shape(type, &weights, &bytes)) return;
    for (size_t row = row_begin; row < row_end; row += 32) {
        size_t rows = row_end - row < 32 ? row_end - row : 32;
        mnk_dequantize(type, (const uint8_t *)source + row * (inputs / weights) * bytes, rows * inputs, scratch);
        if (bf16) pack_bf16(transposed, scratch, row, rows, outputs, inputs, packed);
        else pack_floats(transposed, scratch, row, rows, outputs, inputs, packed);
    }
}
MNK_DISPATCH(mnk_pack_frozen,
             (uint32_t features, int bf16, int transposed, int type, const void *source, size_t outputs, size_t inputs, size_t row_begin,
              size_t row_end, float *scratch, void *packed),
             (features, bf16, transposed, type, source, outputs, inputs, row_begin, row_end, scratch, packed))
