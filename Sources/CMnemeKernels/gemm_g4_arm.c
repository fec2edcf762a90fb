// arm64's products with weights of 4 bits over groups of k, see groups.h: by 8-bit multiply-adds, by dot products, and by
// matrix products.
#include "arm.h"
#include "groups.h"

#if defined(__aarch64__)

/// Rows that share one reading of the weights.
enum { ROWS = 4 };

/// Of rows, by high and by low bytes: sums of sixteen columns over a group.
typedef struct { int32x4_t of[ROWS][2][4]; } group_sums;

/// Sixteen s of a half of a tile, in 16 bits.
MNK_INLINE int16x8x2_t scales_of(const uint8_t *t, size_t half) {
    const int16_t *s = (const int16_t *)(const void *)(t + GROUP_SCALES + half * 32);
    return (int16x8x2_t){{vld1q_s16(s), vld1q_s16(s + 8)}};
}

/// Adds s by what a half's codes sum to, which fits in 16 bits.
MNK_INLINE void add_scaled(int32x4_t sums[4], int16x8x2_t s, int16x8x2_t half) {
    for (size_t c = 0; c < 2; c++) {
        sums[2 * c] = vmlal_s16(sums[2 * c], vget_low_s16(s.val[c]), vget_low_s16(half.val[c]));
        sums[2 * c + 1] = vmlal_high_s16(sums[2 * c + 1], s.val[c], half.val[c]);
    }
}

/// Sums of sixteen columns, of which 16 bits are all.
MNK_INLINE int16x8x2_t narrowed(const int32x4_t s[4]) {
    return (int16x8x2_t){{vcombine_s16(vmovn_s32(s[0]), vmovn_s32(s[1])), vcombine_s16(vmovn_s32(s[2]), vmovn_s32(s[3]))}};
}

/// Adds t by the sums of a row's bytes.
MNK_INLINE void add_offsets(const mnk_tiles *g, group_shape shape, const uint8_t *t, size_t row, size_t step, int32x4_t sums[2][4]) {
    const int16_t *offsets = (const int16_t *)(const void *)(t + GROUP_OFFSETS);
    int16x8x2_t first = vld2q_s16(offsets), second = vld2q_s16(offsets + 16);
    for (size_t part = 0; part < 2; part++) {
        uint32_t bytes = (uint32_t)group_totals(g, shape.steps, row, step)[4 + part];
        for (size_t half = 0; half < 2; half++) {
            int16x8_t total = vdupq_n_s16((int16_t)(bytes >> 16 * half));
            add_scaled(sums[part], (int16x8x2_t){{first.val[half], second.val[half]}}, (int16x8x2_t){{total, total}});
        }
    }
}

/// What codes of eight numbers k count beyond 8: of sixteen columns, byte by byte of them.
MNK_INLINE void eight_codes(const uint8_t *t, int8x16_t w[8]) {
    uint8x16x4_t codes = vld4q_u8(t);
    for (size_t q = 0; q < 4; q++) {
        w[q] = vsubq_s8(vreinterpretq_s8_u8(vandq_u8(codes.val[q], vdupq_n_u8(15))), vdupq_n_s8(8));
        w[4 + q] = vsubq_s8(vreinterpretq_s8_u8(vshrq_n_u8(codes.val[q], 4)), vdupq_n_s8(8));
    }
}

/// Multiply-adds of bytes in 16 bits.
MNK_INLINE void half_neon(const mnk_tiles *g, group_shape shape, const uint8_t *t, size_t row, size_t rows, size_t at, group_sums *sums) {
    size_t half = at / 32 % 2;
    int16x8x2_t s[ROWS][2];
    for (size_t i = 0; i < rows; i++)
        for (size_t part = 0; part < 2; part++) s[i][part] = (int16x8x2_t){{vdupq_n_s16(0), vdupq_n_s16(0)}};
    for (size_t eight = 0; eight < 4; eight++) {
        int8x16_t w[8];
        eight_codes(t + half * 256 + 64 * eight, w);
        for (size_t i = 0; i < rows; i++)
            for (int part = 0; part < 2; part++) {
                const int8_t *a = group_bytes(g, shape.steps, row + i, at / 64) + part * 64 + half * 32 + 8 * eight;
                for (size_t k = 0; k < 8; k++) {
                    int8x16_t x = vdupq_n_s8(a[k]);
                    s[i][part].val[0] = vmlal_s8(s[i][part].val[0], vget_low_s8(w[k]), vget_low_s8(x));
                    s[i][part].val[1] = vmlal_high_s8(s[i][part].val[1], w[k], x);
                }
            }
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t part = 0; part < 2; part++) add_scaled(sums->of[i][part], scales_of(t, half), s[i][part]);
}

/// The codes of a half beyond 8: w[j] holds four numbers of each column.
MNK_INLINE void signed_codes(const uint8_t *t, int8x16_t w[8][4]) {
    for (size_t j = 0; j < 8; j++)
        for (size_t c = 0; c < 4; c++) {
            uint8x16_t x = vld1q_u8(t + 64 * (j / 2) + 16 * c);
            x = j % 2 ? vshrq_n_u8(x, 4) : vandq_u8(x, vdupq_n_u8(15));
            w[j][c] = vsubq_s8(vreinterpretq_s8_u8(x), vdupq_n_s8(8));
        }
}

