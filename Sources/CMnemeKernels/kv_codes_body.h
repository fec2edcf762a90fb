// One instance of the products of rows with codes, included by kv_codes.c for each instruction set:
// TARGET is its attribute, NAME(x) names the functions, PAIRS(sum, a, b) adds to each of sixteen
// 32-bit lanes the products of two neighbouring 16-bit ones.

/// Sums of `vectors`·16 columns over all rows of a matrix of codes. A code is widened once for all
/// rows of weights. Sums are exact, in whatever order they are made: there are two of each where
/// they are few, so that one need not wait for the other.
TARGET MNK_INLINE void NAME(sums)(int bits, size_t rows, size_t vectors, const code_products *a) {
    size_t chains = vectors * rows > 8 ? 1 : 2, each = bits == 8 ? 2 : 4, line = a->columns * 2;
    i32x16 s[2][CODE_ROWS][4];
    for (size_t u = 0; u < chains; u++)
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < vectors; c++) s[u][r][c] = (i32x16){0};
    const uint8_t *codes = a->codes, *next = a->next;
    const int16_t *weights = a->weights;
    for (size_t k = 0; k < a->length; k += each * 2)
        for (size_t half = 0; half < 2; half++, codes += line, next += line, weights += each) {
            size_t u = half % chains;
            for (size_t c = 0; c < vectors; c += 2) __builtin_prefetch(next + c * 32, 0, 2);
            for (size_t c = 0; c < vectors; c++) {
                u8x32 bytes;
                memcpy(&bytes, codes + c * 32, sizeof bytes);
                i16x32 wide = __builtin_convertvector(bytes, i16x32), low = bits == 8 ? wide : wide & 15, high = wide >> 4;
                for (size_t r = 0; r < rows; r++) {
                    s[u][r][c] = PAIRS(s[u][r][c], low, PAIR(weights + r * a->ldw));
                    if (bits == 4) s[u][r][c] = PAIRS(s[u][r][c], high, PAIR(weights + r * a->ldw + 2));
                }
            }
        }
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < vectors; c++) {
            i32x16 sum = chains == 2 ? s[0][r][c] + s[1][r][c] : s[0][r][c];
            memcpy(a->sums + r * CODE_COLUMNS + c * 16, &sum, sizeof sum);
        }
}

/// The same with numbers that the compiler knows.
TARGET static void NAME(products)(int bits, size_t rows, size_t vectors, const code_products *a) {
#define CASE(b, n, v) case b * 64 + n * 8 + v: NAME(sums)(b, n, v, a); break;
#define CASES(b, v) CASE(b, 1, v) CASE(b, 2, v) CASE(b, 3, v) CASE(b, 4, v)
    switch ((size_t)bits * 64 + rows * 8 + vectors) { CASES(8, 1) CASES(8, 2) CASES(8, 4) CASES(4, 2) }
#undef CASES
#undef CASE
}
