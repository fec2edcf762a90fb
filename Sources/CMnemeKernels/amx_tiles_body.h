// The product with quantised tiles by AMX, see mnk_tiles. Included twice by amx.c, as amx_body.h
// is.
//
// Sixteen rows meet two column tiles. Tiles 0-3 hold sums of the activations' high and low bytes
// for the first and the second column tile, 4-5 the high and low bytes of a block of 32, 6-7 the
// weights' codes, which are packed as AMX wants them. Sums are scaled and added up block by block.
{
    size_t blocks = g->k / 32, size = tile_bytes(g->format);
    for (size_t row = 0; row < g->m; row += 16) {
        size_t rows = g->m - row < 16 ? g->m - row : 16;
        TILE_CONFIGURE_BLOCKS(rows);
        for (size_t column = g->n_begin; column < g->n_end; column += 32) {
            int columns = column + 32 <= g->n_end ? 2 : 1;
            // Sums over blocks, in floats; tiles hold those of one block.
            float total[2][16][16] __attribute__((aligned(64)));
            memset(total, 0, sizeof total);
            for (size_t b = 0; b < blocks; b++) {
                const int8_t *a = (const int8_t *)g->a + (row * blocks + b) * 64;
                const uint8_t *t[2];
                int32_t sums[4][16][16] __attribute__((aligned(64)));
                for (int c = 0; c < columns; c++) {
                    t[c] = (const uint8_t *)g->b + ((column / 16 + (size_t)c) * blocks + b) * size;
                    // The first rows wait for memory: they fetch what the next columns will need.
                    if (row == 0)
                        for (size_t line = 0; line < size; line += 64) __builtin_prefetch(t[c] + 2 * blocks * size + line, 0, 2);
                }
                TILE_LOAD(4, a, blocks * 64);
                TILE_LOAD(5, a + 32, blocks * 64);
                TILE_LOAD(6, t[0], 64);
                TILE_ZERO(0);
                TILE_ZERO(1);
                // High bytes and low bytes apart; add_block() puts 128·high + low together.
                TILE_DOT_SIGNED(0, 4, 6);
                TILE_DOT_SIGNED(1, 5, 6);
                TILE_STORE(0, &sums[0][0][0], 64);
                TILE_STORE(1, &sums[1][0][0], 64);
                if (columns == 2) {
                    TILE_LOAD(7, t[1], 64);
                    TILE_ZERO(2);
                    TILE_ZERO(3);
                    TILE_DOT_SIGNED(2, 4, 7);
                    TILE_DOT_SIGNED(3, 5, 7);
                    TILE_STORE(2, &sums[2][0][0], 64);
                    TILE_STORE(3, &sums[3][0][0], 64);
                }
                for (int c = 0; c < columns; c++)
                    add_block(TILES_NATIVE, g, row, rows, b, t[c] + CODE_BYTES, sums[2 * c][0], sums[2 * c + 1][0], total[c][0]);
            }
            for (int c = 0; c < columns; c++)
                for (size_t i = 0; i < rows; i++) finish_tile(g, row + i, column + 16 * (size_t)c, total[c][i]);
        }
        TILE_END();
    }
}
