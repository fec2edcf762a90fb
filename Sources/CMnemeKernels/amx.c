// AMX (Advanced Matrix Extensions): eight tile registers of 16 rows of 64 bytes, and an instruction
// that multiplies two and adds to a third.
//
// The products are written once, over macros for tile operations (amx_body.h, amx_tiles_body.h,
// amx_groups_body.h),
// and compiled twice: with the instructions, and with the emulation below, which runs anywhere.

#include "amx.h"
#include "groups.h"
#include "tiles.h"

/// A tile register in memory, of the rows and bytes a row that were configured.
typedef struct {
    uint8_t bytes[16][64];
    size_t rows, width;
} emulated_tile;

/// TILELOADD and TILESTORED: rows that lie `stride` bytes apart.
static void emulated_load(emulated_tile *t, const void *source, size_t stride) {
    for (size_t r = 0; r < t->rows; r++) memcpy(t->bytes[r], (const char *)source + r * stride, t->width);
}
static void emulated_store(const emulated_tile *t, void *target, size_t stride) {
    for (size_t r = 0; r < t->rows; r++) memcpy((char *)target + r * stride, t->bytes[r], t->width);
}

/// TDPBUSD, TDPBSUD and TDPBSSD: c[i][j] += Σ a[i][4k+q]·b[k][4j+q], of bytes with or without a sign.
MNK_INLINE void dot_body(emulated_tile *c, const emulated_tile *a, const emulated_tile *b, int signed_a, int signed_b) {
    size_t depth = a->width / 4;
    i32x16 weights[16][4];
    for (size_t k = 0; k < depth; k++) {
        u32x16 four;
        memcpy(&four, b->bytes[k], sizeof four);
        for (int q = 0; q < 4; q++) {
            u32x16 top = four << (24 - 8 * q);
            weights[k][q] = signed_b ? (i32x16)top >> 24 : (i32x16)(top >> 24);
        }
    }
    for (size_t i = 0; i < c->rows; i++) {
        i32x16 s;
        memcpy(&s, c->bytes[i], sizeof s);
        for (size_t k = 0; k < depth; k++)
            for (size_t q = 0; q < 4; q++) {
                uint8_t x = a->bytes[i][k * 4 + q];
                s += (signed_a ? (int8_t)x : x) * weights[k][q];
            }
        memcpy(c->bytes[i], &s, sizeof s);
    }
}
static void dot_portable(emulated_tile *c, const emulated_tile *a, const emulated_tile *b, int signed_a, int signed_b) { dot_body(c, a, b, signed_a, signed_b); }
#if defined(__x86_64__)
T_AVX2 static void dot_avx2(emulated_tile *c, const emulated_tile *a, const emulated_tile *b, int signed_a, int signed_b) { dot_body(c, a, b, signed_a, signed_b); }
#endif
static void emulated_dot(emulated_tile *c, const emulated_tile *a, const emulated_tile *b, int signed_a, int signed_b) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) { dot_avx2(c, a, b, signed_a, signed_b); return; }
#endif
    dot_portable(c, a, b, signed_a, signed_b);
}

/// Rows whose sums over k stay at hand while a pair of column tiles is unpacked group by group, and
/// the most steps of 64 in a group.
enum { AMX_PANEL = 512, GROUP_STEPS = 4 };

/// The words of a step of MNK_G4 or MNK_Z4 as high and low bytes, in AMX's layout, which is that of the codes.
///
/// With x = s·code + (t - 8·s) + 64 the high byte is x >> 7, and the low one (x & 127) - 64.
MNK_INLINE void split_g4(const uint8_t *t, int format, int8_t *high, int8_t *low) {
    typedef uint16_t u16x32 __attribute__((vector_size(64)));
    typedef int16_t i16x32 __attribute__((vector_size(64)));
    for (size_t half = 0; half < 2; half++) {
        // A column has two lanes of 16 bits: for even elements of four, or for odd ones.
        u16x16 narrow;
        u32x16 s, offset = {0};
        memcpy(&narrow, t + GROUP_SCALES + half * 32, sizeof narrow);
        s = __builtin_convertvector(narrow, u32x16);
        if (format == MNK_G4) memcpy(&offset, t + GROUP_OFFSETS, sizeof offset);
        offset = half ? offset >> 16 : offset & 0xffffu;
        u16x32 factor = (u16x32)(s | s << 16), start = (u16x32)(offset | offset << 16) - factor * 8 + 64;
        for (size_t j = 0; j < 8; j++) {
            u16x32 codes;
            memcpy(&codes, t + half * 256 + j / 2 * 64, sizeof codes);
            codes = (j % 2 ? codes >> 4 : codes) & 0x0f0f;
            u16x32 even = (codes & 0xff) * factor + start, odd = (codes >> 8) * factor + start;
            u16x32 highs = ((u16x32)((i16x32)even >> 7) & 0xff) | (u16x32)((i16x32)odd >> 7) << 8;
            // Taking 64 off a byte below 128, without a borrow: its bit 6 goes, or bits 6 and 7 come.
            u16x32 lows = (even & 0x7f) | (odd & 0x7f) << 8, below = ~lows & 0x4040;
            memcpy(high + half * 512 + j * 64, &highs, sizeof highs);
            lows = (lows & 0x3f3f) | below | below << 1;
            memcpy(low + half * 512 + j * 64, &lows, sizeof lows);
        }
    }
}

