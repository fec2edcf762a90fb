// arm64's product of 8-bit integers: by dot products, by matrix products, and by 16-bit products
// where a machine has neither.
#include "arm.h"

#if defined(__aarch64__)

/// Rows that share one reading of the weights.
enum { ROWS = 4 };

/// Where a row of A, and a panel of 16 columns of B, begin.
MNK_INLINE const uint8_t *row_at(const mnk_gemm *g, size_t row) { return (const uint8_t *)g->a + row * g->lda; }
MNK_INLINE const int8_t *panel_at(const mnk_gemm *g, size_t column) { return (const int8_t *)g->b + column * g->k; }

/// Bytes become 16-bit integers, eight numbers k at a time: for processors before Armv8.2.
MNK_INLINE void rows_neon(const mnk_gemm *g, size_t row, size_t column, size_t rows) {
    const int8_t *b = panel_at(g, column);
    int32x4_t s[ROWS][4];
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < 4; c++) s[i][c] = vdupq_n_s32(0);
    for (size_t k = 0; k < g->k; k += 8) {
        int16x8_t w[8][2];
        for (size_t j = 0; j < 2; j++) {
            int8x16x4_t codes = vld4q_s8(b + (k + 4 * j) * 16);
            for (size_t q = 0; q < 4; q++) {
                w[4 * j + q][0] = vmovl_s8(vget_low_s8(codes.val[q]));
                w[4 * j + q][1] = vmovl_high_s8(codes.val[q]);
            }
        }
        for (size_t i = 0; i < rows; i++)
            add_eight(s[i], w, vreinterpretq_s16_u16(vmovl_u8(vld1_u8(row_at(g, row + i) + k))));
    }
    for (size_t i = 0; i < rows; i++) finish16_int8(g, row + i, column, s[i]);
}

/// Bytes of A are taken as signed ones, 128 less; what that takes from the sums is 128 times those
/// of the columns.
T_DOTPROD MNK_INLINE void rows_dotprod(const mnk_gemm *g, size_t row, size_t column, size_t rows) {
    const int8_t *b = panel_at(g, column);
    int32x4_t s[ROWS][4];
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < 4; c++) s[i][c] = vshlq_n_s32(vld1q_s32(g->b_sum + column + 4 * c), 7);
    for (size_t k = 0; k < g->k; k += 16) {
        int8x16_t a[ROWS];
        for (size_t i = 0; i < rows; i++)
            a[i] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(row_at(g, row + i) + k), vdupq_n_u8(128)));
#define STEP(q)                                                                                    \
    for (size_t c = 0; c < 4; c++) {                                                               \
        int8x16_t w = vld1q_s8(b + (k + 4 * q) * 16 + 16 * c);                                     \
        for (size_t i = 0; i < rows; i++) s[i][c] = vdotq_laneq_s32(s[i][c], w, a[i], q);          \
    }
        STEP(0) STEP(1) STEP(2) STEP(3)
#undef STEP
    }
    for (size_t i = 0; i < rows; i++) finish16_int8(g, row + i, column, s[i]);
}

/// One instruction multiplies two rows with two columns; the last of an odd number of rows stands
/// for two.
T_I8MM MNK_INLINE void rows_i8mm(const mnk_gemm *g, size_t row, size_t column, size_t rows) {
    const int8_t *b = panel_at(g, column);
    const size_t pairs = (rows + 1) / 2;
    int32x4_t p[ROWS / 2][8];
    for (size_t i = 0; i < pairs; i++)
        for (size_t c = 0; c < 8; c++) p[i][c] = vdupq_n_s32(0);
    for (size_t k = 0; k < g->k; k += 8) {
        uint8x16_t a[ROWS / 2];
        for (size_t i = 0; i < pairs; i++) {
            size_t first = row + 2 * i, second = 2 * i + 1 < rows ? first + 1 : first;
            a[i] = vcombine_u8(vld1_u8(row_at(g, first) + k), vld1_u8(row_at(g, second) + k));
        }
        for (size_t c = 0; c < 4; c++) {
            const uint8_t *q = (const uint8_t *)b + k * 16 + 16 * c;
            uint8x16_t w[2];
            pair_columns(vld1q_u8(q), vld1q_u8(q + 64), w);
            for (size_t i = 0; i < pairs; i++)
                for (size_t e = 0; e < 2; e++)
                    p[i][2 * c + e] = vusmmlaq_s32(p[i][2 * c + e], a[i], vreinterpretq_s8_u8(w[e]));
        }
    }
    for (size_t i = 0; i < rows; i++) {
        int64x2_t s[4];  // four columns each
        for (size_t c = 0; c < 4; c++) {
            int64x2_t x = vreinterpretq_s64_s32(p[i / 2][2 * c]), y = vreinterpretq_s64_s32(p[i / 2][2 * c + 1]);
            s[c] = i % 2 ? vzip2q_s64(x, y) : vzip1q_s64(x, y);
        }
        finish16_int8(g, row + i, column, s);
    }
}

/// One function for each path, in which the compiler knows the number of rows.
#define INSTANCE(TARGET, path)                                                                 \
    TARGET static void gemm_##path(const mnk_gemm *g) {                                        \
        for (size_t column = g->n_begin; column < g->n_end; column += 16)                      \
            for (size_t i = 0; i < (g->m + ROWS - 1) / ROWS; i++) {                            \
                size_t start, rows = block_rows(g->m, ROWS, i, &start);                        \
                switch (rows) {                                                                \
                    case 1: rows_##path(g, start, column, 1); break;                           \
                    case 2: rows_##path(g, start, column, 2); break;                           \
                    case 3: rows_##path(g, start, column, 3); break;                           \
                    default: rows_##path(g, start, column, 4);                                 \
                }                                                                              \
            }                                                                                  \
    }
INSTANCE(, neon)
INSTANCE(T_DOTPROD, dotprod)
INSTANCE(T_I8MM, i8mm)

/// The best path of those allowed.
void mnk_arm_gemm_int8(uint32_t features, const mnk_gemm *g) {
    if (features & MNK_I8MM) gemm_i8mm(g);
    else if (features & MNK_DOTPROD) gemm_dotprod(g);
    else gemm_neon(g);
}
#endif
