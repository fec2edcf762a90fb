// AMX (Advanced Matrix Extensions): eight tile registers of 16 rows of 64 bytes, and an instruction
// that multiplies two and adds to a third.
//
// The products are written once, over macros for tile operations (amx_body.h, amx_tiles_body.h),
// and compiled twice: with the instructions, and with the emulation below, which runs anywhere.

#include "amx.h"
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

/// TDPBUSD: c[i][j] += Σ a[i][4k+q]·b[k][4j+q], unsigned a, signed b.
static void emulated_dot_int8(emulated_tile *c, const emulated_tile *a, const emulated_tile *b) {
    for (size_t i = 0; i < c->rows; i++)
        for (size_t j = 0; j < 16; j++) {
            int32_t s;
            memcpy(&s, &c->bytes[i][j * 4], 4);
            for (size_t k = 0; k < 16; k++)
                for (size_t q = 0; q < 4; q++)
                    s += (int32_t)a->bytes[i][k * 4 + q] * (int8_t)b->bytes[k][j * 4 + q];
            memcpy(&c->bytes[i][j * 4], &s, 4);
        }
}

/// TDPBSUD: as above, signed a, unsigned b.
static void emulated_dot_signed(emulated_tile *c, const emulated_tile *a, const emulated_tile *b) {
    for (size_t i = 0; i < c->rows; i++)
        for (size_t j = 0; j < 16; j++) {
            int32_t s;
            memcpy(&s, &c->bytes[i][j * 4], 4);
            for (size_t k = 0; k < a->width / 4; k++)
                for (size_t q = 0; q < 4; q++)
                    s += (int32_t)(int8_t)a->bytes[i][k * 4 + q] * b->bytes[k][j * 4 + q];
            memcpy(&c->bytes[i][j * 4], &s, 4);
        }
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
#define TILE_DOT_INT8(c, a, b) emulated_dot_int8(&tiles[c], &tiles[a], &tiles[b])
#include "amx_body.h"
}

void mnk_amx_tiles_emulated(const mnk_tiles *g) {
    emulated_tile tiles[8];
#define TILE_CONFIGURE_BLOCKS(count)                                                                \
    for (int t = 0; t < 8; t++) {                                                                   \
        tiles[t].rows = t >= 6 ? 8 : (count);                                                       \
        tiles[t].width = t == 4 || t == 5 ? 32 : 64;                                                \
    }
#define TILES_NATIVE 0
#define TILE_DOT_SIGNED(c, a, b) emulated_dot_signed(&tiles[c], &tiles[a], &tiles[b])
#include "amx_tiles_body.h"
}

#undef TILE_ZERO
#undef TILES_NATIVE
#undef TILE_LOAD
#undef TILE_STORE
#undef TILE_END
#undef TILE_CONFIGURE
#undef TILE_CONFIGURE_BLOCKS
#undef TILE_DOT_INT8
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

T_AMX void mnk_amx_tiles(const mnk_tiles *g) {
#define TILES_NATIVE 1
#define TILE_CONFIGURE_BLOCKS(rows) configure_blocks(rows)
#define TILE_DOT_SIGNED(c, a, b) _tile_dpbsud(c, a, b)
#include "amx_tiles_body.h"
}
#endif