/// The codes of a step of MNK_G12 as high and low bytes, in AMX's layout.
MNK_INLINE void split_g12(const uint8_t *t, int8_t *high, int8_t *low) {
    typedef uint16_t u16x32 __attribute__((vector_size(64)));
    typedef int16_t i16x32 __attribute__((vector_size(64)));
    for (size_t part = 0; part < 8; part++) {
        u16x32 words[3], codes[4];
        memcpy(words, t + part * 192, sizeof words);
        for (size_t v = 0; v < 3; v++) codes[v] = (u16x32)((i16x32)words[v] >> 4);
        codes[3] = (u16x32)((i16x32)((words[2] & 15) << 12 | (words[1] & 15) << 8 | (words[0] & 15) << 4) >> 4);
        // Of a column, lanes of 32 bits: two codes each in two vectors become four bytes.
        for (size_t pair = 0; pair < 2; pair++) {
            u32x16 bytes[2] = {{0}};
            for (size_t v = 0; v < 2; v++) {
                u16x32 code = codes[2 * pair + v] + 64;
                u32x16 highs = (u32x16)((u16x32)((i16x32)code >> 7) & 0xff), lows = (u32x16)((code & 127) - 64 & 0xff);
                bytes[0] |= ((highs | highs >> 8) & 0xffff) << 16 * v;
                bytes[1] |= ((lows | lows >> 8) & 0xffff) << 16 * v;
            }
            memcpy(high + (2 * part + pair) * 64, &bytes[0], 64);
            memcpy(low + (2 * part + pair) * 64, &bytes[1], 64);
        }
    }
}

/// The weights of a step as high and low bytes.
MNK_INLINE void split_step(const mnk_tiles *g, const uint8_t *tiles, size_t step, int8_t planes[2][1024]) {
    if (g->format == MNK_G12) split_g12(tiles + step * 2 * G12_TILE, planes[0], planes[1]);
    else split_g4(tiles + step * group_tile(g->format), g->format, planes[0], planes[1]);
}

/// Adds what a row's group sums to in sixteen columns, of bytes by bytes, to what the groups before
/// gave. `d` are the columns' for the group; NULL where all groups share them.
MNK_INLINE void add_group(int32_t sums[4][16][16], size_t row, float scale, const float *d, float *total) {
    i32x16 s[4];
    for (size_t i = 0; i < 4; i++) memcpy(&s[i], sums[i][row], sizeof s[i]);
    f32x16 by = splat16(scale);
    if (d) by *= load16(d);
    store16(total, add_whole((s[0] << 7) + s[1] + s[2] + (s[3] >> 7), by, load16(total)));
}

// Emulated operations on tiles[t].
#define TILE_ZERO(t) memset(tiles[t].bytes, 0, sizeof tiles[t].bytes)
#define TILE_LOAD(t, p, stride) emulated_load(&tiles[t], p, stride)
#define TILE_STORE(t, p, stride) emulated_store(&tiles[t], p, stride)
#define TILE_END() ((void)0)

void mnk_amx_gemm_emulated(const mnk_gemm *g) {
    emulated_tile tiles[8];
#define TILE_CONFIGURE(upper, lower)                                                                \
    for (int t = 0; t < 8; t++) {                                                                   \
        tiles[t].rows = t >= 6 ? 16 : (t == 0 || t == 1 || t == 4) ? (upper) : (lower);             \
        tiles[t].width = 64;                                                                        \
    }
#define TILE_DOT_INT8(c, a, b) emulated_dot(&tiles[c], &tiles[a], &tiles[b], 0, 1)
#include "amx_body.h"
}

void mnk_amx_groups_emulated(const mnk_tiles *g) {
    emulated_tile tiles[8];
#define TILE_DOT_BYTES(c, a, b) emulated_dot(&tiles[c], &tiles[a], &tiles[b], 1, 1)
#define TILE_CONFIGURE_GROUPS(count)                                                                \
    for (int t = 0; t < 8; t++) {                                                                   \
        tiles[t].rows = t >= 6 ? 16 : (count);                                                      \
        tiles[t].width = 64;                                                                        \
    }
#include "amx_groups_body.h"
}

void mnk_amx_tiles_emulated(const mnk_tiles *g) {
    emulated_tile tiles[8];
#define TILE_CONFIGURE_BLOCKS(count)                                                                \
    for (int t = 0; t < 8; t++) {                                                                   \
        tiles[t].rows = t >= 6 ? 8 : (count);                                                       \
        tiles[t].width = t == 4 || t == 5 ? 32 : 64;                                                \
    }
#define TILES_NATIVE 0
#define TILE_DOT_SIGNED(c, a, b) emulated_dot(&tiles[c], &tiles[a], &tiles[b], 1, 0)
#include "amx_tiles_body.h"
}