T_DOTPROD MNK_INLINE void half_dotprod(const mnk_tiles *g, group_shape shape, const uint8_t *t, size_t row, size_t rows, size_t at, group_sums *sums) {
    size_t half = at / 32 % 2;
    int8x16_t w[8][4];
    signed_codes(t + half * 256, w);
    for (size_t i = 0; i < rows; i++)
        for (int part = 0; part < 2; part++) {
            const int8_t *bytes = group_bytes(g, shape.steps, row + i, at / 64) + part * 64 + half * 32;
            int32x4_t s[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
            for (size_t j = 0; j < 8; j += 4) {
                int8x16_t a = vld1q_s8(bytes + 4 * j);
#define STEP(q) \
    for (size_t c = 0; c < 4; c++) s[c] = vdotq_laneq_s32(s[c], w[j + q][c], a, q);
                STEP(0) STEP(1) STEP(2) STEP(3)
#undef STEP
            }
            add_scaled(sums->of[i][part], scales_of(t, half), narrowed(s));
        }
}

/// One instruction multiplies the codes of two columns with the high and the low bytes of a row,
/// eight of each.
T_I8MM MNK_INLINE void half_i8mm(const mnk_tiles *g, group_shape shape, const uint8_t *t, size_t row, size_t rows, size_t at, group_sums *sums) {
    size_t half = at / 32 % 2;
    uint8x16_t w[4][8];
    for (size_t eight = 0; eight < 4; eight++)
        for (size_t c = 0; c < 4; c++) {
            uint8x16_t pair = vld1q_u8(t + half * 256 + 64 * eight + 16 * c);
            pair_columns(vandq_u8(pair, vdupq_n_u8(15)), vshrq_n_u8(pair, 4), w[eight] + 2 * c);
        }
    for (size_t i = 0; i < rows; i++) {
        const int8_t *high = group_bytes(g, shape.steps, row + i, at / 64) + half * 32, *low = high + 64;
        const int32_t *starts = group_totals(g, shape.steps, row + i, at / 64) + half;
        int32x4_t s[2][4];
        for (size_t c = 0; c < 4; c++) {
            // Of two columns each: by high and by low bytes, then likewise for the second.
            int32x4_t p[2] = {vdupq_n_s32(0), vdupq_n_s32(0)};
            for (size_t eight = 0; eight < 4; eight++) {
                int8x16_t a = vcombine_s8(vld1_s8(high + 8 * eight), vld1_s8(low + 8 * eight));
                for (size_t side = 0; side < 2; side++) p[side] = vusmmlaq_s32(p[side], w[eight][2 * c + side], a);
            }
            s[0][c] = vaddq_s32(vuzp1q_s32(p[0], p[1]), vdupq_n_s32(starts[0]));
            s[1][c] = vaddq_s32(vuzp2q_s32(p[0], p[1]), vdupq_n_s32(starts[2]));
        }
        for (size_t part = 0; part < 2; part++) add_scaled(sums->of[i][part], scales_of(t, half), narrowed(s[part]));
    }
}

/// One function for each path.
#define INSTANCE(TARGET, path)                                                                                      \
    TARGET MNK_INLINE void gemm_##path##_as(const mnk_tiles *g, int format) {                                       \
        group_shape shape = group_shape_of(g->k);                                                                   \
        for (size_t column = g->n_begin; column < g->n_end; column += 16)                                           \
            for (size_t block = 0; block < (g->m + ROWS - 1) / ROWS; block++) {                                     \
                size_t row, rows = block_rows(g->m, ROWS, block, &row);                                             \
                const uint8_t *t = group_tiles(g, column);                                                          \
                f32x16 total[ROWS] = {{0}};                                                                         \
                for (size_t group = 0, step = 0; group < shape.groups; group++) {                                   \
                    group_sums sums = {0};                                                                          \
                    for (size_t end = step + shape.per_group; step < end && step < shape.steps; step++, t += group_tile(format)) { \
                        for (size_t at = step * 64; at < (step + 1) * 64; at += 32) half_##path(g, shape, t, row, rows, at, &sums); \
                        for (size_t i = 0; format == MNK_G4 && i < rows; i++)                                       \
                            add_offsets(g, shape, t, row + i, step, sums.of[i]);                                    \
                    }                                                                                               \
                    for (size_t i = 0; i < rows; i++) {                                                             \
                        i32x16 high, low;                                                                           \
                        memcpy(&high, sums.of[i][0], sizeof high);                                                  \
                        memcpy(&low, sums.of[i][1], sizeof low);                                                    \
                        float scale = group_scale(g, shape.groups, row + i, group);                                 \
                        total[i] = add_whole(whole_sums(high, low), splat16(scale), total[i]);                      \
                    }                                                                                               \
                }                                                                                                   \
                for (size_t i = 0; i < rows; i++) finish_group(g, row + i, column, &total[i]);                      \
            }                                                                                                       \
    }                                                                                                               \
    TARGET static void gemm_##path(const mnk_tiles *g) {                                                            \
        if (g->format == MNK_Z4) gemm_##path##_as(g, MNK_Z4);                                                       \
        else gemm_##path##_as(g, MNK_G4);                                                                           \
    }
INSTANCE(, neon)
INSTANCE(T_DOTPROD, dotprod)
INSTANCE(T_I8MM, i8mm)

/// The best path of those allowed.
void mnk_arm_gemm_g4(uint32_t features, const mnk_tiles *g) {
    if (features & MNK_I8MM) gemm_i8mm(g);
    else if (features & MNK_DOTPROD) gemm_dotprod(g);
    else gemm_neon(g);
}
#endif
