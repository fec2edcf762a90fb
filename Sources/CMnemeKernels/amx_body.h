// The AMX product. Included twice by amx.c, with tile operations that are instructions or
// emulated: TILE_CONFIGURE, TILE_ZERO, TILE_LOAD, TILE_DOT_INT8, TILE_STORE, TILE_END.
//
// Tiles 0-3 hold C (2 × 2), 4-5 hold A, 6-7 hold B. One step of k is 64 bytes.
// A panel of packed B is one column of B tiles, 1 KiB each.
{
    for (size_t row = 0; row < g->m; row += 32) {
        // Up to 32 rows: 16 in the upper tiles, the rest in the lower.
        size_t upper = g->m - row < 16 ? g->m - row : 16;
        size_t lower = g->m - row - upper < 16 ? g->m - row - upper : 16;
        TILE_CONFIGURE(upper, lower);
        for (size_t column = g->n_begin; column < g->n_end; column += 32) {
            int wide = column + 32 <= g->n_end;
            const char *a = (const char *)g->a + row * g->lda;
            const char *b = (const char *)g->b + column * g->k;
            TILE_ZERO(0); TILE_ZERO(1); TILE_ZERO(2); TILE_ZERO(3);
            for (size_t k = 0; k < g->k; k += 64) {
                TILE_LOAD(4, a + k, g->lda);
                if (lower) TILE_LOAD(5, a + (16 * g->lda + k), g->lda);
                TILE_LOAD(6, b + k * 16, 64);
                if (wide) TILE_LOAD(7, b + (16 * g->k + k * 16), 64);
                TILE_DOT_INT8(0, 4, 6);
                if (wide) TILE_DOT_INT8(1, 4, 7);
                if (lower) TILE_DOT_INT8(2, 5, 6);
                if (lower && wide) TILE_DOT_INT8(3, 5, 7);
            }
            // The sums leave the tiles by memory, as no instruction moves them to vectors.
            int32_t block[32][32] __attribute__((aligned(64)));
            TILE_STORE(0, &block[0][0], 128);
            if (wide) TILE_STORE(1, &block[0][16], 128);
            if (lower) TILE_STORE(2, &block[16][0], 128);
            if (lower && wide) TILE_STORE(3, &block[16][16], 128);
            for (size_t i = 0; i < upper + lower; i++)
                for (int p = 0; p <= wide; p++) finish16_int8(g, row + i, column + 16 * (size_t)p, &block[i][16 * p]);
        }
        TILE_END();
    }
}