#undef TILE_ZERO
#undef TILES_NATIVE
#undef TILE_LOAD
#undef TILE_STORE
#undef TILE_END
#undef TILE_CONFIGURE
#undef TILE_CONFIGURE_BLOCKS
#undef TILE_CONFIGURE_GROUPS
#undef TILE_DOT_INT8
#undef TILE_DOT_BYTES
#undef TILE_DOT_SIGNED

#if defined(__x86_64__)
#include <immintrin.h>

/// The operand of LDTILECFG: palette 1, and for each tile its rows and bytes a row.
typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes_per_row[16];
    uint8_t rows[16];
} tile_configuration;
_Static_assert(sizeof(tile_configuration) == 64, "LDTILECFG reads 64 bytes");

/// Shapes of mnk_amx_gemm: `upper` and `lower` rows of A and C, whole tiles of B.
T_AMX static void configure(size_t upper, size_t lower) {
    tile_configuration c = {.palette = 1};
    for (int t = 0; t < 8; t++) {
        size_t rows = t >= 6 ? 16 : (t == 0 || t == 1 || t == 4) ? upper : lower;
        c.rows[t] = (uint8_t)(rows ? rows : 1);  // a tile of no rows may not be named by TILEZERO
        c.bytes_per_row[t] = 64;
    }
    _tile_loadconfig(&c);
}

/// Shapes of mnk_amx_tiles: A is 32 bytes wide, one block along k, and B has 8 rows of four.
T_AMX static void configure_blocks(size_t rows) {
    tile_configuration c = {.palette = 1};
    for (int t = 0; t < 8; t++) {
        c.rows[t] = (uint8_t)(t >= 6 ? 8 : rows);
        c.bytes_per_row[t] = t == 4 || t == 5 ? 32 : 64;
    }
    _tile_loadconfig(&c);
}

// The operations as instructions; tiles are named by constants.
#define TILE_ZERO(t) _tile_zero(t)
#define TILE_LOAD(t, p, stride) _tile_loadd(t, p, stride)
#define TILE_STORE(t, p, stride) _tile_stored(t, p, stride)
#define TILE_END() _tile_release()

T_AMX void mnk_amx_gemm(const mnk_gemm *g) {
#define TILE_CONFIGURE(upper, lower) configure(upper, lower)
#define TILE_DOT_INT8(c, a, b) _tile_dpbusd(c, a, b)
#include "amx_body.h"
}

T_AMX void mnk_amx_groups(const mnk_tiles *g) {
#define TILE_CONFIGURE_GROUPS(rows) configure(rows, rows)
#define TILE_DOT_BYTES(c, a, b) _tile_dpbssd(c, a, b)
#include "amx_groups_body.h"
}

T_AMX void mnk_amx_tiles(const mnk_tiles *g) {
#define TILES_NATIVE 1
#define TILE_CONFIGURE_BLOCKS(rows) configure_blocks(rows)
#define TILE_DOT_SIGNED(c, a, b) _tile_dpbsud(c, a, b)
#include "amx_tiles_body.h"
}
#endif

// MARK: Choice

/// Rows that AMX takes at once, and of these the fewest with which it is the fastest.
enum { AMX_GROUP = 16, AMX_ROWS = 12 };

void mnk_gemm_by_amx(uint32_t features, const mnk_tiles *g, void (*others)(uint32_t, const mnk_tiles *)) {
    int grouped = is_grouped(g->format);
    mnk_tiles full = *g, rest = *g;
    rest.m = g->m % AMX_GROUP < AMX_ROWS ? g->m % AMX_GROUP : 0;
    full.m -= rest.m;
    if (full.m > 0) {
        if (features & MNK_AMX_EMULATED) grouped ? mnk_amx_groups_emulated(&full) : mnk_amx_tiles_emulated(&full);
#if defined(__x86_64__)
        else grouped ? mnk_amx_groups(&full) : mnk_amx_tiles(&full);
#endif
    }
    if (rest.m == 0) return;
    if (grouped) {
        group_shape shape = group_shape_of(g->k);
        rest.a = group_bytes(g, shape.steps, full.m, 0);
        if (g->a_words) rest.a_words = group_words(g, shape.steps, full.m, 0);
        rest.a_scale += full.m * shape.groups;
        rest.a_total = group_totals(g, shape.steps, full.m, 0);
    } else {
        size_t blocks = full.m * (g->k / 32);
        rest.a = (const char *)g->a + blocks * 64;
        rest.a_scale += blocks;
        rest.a_sum += blocks;
        rest.a_total += blocks;
    }
    rest.c += full.m * g->ldc;
    others(features & ~(uint32_t)(MNK_AMX_INT8 | MNK_AMX_EMULATED), &rest);
}
