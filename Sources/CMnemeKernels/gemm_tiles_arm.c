// arm64's products with weights of 8 bits: by dot products, by matrix products, and by 16-bit
// products where a machine has neither. The integer sums of a block of 32 are exact, so that all
// give the portable path's bits.
#include "arm.h"
#include "tiles.h"

#if defined(__aarch64__)

/// Rows that share one reading of the weights.
enum { ROWS = 4 };

/// The tiles of the group of 16 columns that begins at `column`.
MNK_INLINE const uint8_t *tiles_at(const mnk_tiles *g, size_t column, int format) {
    return (const uint8_t *)g->b + column / 16 * (g->k / 32) * tile_bytes(format);
}

/// Scales what a row's block sums to in sixteen columns, and adds it to what the blocks before
/// gave.
MNK_INLINE void add_sums(const mnk_tiles *g, int format, const uint8_t *t, size_t at, const void *sums, f32x16 *acc) {
    const uint16_t *scales = (const uint16_t *)(t + CODE_BYTES);
    i32x16 s;
    memcpy(&s, sums, sizeof s);
    *acc = fma16(__builtin_convertvector(s, f32x16), load16_half(1, scales) * splat16(g->a_scale[at]), *acc);
    if (!zero_of(format)) *acc = fma16(load16_half(1, scales + 16), splat16(g->a_sum[at]), *acc);
}

// MARK: 16-bit products

/// The weights of sixteen columns at eight numbers k, from the eighth `part` of four on.
MNK_INLINE void eight_of(const uint8_t *t, size_t part, int16x8_t w[8][2]) {
    for (size_t j = 0; j < 2; j++) {
        uint8x16x4_t codes = vld4q_u8(t + 64 * (2 * part + j));
        for (size_t q = 0; q < 4; q++) {
            w[4 * j + q][0] = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(codes.val[q])));
            w[4 * j + q][1] = vreinterpretq_s16_u16(vmovl_high_u8(codes.val[q]));
        }
    }
}

/// Words of 15 bits meet 16-bit weights: the halves of a word are put together again first.
MNK_INLINE void rows_neon(const mnk_tiles *g, size_t row, size_t column, size_t rows, int format) {
    size_t blocks = g->k / 32;
    const uint8_t *t = tiles_at(g, column, format);
    f32x16 acc[ROWS];
    for (size_t i = 0; i < rows; i++) acc[i] = splat16(0);
    for (size_t b = 0; b < blocks; b++, t += tile_bytes(format)) {
        int32x4_t s[ROWS][4];
        for (size_t i = 0; i < rows; i++)
            for (size_t c = 0; c < 4; c++) s[i][c] = vdupq_n_s32(start_of(g, (row + i) * blocks + b, format));
        for (size_t part = 0; part < 4; part++) {
            int16x8_t w[8][2];
            eight_of(t, part, w);
            for (size_t i = 0; i < rows; i++) {
                const int8_t *a = codes_of_row(g, row + i, b) + 8 * part;
                add_eight(s[i], w, vaddw_s8(vshll_n_s8(vld1_s8(a), 7), vld1_s8(a + 32)));
            }
        }
        for (size_t i = 0; i < rows; i++) add_sums(g, format, t, (row + i) * blocks + b, s[i], &acc[i]);
    }
    for (size_t i = 0; i < rows; i++) finish_tile(g, row + i, column, &acc[i]);
}

// MARK: Dot products

/// The codes as signed bytes: what 128 stands for is zero then. w[j] holds four numbers of each column.
MNK_INLINE void signed_codes(const uint8_t *t, int8x16_t w[8][4]) {
    for (size_t j = 0; j < 8; j++)
        for (size_t c = 0; c < 4; c++) w[j][c] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(t + 64 * j + 16 * c), vdupq_n_u8(128)));
}

/// What the sums of signed codes lack. MNK_Q8 has no totals at hand.
T_DOTPROD MNK_INLINE int32_t signed_start(const mnk_tiles *g, size_t row, size_t block, int format) {
    if (format != MNK_Q8) return 0;
    const int8_t *a = codes_of_row(g, row, block);
    int8x16_t ones = vdupq_n_s8(1);
    int32x4_t high = vdotq_s32(vdotq_s32(vdupq_n_s32(0), vld1q_s8(a), ones), vld1q_s8(a + 16), ones);
    int32x4_t low = vdotq_s32(vdotq_s32(vdupq_n_s32(0), vld1q_s8(a + 32), ones), vld1q_s8(a + 48), ones);
    return 128 * vaddvq_s32(vaddq_s32(vshlq_n_s32(high, 7), low));
}

