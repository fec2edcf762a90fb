// The product over groups by AMX, see groups.h. Included twice by amx.c, as amx_body.h is.
//
// Weights become words, which have a high and a low byte as activations do, so that tiles 0-3 hold
// the sums of high by high, high by low, low by high and low by low bytes over a whole group: 16 rows
// by 16 columns. Tiles 4-5 hold the activations' bytes, 6-7 the weights'.
//
// Two column tiles are unpacked for a group at a time. They stay in the first-level cache while
// rows meet them, and rows are read once for both.
{
    group_shape shape = group_shape_of(g->k);
    float total[AMX_PANEL][2][16] __attribute__((aligned(64)));
    int8_t planes[2][GROUP_STEPS][2][1024] __attribute__((aligned(64)));
    int32_t sums[4][16][16] __attribute__((aligned(64)));
    TILE_CONFIGURE_GROUPS(16);
    for (size_t first = 0; first < g->m; first += AMX_PANEL) {
        size_t panel = g->m - first < AMX_PANEL ? g->m - first : AMX_PANEL;
        for (size_t column = g->n_begin; column < g->n_end; column += 32) {
            size_t columns = column + 32 <= g->n_end ? 2 : 1;
            memset(total, 0, panel * sizeof total[0]);
            for (size_t group = 0; group < shape.groups; group++) {
                size_t begin = group * shape.per_group, steps = shape.steps - begin < shape.per_group ? shape.steps - begin : shape.per_group;
                const float *d[2] = {NULL, NULL};
                for (size_t c = 0; c < columns; c++) {
                    for (size_t i = 0; i < steps; i++) split_step(g, group_tiles(g, column + 16 * c), begin + i, planes[c][i]);
                    if (g->format == MNK_G12) d[c] = g12_scales(g, shape, column + 16 * c, group);
                }
                for (size_t row = first; row < first + panel; row += 16) {
                    size_t rows = first + panel - row < 16 ? first + panel - row : 16;
                    if (rows < 16) TILE_CONFIGURE_GROUPS(rows);
                    const int8_t *a = group_bytes(g, shape.steps, row, begin);
                    for (size_t c = 0; c < columns; c++) {
                        TILE_ZERO(0); TILE_ZERO(1); TILE_ZERO(2); TILE_ZERO(3);
                        for (size_t i = 0; i < steps; i++) {
                            TILE_LOAD(4, a + i * 128, shape.steps * 128);
                            TILE_LOAD(6, planes[c][i][0], 64);
                            TILE_DOT_BYTES(0, 4, 6);
                            TILE_LOAD(7, planes[c][i][1], 64);
                            TILE_DOT_BYTES(1, 4, 7);
                            TILE_LOAD(5, a + (i * 128 + 64), shape.steps * 128);
                            TILE_DOT_BYTES(2, 5, 6);
                            TILE_DOT_BYTES(3, 5, 7);
                        }
                        TILE_STORE(0, &sums[0][0][0], 64);
                        TILE_STORE(1, &sums[1][0][0], 64);
                        TILE_STORE(2, &sums[2][0][0], 64);
                        TILE_STORE(3, &sums[3][0][0], 64);
                        for (size_t i = 0; i < rows; i++)
                            add_group(sums, i, group_scale(g, shape.groups, row + i, group), d[c], total[row - first + i][c]);
                    }
                    if (rows < 16) TILE_CONFIGURE_GROUPS(16);
                }
            }
            for (size_t i = 0; i < panel; i++)
                for (size_t c = 0; c < columns; c++) {
                    if (g->format == MNK_G12) finish_tile(g, first + i, column + 16 * c, total[i][c]);
                    else finish_group(g, first + i, column + 16 * c, total[i][c]);
                }
        }
    }
    TILE_END();
}
