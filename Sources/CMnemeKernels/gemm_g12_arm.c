// arm64's product with weights of 12 bits: 16-bit products, see MNK_G12.
#include "arm.h"
#include "groups.h"

#if defined(__aarch64__)

/// Rows that share one unpacking of the words.
enum { ROWS = 4 };

/// The codes of sixteen columns at eight numbers k, from three vectors of words.
MNK_INLINE void unpack(const uint8_t *p, int16x8_t w[8][2]) {
    for (size_t side = 0; side < 2; side++) {  // eight columns each, even and odd k apart
        int16x8x2_t words[3];
        for (size_t v = 0; v < 3; v++) words[v] = vld2q_s16((const int16_t *)(const void *)(p + 64 * v + 32 * side));
        for (size_t i = 0; i < 2; i++) {
            // The codes whose bits are spread over the others' lowest four.
            int16x8_t last = vshlq_n_s16(words[0].val[i], 4);
            last = vsliq_n_s16(last, words[1].val[i], 8);
            last = vsliq_n_s16(last, words[2].val[i], 12);
            for (size_t v = 0; v < 3; v++) w[2 * v + i][side] = vshrq_n_s16(words[v].val[i], 4);
            w[6 + i][side] = vshrq_n_s16(last, 4);
        }
    }
}

/// `rows` rows of one column tile: exact sums of a group, then scaled as everywhere.
MNK_INLINE void rows_g12(const mnk_tiles *g, size_t row, size_t column, size_t rows) {
    group_shape shape = group_shape_of(g->k);
    const uint8_t *t = group_tiles(g, column);
    f32x16 total[ROWS];
    for (size_t i = 0; i < rows; i++) total[i] = splat16(0);
    for (size_t group = 0, step = 0; group < shape.groups; group++) {
        i32x16 high[ROWS] = {{0}}, low[ROWS] = {{0}};
        for (size_t end = step + shape.per_group; step < end && step < shape.steps; step++, t += 2 * G12_TILE) {
            int32x4_t s[ROWS][4];
            for (size_t i = 0; i < rows; i++)
                for (size_t c = 0; c < 4; c++) s[i][c] = vdupq_n_s32(0);
            for (size_t part = 0; part < 8; part++) {
                int16x8_t w[8][2];
                unpack(t + 192 * part, w);
                for (size_t i = 0; i < rows; i++) add_eight(s[i], w, vld1q_s16(group_words(g, shape.steps, row + i, step) + 8 * part));
            }
            for (size_t i = 0; i < rows; i++) {
                i32x16 sums;
                memcpy(&sums, s[i], sizeof sums);
                add_step(sums, &high[i], &low[i]);
            }
        }
        f32x16 d = load16(g12_scales(g, shape, column, group));
        for (size_t i = 0; i < rows; i++) {
            f32x16 scale = d * splat16(group_scale(g, shape.groups, row + i, group));
            total[i] = add_whole(whole_sums(high[i], low[i]), scale, total[i]);
        }
    }
    for (size_t i = 0; i < rows; i++) finish_tile(g, row + i, column, &total[i]);
}

/// Equal blocks of at most ROWS rows, column tile by column tile.
void mnk_arm_gemm_g12(const mnk_tiles *g) {
    for (size_t column = g->n_begin; column < g->n_end; column += 16)
        for (size_t i = 0; i < (g->m + ROWS - 1) / ROWS; i++) {
            size_t start, rows = block_rows(g->m, ROWS, i, &start);
            switch (rows) {
                case 1: rows_g12(g, start, column, 1); break;
                case 2: rows_g12(g, start, column, 2); break;
                case 3: rows_g12(g, start, column, 3); break;
                default: rows_g12(g, start, column, 4);
            }
        }
}
#endif