/// Signed bytes on both sides: what that takes from unsigned codes is put back by signed_start().
T_DOTPROD MNK_INLINE void rows_dotprod(const mnk_tiles *g, size_t row, size_t column, size_t rows, int format) {
    size_t blocks = g->k / 32;
    const uint8_t *t = tiles_at(g, column, format);
    f32x16 acc[ROWS];
    for (size_t i = 0; i < rows; i++) acc[i] = splat16(0);
    for (size_t b = 0; b < blocks; b++, t += tile_bytes(format)) {
        // All codes of the tile, unpacked once for the rows.
        int8x16_t w[8][4];
        int32x4_t s[ROWS][4];
        signed_codes(t, w);
        for (size_t i = 0; i < rows; i++)
            for (size_t c = 0; c < 4; c++) s[i][c] = vdupq_n_s32(0);
        // The high bytes first: what they sum to is moved up once, and the low bytes go on from
        // there.
        for (size_t part = 0; part < 4; part++)
            for (size_t i = 0; i < rows; i++) {
                int8x16_t a = vld1q_s8(codes_of_row(g, row + i, b) + 16 * part);
                if (part == 2) {
                    int32x4_t start = vdupq_n_s32(signed_start(g, row + i, b, format));
                    for (size_t c = 0; c < 4; c++) s[i][c] = vaddq_s32(vshlq_n_s32(s[i][c], 7), start);
                }
#define STEP(q) \
    for (size_t c = 0; c < 4; c++) s[i][c] = vdotq_laneq_s32(s[i][c], w[part % 2 * 4 + q][c], a, q);
                STEP(0) STEP(1) STEP(2) STEP(3)
#undef STEP
            }
        for (size_t i = 0; i < rows; i++) add_sums(g, format, t, (row + i) * blocks + b, s[i], &acc[i]);
    }
    for (size_t i = 0; i < rows; i++) finish_tile(g, row + i, column, &acc[i]);
}

// MARK: Matrix products

/// The codes as pairs of columns: w[part][c] holds eight numbers k of columns 2c and 2c+1.
MNK_INLINE void paired_codes(const uint8_t *t, uint8x16_t w[4][8]) {
    for (size_t part = 0; part < 4; part++)
        for (size_t c = 0; c < 4; c++) {
            const uint8_t *p = t + 128 * part + 16 * c;
            pair_columns(vld1q_u8(p), vld1q_u8(p + 64), w[part] + 2 * c);
        }
}

/// One instruction multiplies the codes of two columns with the high and the low bytes of a row,
/// eight of each.
T_I8MM MNK_INLINE void rows_i8mm(const mnk_tiles *g, size_t row, size_t column, size_t rows, int format) {
    size_t blocks = g->k / 32;
    const uint8_t *t = tiles_at(g, column, format);
    f32x16 acc[ROWS];
    for (size_t i = 0; i < rows; i++) acc[i] = splat16(0);
    for (size_t b = 0; b < blocks; b++, t += tile_bytes(format)) {
        uint8x16_t w[4][8];
        int32x4_t s[ROWS][4];
        paired_codes(t, w);
        for (size_t side = 0; side < 2; side++) {  // eight columns each
            int32x4_t p[ROWS][4];  // of two columns: by high and by low bytes, then likewise for the second
            for (size_t i = 0; i < rows; i++)
                for (size_t c = 0; c < 4; c++) p[i][c] = vdupq_n_s32(0);
            for (size_t part = 0; part < 4; part++)
                for (size_t i = 0; i < rows; i++) {
                    const int8_t *codes = codes_of_row(g, row + i, b) + 8 * part;
                    int8x16_t a = vcombine_s8(vld1_s8(codes), vld1_s8(codes + 32));
                    for (size_t c = 0; c < 4; c++) p[i][c] = vusmmlaq_s32(p[i][c], w[part][4 * side + c], a);
                }
            for (size_t i = 0; i < rows; i++) {
                int32x4_t start = vdupq_n_s32(start_of(g, (row + i) * blocks + b, format));
                for (size_t c = 0; c < 2; c++) {
                    int32x4_t high = vuzp1q_s32(p[i][2 * c], p[i][2 * c + 1]);
                    int32x4_t low = vuzp2q_s32(p[i][2 * c], p[i][2 * c + 1]);
                    s[i][2 * side + c] = vaddq_s32(vaddq_s32(vshlq_n_s32(high, 7), low), start);
                }
            }
        }
        for (size_t i = 0; i < rows; i++) add_sums(g, format, t, (row + i) * blocks + b, s[i], &acc[i]);
    }
    for (size_t i = 0; i < rows; i++) finish_tile(g, row + i, column, &acc[i]);
}

// MARK: Instances

/// One function for each path and format, in which the compiler knows the format and the number of
/// rows.
#define INSTANCE(TARGET, path, name, format)                                                   \
    TARGET static void gemm_##path##_##name(const mnk_tiles *g) {                              \
        for (size_t column = g->n_begin; column < g->n_end; column += 16)                      \
            for (size_t i = 0; i < (g->m + ROWS - 1) / ROWS; i++) {                            \
                size_t start, rows = block_rows(g->m, ROWS, i, &start);                        \
                switch (rows) {                                                                \
                    case 1: rows_##path(g, start, column, 1, format); break;                   \
                    case 2: rows_##path(g, start, column, 2, format); break;                   \
                    case 3: rows_##path(g, start, column, 3, format); break;                   \
                    default: rows_##path(g, start, column, 4, format);                         \
                }                                                                              \
            }                                                                                  \
    }
#define INSTANCES(TARGET, path)                                                                \
    INSTANCE(TARGET, path, q8, MNK_Q8)                                                         \
    INSTANCE(TARGET, path, z8, MNK_Z8)                                                         \
    TARGET static void gemm_##path(const mnk_tiles *g) {                                       \
        switch (g->format) {                                                                   \
            case MNK_Z8: gemm_##path##_z8(g); return;                                          \
            default: gemm_##path##_q8(g);                                                      \
        }                                                                                      \
    }
INSTANCES(, neon)
INSTANCES(T_DOTPROD, dotprod)
INSTANCES(T_I8MM, i8mm)

/// The best path of those allowed.
void mnk_arm_gemm_tiles(uint32_t features, const mnk_tiles *g) {
    if (features & MNK_I8MM) gemm_i8mm(g);
    else if (features & MNK_DOTPROD) gemm_dotprod(g);
    else gemm_neon(g);
}
#endif
