// Compares every path of this machine's kernels with the portable one, bit by bit, and prints a checksum of what each
// gave: where two machines print the same lines, their kernels give the same bits. The first difference ends it, with
// status 1.
//
// The paths go to the standard error stream, the comparisons to the standard output. See scripts/test-arm64.sh.
#include "groups.h"
#include "half.h"
#include "mneme_kernels.h"
#include "tiles.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

// MARK: Paths and comparisons

static struct { const char *name; uint32_t features; } paths[] = {
    {"avx2", MNK_AVX2},
    {"avx512", MNK_AVX2 | MNK_AVX512},
    {"vnni", MNK_AVX2 | MNK_AVX512 | MNK_AVX512_VNNI},
    {"amx", MNK_AVX2 | MNK_AVX512 | MNK_AVX512_VNNI | MNK_AMX_INT8},
    {"neon", MNK_NEON},
    {"dotprod", MNK_NEON | MNK_DOTPROD},
    {"i8mm", MNK_NEON | MNK_DOTPROD | MNK_I8MM},
    {"amx-emulated", MNK_AMX_EMULATED},
};
enum { PATHS = sizeof paths / sizeof *paths };

static int has_path(size_t p) { return (paths[p].features & ~(mnk_cpu_features() | MNK_AMX_EMULATED)) == 0; }

/// Ends the program if a path's bytes are not those expected.
static void expect_same(const char *name, const char *path, const void *found, const void *expected, size_t bytes) {
    const uint8_t *f = found, *e = expected;
    for (size_t i = 0; i < bytes; i++)
        if (f[i] != e[i]) {
            printf("%s: %s differs from the portable path at byte %zu of %zu: %02x instead of %02x\n", name, path, i,
                bytes, f[i], e[i]);
            exit(1);
        }
}

static void tell(const char *name, const void *bytes, size_t count) {
    uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
    for (size_t i = 0; i < count; i++) hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
    printf("%s: %016llx\n", name, (unsigned long long)hash);
    fflush(stdout);
}

/// Something that writes `bytes` bytes at `out`, whatever the features.
typedef void (*kernel)(uint32_t features, const void *arguments, void *out);

static void compare(const char *name, kernel run, const void *arguments, size_t bytes) {
    uint8_t *expected = calloc(bytes, 1), *found = calloc(bytes, 1);
    run(0, arguments, expected);
    for (size_t p = 0; p < PATHS; p++) {
        if (!has_path(p)) continue;
        memset(found, 0, bytes);
        run(paths[p].features, arguments, found);
        expect_same(name, paths[p].name, found, expected, bytes);
    }
    tell(name, expected, bytes);
    free(expected);
    free(found);
}

/// A name that stays until the next one.
__attribute__((format(printf, 1, 2))) static const char *named(const char *format, ...) {
    static char name[128];
    va_list list;
    va_start(list, format);
    vsnprintf(name, sizeof name, format, list);
    va_end(list);
    return name;
}

// MARK: Numbers that are the same on every machine

static uint64_t state = 1;
static uint32_t next_bits(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}
static float next_float(float range) { return (float)((int32_t)next_bits() >> 8) * 0x1p-23f * range; }
static float *floats(size_t count, float range) {
    float *x = malloc(count * sizeof *x);
    for (size_t i = 0; i < count; i++) x[i] = next_float(range);
    return x;
}
static void *random_bytes(size_t count) {
    uint8_t *x = malloc(count);
    for (size_t i = 0; i < count; i++) x[i] = (uint8_t)(next_bits() >> 7);
    return x;
}
/// A finite half of moderate size.
static uint16_t next_half(void) { return half_of(next_float(2)); }

// MARK: Products

enum { MAX_ROWS = 49, COLUMNS = 80 };

/// All row counts one behind the other, as each may be cut into blocks in its own way; the portable path computes
/// each row alone.
static void all_row_counts(uint32_t features, mnk_tiles g, float *y) {
    for (size_t rows = 1; rows <= MAX_ROWS; y += rows++ * COLUMNS) {
        for (size_t i = 0; i < rows * COLUMNS; i++) y[i] = 0.5f;
        g.m = rows;
        g.c = y;
        mnk_gemm_tiles(features, &g);
    }
}

typedef struct { mnk_tiles g; const float *x; int words_alone; } tiles_case;
static void run_tiles(uint32_t features, const void *arguments, void *out) {
    const tiles_case *c = arguments;
    size_t blocks = MAX_ROWS * c->g.k / 32;
    int8_t *codes = malloc(blocks * 64);
    float *scale = malloc(blocks * 4), *sum = malloc(blocks * 4), *y = out;
    int32_t *total = malloc(blocks * 4);
    mnk_quantize_blocks(features, c->x, MAX_ROWS * c->g.k, codes, scale, sum, total);
    mnk_tiles g = c->g;
    g.a = codes;
    g.a_scale = scale;
    g.a_sum = sum;
    g.a_total = total;
    all_row_counts(features, g, y);
    free(codes);
    free(scale);
    free(sum);
    free(total);
}

/// Codes of any value; scales between 1/16 and 1/2, some of them negative.
static uint8_t *random_tiles(int format, size_t n, size_t k) {
    size_t tiles = n / 16 * (k / 32), bytes = tiles * tile_bytes(format);
    uint8_t *b = malloc(bytes + 8192);  // some paths fetch ahead
    for (size_t i = 0; i < bytes; i++) b[i] = (uint8_t)(next_bits() >> 9);
    for (size_t i = 0; i + 1 < bytes; i += 2)
        if (i % tile_bytes(format) >= CODE_BYTES) b[i + 1] = (uint8_t)((b[i + 1] & 0x80) | (0x2c + b[i + 1] % 12));
    return b;
}

static void test_tiles(void) {
    static const struct { const char *name; int format; } formats[] = {{"q8", MNK_Q8}, {"z8", MNK_Z8}};
    static const size_t depths[] = {32, 96, 160};
    size_t outputs = MAX_ROWS * (MAX_ROWS + 1) / 2 * COLUMNS;
    for (size_t f = 0; f < 2; f++)
        for (size_t d = 0; d < 3; d++) {
            int format = formats[f].format;
            size_t k = depths[d];
            tiles_case c = {.x = floats(MAX_ROWS * k, 3)};
            c.g = (mnk_tiles){.b = random_tiles(format, COLUMNS, k), .format = format, .n = COLUMNS, .k = k,
                .n_end = COLUMNS, .ldc = COLUMNS};
            if (d == 1) c.g.bias = floats(COLUMNS, 1);
            if (d == 1) c.g.n_begin = 16;
            c.g.accumulate = d == 2;
            compare(named("gemm_tiles %s, 1 to %d rows, k %zu", formats[f].name, MAX_ROWS, k), run_tiles, &c,
                outputs * sizeof(float));
            free((void *)c.x);
            free((void *)c.g.b);
            free((void *)c.g.bias);
        }
    // The highest sums there are: codes and inputs at their ends.
    for (size_t f = 0; f < 2; f++)
        for (int sign = -1; sign <= 1; sign += 2) {
            int format = formats[f].format;
            size_t k = 64;
            float *x = malloc(MAX_ROWS * k * sizeof *x);
            for (size_t i = 0; i < MAX_ROWS * k; i++) x[i] = (float)sign;
            uint8_t *b = random_tiles(format, COLUMNS, k);
            for (size_t i = 0; i < COLUMNS / 16 * (k / 32) * tile_bytes(format); i++)
                if (i % tile_bytes(format) < CODE_BYTES) b[i] = 0xff;
            tiles_case c = {.x = x};
            c.g = (mnk_tiles){.b = b, .format = format, .n = COLUMNS, .k = k, .n_end = COLUMNS, .ldc = COLUMNS};
            compare(named("gemm_tiles %s, highest codes, inputs of %d", formats[f].name, sign), run_tiles, &c,
                outputs * sizeof(float));
            free(x);
            free(b);
        }
}

/// As run_tiles, over groups.
static void run_groups(uint32_t features, const void *arguments, void *out) {
    const tiles_case *c = arguments;
    size_t width = mnk_group_width(c->g.k), groups = mnk_group_count(c->g.k);
    int8_t *bytes = malloc(MAX_ROWS * 2 * width);
    int16_t *words = malloc(MAX_ROWS * 2 * width);
    float *scale = malloc(MAX_ROWS * groups * 4), *y = out;
    int32_t *totals = malloc(MAX_ROWS * width / 64 * GROUP_TOTALS * 4);
    mnk_quantize_groups(features, c->x, MAX_ROWS, c->g.k, c->words_alone ? NULL : bytes, words, scale, totals);
    mnk_tiles g = c->g;
    g.a = c->words_alone ? NULL : bytes;
    g.a_words = words;
    g.a_scale = scale;
    g.a_total = totals;
    all_row_counts(features, g, y);
    free(bytes), free(words), free(scale), free(totals);
}

/// Codes of any value, scales and offsets whose words just fit; `ends`: all of them as large as can
/// be, of one sign.
static uint8_t *random_g4(int format, size_t n, size_t k, int ends) {
    size_t steps = mnk_group_width(k) / 64, tile = group_tile(format), bytes = n / 16 * group_panel(format, k);
    uint8_t *b = malloc(bytes + 8192);  // some paths fetch ahead
    for (size_t i = 0; i < bytes; i++) b[i] = ends ? 0xff : (uint8_t)(next_bits() >> 9);
    for (size_t column = 0; column < n; column++) {
        uint8_t *panel = b + column / 16 * group_panel(format, k);
        float unit = ends ? 1e-4f : next_float(1e-4f);
        memcpy(panel + steps * tile + column % 16 * 4, &unit, 4);
        for (size_t half = 0; half < 2 * steps; half++) {
            // The largest s makes words of -8 s + t and 7 s + t that are 16190 apart from zero, without t of -8 s.
            int most = format == MNK_Z4 ? 2023 : 2158;
            int16_t s = (int16_t)(ends ? most : (int)(next_bits() % (uint32_t)(2 * most + 1)) - most);
            int room = 16191 - 8 * abs(s) > 0 ? 16191 - 8 * abs(s) : 0, least = ends ? 16191 - 7 * 2158 : 0;
            int16_t offset = ends ? (int16_t)least : (int16_t)((int)(next_bits() % (uint32_t)(2 * room + 1)) - room);
            if (!ends && abs(s) > 2023) offset = (int16_t)(s > 0 ? 16191 - 7 * s : -16191 - 7 * s);
            memcpy(panel + half / 2 * tile + GROUP_SCALES + half % 2 * 32 + column % 16 * 2, &s, 2);
            if (format == MNK_G4)
                memcpy(panel + half / 2 * tile + GROUP_OFFSETS + column % 16 * 4 + half % 2 * 2, &offset, 2);
        }
    }
    return b;
}

/// Codes of -2047 to 2047; `ends`: all of them at one of these.
static uint8_t *random_g12(size_t n, size_t k, int ends) {
    size_t steps = mnk_group_width(k) / 64, panel = group_panel(MNK_G12, k), codes = steps * 2 * G12_TILE;
    uint8_t *b = malloc(n / 16 * panel + 8192);  // some paths fetch ahead
    for (size_t i = 0; i < n / 16 * panel; i += 2) {
        uint16_t word = (uint16_t)(next_bits() >> 9);
        // The lowest code there is, -2048, is none that weights are packed to.
        if ((word & 0xfff0) == 0x8000) word |= 16;
        if ((word & 15) == 8) word ^= 1;
        if (ends) word = i / 64 % 3 == 2 ? 0x7ff7 : 0x7fff;
        memcpy(b + i, &word, 2);
        if (i % panel < codes || i % 4) continue;
        float d = ends ? 1e-4f : next_float(1e-4f);
        memcpy(b + i, &d, 4), i += 2;
    }
    return b;
}

static void test_groups(void) {
    static const struct { const char *name; int format; } formats[] = {{"g4", MNK_G4}, {"z4", MNK_Z4}, {"g12", MNK_G12}};
    static const size_t depths[] = {32, 96, 256, 320, 576};
    size_t outputs = MAX_ROWS * (MAX_ROWS + 1) / 2 * COLUMNS;
    for (size_t f = 0; f < 3; f++)
        for (size_t d = 0; d < 5; d++)
            for (int ends = 0; ends < 2; ends++) {
                int format = formats[f].format, wide = format == MNK_G12;
                size_t k = depths[d];
                float *x = floats(MAX_ROWS * k, 3);
                if (ends)
                    for (size_t i = 0; i < MAX_ROWS * k; i++) x[i] = i / k % 2 ? 1 : -1;
                tiles_case c = {.x = x};
                c.g = (mnk_tiles){.b = wide ? random_g12(COLUMNS, k, ends) : random_g4(format, COLUMNS, k, ends),
                    .format = format, .n = COLUMNS, .k = k, .n_end = COLUMNS, .ldc = COLUMNS};
                if (d == 1) c.g.bias = floats(COLUMNS, 1);
                if (d == 1) c.g.n_begin = 16;
                c.g.accumulate = d == 2;
                compare(named("gemm_tiles %s%s, 1 to %d rows, k %zu", formats[f].name, ends ? ", highest codes" : "",
                            MAX_ROWS, k), run_groups, &c, outputs * sizeof(float));
                // Without bytes AMX leaves the rows to vectors.
                c.words_alone = 1;
                if (wide && d == 3)
                    compare(named("gemm_tiles g12%s, words alone", ends ? ", highest codes" : ""), run_groups, &c,
                        outputs * sizeof(float));
                free(x);
                free((void *)c.g.b);
                free((void *)c.g.bias);
            }
}

static void run_int8(uint32_t features, const void *arguments, void *out) {
    mnk_gemm g = *(const mnk_gemm *)arguments;
    float *y = out;
    for (size_t rows = 1; rows <= MAX_ROWS; y += rows++ * COLUMNS) {
        g.m = rows;
        g.c = y;
        mnk_gemm_int8(features, &g);
    }
}
static void run_f32(uint32_t features, const void *arguments, void *out) {
    mnk_gemm g = *(const mnk_gemm *)arguments;
    float *y = out;
    for (size_t rows = 1; rows <= MAX_ROWS; y += rows++ * COLUMNS) {
        g.m = rows;
        g.c = y;
        mnk_gemm_f32(features, &g);
    }
}

static void test_gemm(void) {
    enum { K = 128 };
    size_t outputs = MAX_ROWS * (MAX_ROWS + 1) / 2 * COLUMNS;
    float *w = floats(COLUMNS * K, 1), *input_scale = floats(K, 1), *bias = floats(COLUMNS, 1);
    float *residual = floats(MAX_ROWS * COLUMNS, 1);
    float *packed_f32 = malloc(COLUMNS * K * 4 + 8192), *a_f32 = floats(MAX_ROWS * K, 2), b_scale[COLUMNS],
        a_scale[MAX_ROWS];
    int8_t *packed = malloc(COLUMNS * K + 8192);
    int32_t b_sum[COLUMNS], a_zero[MAX_ROWS];
    uint8_t *a = random_bytes(MAX_ROWS * K);
    memset(a, 255, K);  // the first row and the first column at their ends
    for (size_t i = 0; i < K; i++) w[i] = 1, input_scale[i] = 1;
    mnk_pack_f32(w, COLUMNS, K, packed_f32);
    mnk_pack_int8(w, COLUMNS, K, input_scale, packed, b_scale, b_sum);
    tell("pack_f32", packed_f32, COLUMNS * K * 4);
    tell("pack_int8", packed, COLUMNS * K);
    tell("pack_int8, sums", b_sum, sizeof b_sum);
    for (size_t i = 0; i < MAX_ROWS; i++) {
        a_scale[i] = (float)(i + 1) / 512;
        a_zero[i] = (int32_t)(next_bits() % 256);
    }
    for (int epilogue = MNK_EPILOGUE_BIAS; epilogue <= MNK_EPILOGUE_RESIDUAL; epilogue++) {
        mnk_gemm g = {.a = a, .lda = K, .b = packed, .n = COLUMNS, .k = K, .n_end = COLUMNS, .bias = bias,
            .epilogue = epilogue, .residual = residual, .ldc = COLUMNS, .a_scale = a_scale, .a_zero = a_zero,
            .b_scale = b_scale, .b_sum = b_sum};
        g.n_begin = epilogue == MNK_EPILOGUE_GELU ? 16 : 0;
        compare(named("gemm_int8, 1 to %d rows, epilogue %d", MAX_ROWS, epilogue), run_int8, &g,
            outputs * sizeof(float));
        g.a = a_f32;
        g.b = packed_f32;
        compare(named("gemm_f32, 1 to %d rows, epilogue %d", MAX_ROWS, epilogue), run_f32, &g, outputs * sizeof(float));
    }
    free(w);
    free(input_scale);
    free(bias);
    free(residual);
    free(packed_f32);
    free(a_f32);
    free(packed);
    free(a);
}

// MARK: Codes of inputs

enum { VALUES = 4096 };

/// Blocks of zeros, of very small and of very large numbers among others.
static float *mixed_floats(void) {
    float *x = floats(VALUES, 4);
    for (size_t i = 0; i < 32; i++) {
        x[i] = 0;
        x[64 + i] = -0.0f;
        x[128 + i] *= 0x1p-140f;
        x[192 + i] *= 0x1p100f;
        x[256 + i] = i == 7 ? 0.25f : 0;
    }
    return x;
}

typedef struct { const float *x; size_t columns; int bytes, words; } groups_case;
typedef struct {
    int8_t codes[2 * VALUES];
    float scale[VALUES / 32], sum[VALUES / 32];
    int32_t total[VALUES / 32];
} blocks_result;
static void run_quantize_blocks(uint32_t features, const void *arguments, void *out) {
    blocks_result *r = out;
    mnk_quantize_blocks(features, arguments, VALUES, r->codes, r->scale, r->sum, r->total);
}

typedef struct {
    int8_t bytes[4 * VALUES];
    int16_t words[2 * VALUES];
    float scale[VALUES];
    int32_t totals[VALUES];
} groups_result;
static void run_quantize_groups(uint32_t features, const void *arguments, void *out) {
    const groups_case *c = arguments;
    groups_result *r = out;
    mnk_quantize_groups(features, c->x, VALUES / c->columns, c->columns, c->bytes ? r->bytes : NULL,
        c->words ? r->words : NULL, r->scale, r->totals);
}

typedef struct { const float *x, *input_scale; size_t columns; } rows_case;
typedef struct { uint8_t y[VALUES]; float scale[VALUES / 16]; int32_t zero[VALUES / 16]; } rows_result;
static void run_quantize_rows(uint32_t features, const void *arguments, void *out) {
    const rows_case *c = arguments;
    rows_result *r = out;
    mnk_quantize_rows(features, c->x, VALUES / c->columns, c->columns, c->input_scale, r->y, r->scale, r->zero);
}

static void test_quantize(void) {
    float *x = mixed_floats(), *scale = floats(256, 1);
    compare("quantize_blocks", run_quantize_blocks, x, sizeof(blocks_result));
    for (size_t columns = 32; columns <= 512; columns *= 4)
        for (int which = 0; which < 3; which++) {
            groups_case c = {x, columns, which != 1, which != 2};
            compare(named("quantize_groups of %zu%s", columns, which == 0 ? "" : which == 1 ? ", words alone" : ", bytes alone"),
                run_quantize_groups, &c, sizeof(groups_result));
        }
    for (size_t columns = 16; columns <= 256; columns *= 4)
        for (int scaled = 0; scaled < 2; scaled++) {
            rows_case c = {x, scaled ? scale : NULL, columns};
            compare(named("quantize_rows of %zu%s", columns, scaled ? ", scaled" : ""), run_quantize_rows, &c,
                sizeof(rows_result));
        }
    free(x);
    free(scale);
}

// MARK: Layers

typedef struct { const float *x, *y, *z; size_t columns; int flag; } layer_case;
static void run_layer_norm(uint32_t f, const void *a, void *out) {
    const layer_case *c = a;
    mnk_layer_norm(f, c->x, c->y, c->z, 1e-12f, VALUES / c->columns, c->columns, out);
}
static void run_rms_norm(uint32_t f, const void *a, void *out) {
    const layer_case *c = a;
    memcpy(out, c->z, VALUES * sizeof(float));
    mnk_rms_norm(f, c->x, c->y, 1e-5f, VALUES / c->columns, c->columns, c->flag, out);
}
static void run_gate(uint32_t f, const void *a, void *out) {
    const layer_case *c = a;
    memcpy(out, c->x, VALUES * sizeof(float));
    mnk_gate(f, out, c->y, VALUES, c->flag);
}
static void run_soft_cap(uint32_t f, const void *a, void *out) {
    const layer_case *c = a;
    memcpy(out, c->x, VALUES * sizeof(float));
    mnk_soft_cap(f, out, VALUES, 30);
}
static void run_mean_pool(uint32_t f, const void *a, void *out) {
    const layer_case *c = a;
    mnk_mean_pool(f, c->x, VALUES / c->columns, c->columns, out);
}
static void run_dots(uint32_t f, const void *a, void *out) {
    const layer_case *c = a;
    for (size_t n = 0; n < 200; n++) ((float *)out)[n] = mnk_dot_f32(f, c->x, c->y, n);
}
static void run_read_memory(uint32_t f, const void *a, void *out) {
    const layer_case *c = a;
    *(uint32_t *)out = mnk_read_memory(f, c->x, VALUES * sizeof(float));
}

static void test_layers(void) {
    float *x = floats(VALUES, 20), *y = floats(VALUES, 1), *z = floats(VALUES, 1), *turned = floats(VALUES, 2);
    for (size_t columns = 16; columns <= 256; columns *= 4) {
        layer_case c = {x, y, z, columns, 0};
        compare(named("layer_norm of %zu", columns), run_layer_norm, &c, VALUES * sizeof(float));
        compare(named("rms_norm of %zu", columns), run_rms_norm, &c, VALUES * sizeof(float));
        compare(named("mean_pool of %zu", columns), run_mean_pool, &c, columns * sizeof(float));
        c.flag = 1;
        compare(named("rms_norm of %zu, added", columns), run_rms_norm, &c, VALUES * sizeof(float));
    }
    layer_case c = {x, y, z, 0, 0};
    compare("gate, SiLU", run_gate, &c, VALUES * sizeof(float));
    compare("soft_cap", run_soft_cap, &c, VALUES * sizeof(float));
    compare("dot_f32 of 0 to 199", run_dots, &c, 200 * sizeof(float));
    compare("read_memory", run_read_memory, &c, sizeof(uint32_t));
    c.flag = 1;
    compare("gate, GELU", run_gate, &c, VALUES * sizeof(float));
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        mnk_rope(turned, VALUES / 64, 64, 24, y, z, interleaved);
        tell(interleaved ? "rope, interleaved" : "rope", turned, VALUES * sizeof(float));
    }
    free(x);
    free(y);
    free(z);
    free(turned);
}

// MARK: Halves

enum { HALVES = 1 << 16 };

/// Near each border of what a half can hold, and everywhere between.
static void run_to_half(uint32_t f, const void *a, void *out) { mnk_to_half(f, a, HALVES, out); }
static void run_store_keys(uint32_t f, const void *a, void *out) { mnk_store_keys(f, a, 128, out); }

typedef struct {
    const uint16_t *keys;
    const float *cosine, *sine;
    size_t heads, dim, half, from, to, count;
    int interleaved;
} move_case;
static void run_move_keys(uint32_t f, const void *a, void *out) {
    const move_case *c = a;
    mnk_move_keys(f, c->keys, c->from, out, c->to, c->count, c->heads, c->dim, c->half, c->cosine, c->sine,
        c->interleaved);
}

static void test_halves(void) {
    float *x = malloc(HALVES * sizeof *x), *cosine = floats(64, 1), *sine = floats(64, 1);
    uint16_t *every = malloc(HALVES * sizeof *every);
    for (size_t i = 0; i < HALVES; i++) {
        // Any exponent around those of halves, with a rest that is often a tie.
        uint32_t bits = next_bits(), exponent = 127 - 28 + bits % 48;
        uint32_t rest = bits >> 8 & 1 ? (bits >> 9 & 0x3ff) << 13 | 0x1000 : bits >> 9;
        uint32_t all = (bits & 0x80u) << 24 | exponent << 23 | (rest & 0x7fffff);
        memcpy(x + i, &all, 4);
        every[i] = (i & 0x7c00) == 0x7c00 ? 0 : (uint16_t)i;  // every finite half
    }
    static const float borders[] = {65504, 65519.996f, 65520, -1e30f, 0, -0.0f, 0x1p-24f, 0x1p-25f, 0x1.8p-25f};
    memcpy(x, borders, sizeof borders);
    compare("to_half", run_to_half, x, HALVES * 2);
    compare("store_keys", run_store_keys, x, 128 * 2 * MNK_KV_BLOCK);
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        move_case c = {every, cosine, sine, HALVES / (64 * MNK_KV_BLOCK), 64, 32, 0, 0, MNK_KV_BLOCK, interleaved};
        compare(named("move_keys%s, every half", interleaved ? ", interleaved" : ""), run_move_keys, &c, HALVES * 2);
        c.half = 20, c.from = 3, c.to = 11, c.count = 17;
        compare(named("move_keys%s, a part", interleaved ? ", interleaved" : ""), run_move_keys, &c, HALVES * 2);
    }
    float *y = malloc(HALVES * sizeof *y);
    mnk_dequantize(1, every, HALVES, y);
    tell("float of every half", y, HALVES * sizeof *y);
    free(x);
    free(cosine);
    free(sine);
    free(every);
    free(y);
}

// MARK: Codecs, checksums

typedef struct { const uint16_t *source; int bits; size_t groups, wide; } codec_case;
static void run_codec(uint32_t f, const void *a, void *out) {
    const codec_case *c = a;
    size_t bytes = mnk_encoded_bytes(c->bits, c->groups, c->wide);
    mnk_encode_groups(f, c->bits, c->source, c->groups, c->wide, out);
    mnk_decode_groups(f, c->bits, out, c->groups, c->wide, (uint16_t *)(void *)((uint8_t *)out + (bytes + 1) / 2 * 2));
}

static void run_checksums(uint32_t f, const void *a, void *out) {
    for (size_t n = 0; n < 300; n++) mnk_checksum(f, (const uint8_t *)a + n % 7, n, (uint32_t *)out + 4 * n);
}

static void test_codecs(void) {
    enum { GROUPS = 64 };
    uint16_t *source = malloc(GROUPS * 32 * 2);
    for (size_t i = 0; i < GROUPS * 32; i++)
        source[i] = i / 32 == 5 ? half_of(0.75f) : half_of(next_float((float)(1 + i / 32)));
    for (int bits = 2; bits <= 8; bits *= 2)
        for (size_t wide = 0; wide <= GROUPS && (bits < 8 || wide == 0); wide += GROUPS / 4) {
            codec_case c = {source, bits, GROUPS, wide};
            compare(named("codec of %d bits, %zu wide", bits, wide), run_codec, &c,
                mnk_encoded_bytes(bits, GROUPS, wide) + 1 + GROUPS * 64);
        }
    free(source);
    uint8_t *bytes = random_bytes(512);
    compare("checksum of 0 to 299 bytes", run_checksums, bytes, 300 * 16);
    free(bytes);
    uint32_t known[4], expected = 0xe3069283;  // of RFC 3720's kind, for "123456789"
    for (size_t p = 0; p < PATHS; p++) {
        if (!has_path(p)) continue;
        mnk_checksum(paths[p].features, "123456789", 9, known);
        expect_same("checksum of 123456789", paths[p].name, known + 3, &expected, 4);
    }
    tell("checksum of 123456789", &expected, 4);
}

// MARK: Attention of the encoder

typedef struct { const float *qkv; size_t tokens, heads, dim; } encoder_case;
static void run_encoder_attention(uint32_t f, const void *a, void *out) {
    const encoder_case *c = a;
    float *scratch = malloc(mnk_attention_scratch(c->tokens, c->dim) * sizeof *scratch);
    mnk_attention(f, c->qkv, c->tokens, c->heads, c->dim, 0, c->heads, out, scratch);
    free(scratch);
}

static void test_encoder_attention(void) {
    static const size_t dims[] = {16, 32, 64, 128}, tokens[] = {1, 2, 5, 16, 33, 70};
    for (size_t d = 0; d < 4; d++)
        for (size_t t = 0; t < 6; t++) {
            encoder_case c = {floats(tokens[t] * 3 * 2 * dims[d], 3), tokens[t], 2, dims[d]};
            compare(named("attention of %zu tokens, heads of %zu", tokens[t], dims[d]), run_encoder_attention, &c,
                tokens[t] * 2 * dims[d] * sizeof(float));
            free((void *)c.qkv);
        }
}

// MARK: Attention of the decoder

/// Attention with all its units at once or, with `split`, by partials that are merged.
typedef struct { mnk_decoder_attention a; int split; } decoder_case;
static void run_attend(uint32_t f, const void *arguments, void *out) {
    const decoder_case *c = arguments;
    mnk_decoder_attention a = c->a;
    a.out = out;
    a.ldo = a.heads * a.dim;
    float *scratch = calloc(mnk_decoder_scratch(a.heads, a.kv_heads, a.dim), sizeof *scratch);
    if (c->split) a.partials = calloc(mnk_decoder_partials(&a), sizeof *a.partials);
    mnk_attend(f, &a, 0, mnk_decoder_units(&a), scratch);
    if (c->split) mnk_merge_partials(&a, 0, a.kv_heads);
    free(a.partials);
    free(scratch);
}
static void run_mass(uint32_t f, const void *arguments, void *out) {
    const decoder_case *c = arguments;
    mnk_attention_mass(f, &c->a, c->a.kv_heads - 1, c->a.tokens < 3 ? c->a.tokens : 3, out, NULL);
}

/// Two sequences that have their first span in common.
static void run_shared(uint32_t f, const void *arguments, void *out) {
    const decoder_case *c = arguments;
    mnk_decoder_attention members[2] = {c->a, c->a};
    const mnk_decoder_attention *both[2] = {members, members + 1};
    size_t row = c->a.heads * c->a.dim;
    float *scratch = calloc(mnk_decoder_scratch(c->a.heads, c->a.kv_heads, c->a.dim), sizeof *scratch);
    for (size_t m = 0; m < 2; m++) {
        members[m].q += m * row;
        members[m].position -= m * 37;
        members[m].out = (float *)out + m * row;
        members[m].ldo = row;
        members[m].first_span = 1;
        members[m].partials = calloc(mnk_decoder_partials(members + m), sizeof(float));
    }
    mnk_attend_shared(f, both, 2, 0, 0, c->a.kv_heads, scratch);
    for (size_t m = 0; m < 2; m++) {
        mnk_attend(f, members + m, 0, mnk_decoder_units(members + m), scratch);
        mnk_merge_partials(members + m, 0, c->a.kv_heads);
        free(members[m].partials);
    }
    free(scratch);
}

static void test_decoder_attention(void) {
    enum { POSITIONS = 1216, BLOCKS = POSITIONS / MNK_KV_BLOCK };
    static const struct {
        size_t tokens, position, heads, kv_heads, dim, window;
        float cap;
        int table, places, many;
    } cases[] = {
        {1, 0, 2, 1, 16, 0, 0, 0, 0, 0},     {1, 700, 4, 2, 64, 0, 0, 1, 0, 0},   {1, 1100, 3, 1, 80, 0, 30, 1, 0, 0},
        {5, 3, 4, 4, 32, 0, 0, 0, 0, 0},     {33, 40, 4, 2, 64, 0, 0, 1, 0, 0},   {18, 600, 8, 2, 48, 100, 0, 1, 0, 0},
        {7, 90, 4, 1, 128, 33, 20, 1, 0, 0}, {9, 1000, 6, 2, 64, 0, 0, 1, 1, 0},  {2, 640, 2, 2, 256, 0, 50, 0, 0, 1},
        {16, 1030, 2, 1, 64, 0, 0, 1, 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t dim = cases[i].dim, heads = cases[i].heads, kv = cases[i].kv_heads, tokens = cases[i].tokens;
        size_t stride = kv * dim * MNK_KV_BLOCK, end = cases[i].position + tokens;
        uint16_t *keys = malloc(BLOCKS * stride * 2), *values = malloc(BLOCKS * stride * 2);
        int32_t table[BLOCKS], places[64];
        for (size_t e = 0; e < BLOCKS * stride; e++) keys[e] = next_half(), values[e] = next_half();
        for (size_t b = 0; b < BLOCKS; b++) table[b] = (int32_t)((b * 7 + 3) % BLOCKS);
        for (size_t t = 0; t < tokens; t++) places[t] = (int32_t)(end - 1 - 3 * (tokens - 1 - t));
        float *q = floats((tokens > 2 ? tokens : 2) * heads * dim, 2);
        decoder_case c = {.a = {.q = q, .ldq = heads * dim, .keys = keys, .values = values, .block_stride = stride,
            .tokens = tokens, .position = cases[i].position, .heads = heads, .kv_heads = kv, .dim = dim,
            .window = cases[i].window, .scale = 0.125f, .cap = cases[i].cap}};
        if (cases[i].table) c.a.table = table;
        if (cases[i].places) c.a.places = places;
        float logs[POSITIONS];
        for (size_t e = 0; e < POSITIONS; e++) logs[e] = e % 9 == 7 ? 0.5f * (float)(e % 8) : 0;
        logs[33] = -__builtin_inff();
        if (cases[i].many) c.a.row_logs = logs;
        const char *kind = cases[i].window ? ", windowed" : cases[i].places ? ", apart" : "";
        const char *what = cases[i].many ? ", some for many" : kind;
        compare(named("attend, %zu tokens at %zu, heads of %zu%s", tokens, cases[i].position, dim, what), run_attend,
            &c, tokens * heads * dim * sizeof(float));
        compare(named("attention_mass, %zu tokens at %zu, heads of %zu%s", tokens, cases[i].position, dim, what),
            run_mass, &c, end * sizeof(float));
        if (mnk_decoder_partials(&c.a)) {
            c.split = 1;
            compare(named("attend by spans, %zu tokens at %zu, heads of %zu%s", tokens, cases[i].position, dim, what),
                run_attend, &c, tokens * heads * dim * sizeof(float));
        }
        if (tokens == 1 && cases[i].position > 2 * MNK_SPAN)
            compare("attend_shared", run_shared, &c, 2 * heads * dim * sizeof(float));
        free(keys);
        free(values);
        free(q);
    }
}

/// A page of codes, and what it holds.
typedef struct { const uint16_t *keys, *values; size_t dim; int bits; } page_case;
static void run_encode_page(uint32_t f, const void *arguments, void *out) {
    const page_case *c = arguments;
    mnk_encode_kv_page(f, c->bits, c->keys, c->values, c->dim, out);
}
static void run_decode_page(uint32_t f, const void *arguments, void *out) {
    const page_case *c = arguments;
    uint8_t *codes = malloc(mnk_kv_page_bytes(c->bits, c->dim));
    mnk_encode_kv_page(0, c->bits, c->keys, c->values, c->dim, codes);
    mnk_decode_kv_page(f, c->bits, codes, c->dim, out, (uint16_t *)out + c->dim * MNK_KV_BLOCK);
    free(codes);
}

/// Attention over pages of one head, two thirds of them of codes; and that a token is answered the
/// same alone and among others.
static void test_coded_attention(void) {
    enum { PAGES = 38, TOKENS = 18, HEADS = 3, UNIT = 32 };
    static const struct { size_t dim, position; int bits; } cases[] = {{64, 700, 8}, {64, 1100, 4}, {16, 40, 8}, {80, 513, 8}, {128, 600, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t dim = cases[i].dim, part = dim * MNK_KV_BLOCK;
        uint16_t *pages = malloc(PAGES * part * 4), *whole = malloc(part * 4);
        int32_t table[PAGES];
        for (size_t b = 0; b < PAGES; b++) {
            uint16_t *page = pages + b * 2 * part;
            for (size_t e = 0; e < 2 * part; e++) page[e] = next_half();
            table[b] = (int32_t)(b * 2 * part / UNIT);
            page_case c = {page, page + part, dim, cases[i].bits};
            if (b == 1) {
                compare(named("encode_kv_page, %d bits, heads of %zu", c.bits, dim), run_encode_page, &c, mnk_kv_page_bytes(c.bits, dim));
                compare(named("decode_kv_page, %d bits, heads of %zu", c.bits, dim), run_decode_page, &c, part * 4);
            }
            if (b % 3 == 0) continue;
            memcpy(whole, page, part * 4);
            mnk_encode_kv_page(0, cases[i].bits, whole, whole + part, dim, (uint8_t *)page);
            table[b] = ~table[b];
        }
        float *q = floats(TOKENS * HEADS * dim, 2), *all = malloc(TOKENS * HEADS * dim * sizeof *all), *one = malloc(HEADS * dim * sizeof *one);
        decoder_case c = {.a = {.q = q, .ldq = HEADS * dim, .keys = pages, .values = pages + part, .block_stride = UNIT, .table = table,
            .tokens = TOKENS, .position = cases[i].position, .heads = HEADS, .kv_heads = 1, .dim = dim, .scale = 0.125f, .coded_bits = cases[i].bits}};
        const char *what = named("attend to codes of %d bits at %zu, heads of %zu", cases[i].bits, cases[i].position, dim);
        compare(what, run_attend, &c, TOKENS * HEADS * dim * sizeof(float));
        compare(named("attention_mass of codes of %d bits at %zu, heads of %zu", cases[i].bits, cases[i].position, dim), run_mass, &c,
            (cases[i].position + TOKENS) * sizeof(float));
        run_attend(0, &c, all);
        c.a.q += (TOKENS - 1) * HEADS * dim;
        c.a.position += TOKENS - 1;
        c.a.tokens = 1;
        run_attend(0, &c, one);
        expect_same("attend to codes", "a token alone", one, all + (TOKENS - 1) * HEADS * dim, HEADS * dim * sizeof(float));
        free(pages), free(whole), free(q), free(all), free(one);
    }
}

/// Pages by the vectors that stand for them, and what they are worth to all queries together.
typedef struct { const float *q; const uint16_t *vectors; size_t rows, dim, count, pages; } select_case;
static void run_select(uint32_t f, const void *arguments, void *out) {
    const select_case *c = arguments;
    size_t padded = (c->pages + 15) / 16 * 16;
    float *scores = out;
    mnk_score_pages(f, c->q, c->dim, c->rows, c->dim, 0.125f, c->vectors, c->count, c->pages, scores);
    mnk_page_worth(f, scores, c->rows, 1, c->pages - 1, scores + c->rows * padded);
}
static void test_selection(void) {
    static const struct { size_t rows, dim, count, pages; } cases[] = {{3, 64, 1, 40}, {8, 80, 2, 5}, {1, 128, 2, 48}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t padded = (cases[i].pages + 15) / 16 * 16, count = padded * cases[i].dim * cases[i].count;
        uint16_t *vectors = malloc(count * 2);
        for (size_t e = 0; e < count; e++) vectors[e] = next_half();
        float *q = floats(cases[i].rows * cases[i].dim, 2);
        select_case c = {q, vectors, cases[i].rows, cases[i].dim, cases[i].count, cases[i].pages};
        compare(named("%zu pages by %zu vectors of %zu", c.pages, c.count, c.dim), run_select, &c, (c.rows + 1) * padded * sizeof(float));
        free(vectors), free(q);
    }
}

// MARK: Graph

enum { NODES = 240, DEGREE = 16, BEAM = 24, QUERIES = 12 };

typedef struct { const uint8_t *records, *residuals; const float *queries; size_t dimension; } graph_case;

/// Scores, refined scores and sums of all records.
static void run_scores(uint32_t f, const void *arguments, void *out) {
    const graph_case *c = arguments;
    size_t stride = mnk_graph_stride(c->dimension, DEGREE);
    uint32_t ids[NODES];
    float *y = out;
    for (uint32_t i = 0; i < NODES; i++) ids[i] = (i * 37) % NODES;
    int8_t *codes = malloc(mnk_code_bytes(c->dimension));
    for (size_t q = 0; q < QUERIES; q++) {
        const float *query = c->queries + q * c->dimension;
        float scale = mnk_encode_query(query, c->dimension, codes);
        mnk_graph_scores(f, c->records, stride, c->dimension, codes, scale, ids, NODES, y);
        y += NODES;
        for (size_t i = 0; i < NODES; i++)
            *y++ = mnk_refine(f, query, c->records + i * stride, c->residuals + i * ((c->dimension + 1) / 2),
                c->dimension);
    }
    for (size_t i = 0; i < NODES; i++)
        mnk_add_record(f, c->records + i * stride, c->residuals + i * ((c->dimension + 1) / 2), c->dimension, y);
    free(codes);
}

/// Inserts all records, lets some die, repairs the links around them, and searches.
static void run_graph(uint32_t f, const void *arguments, void *out) {
    const graph_case *c = arguments;
    size_t stride = mnk_graph_stride(c->dimension, DEGREE);
    uint8_t *records = out, *locks = calloc(MNK_GRAPH_LOCKS, 1);
    uint64_t seen[NODES / 64 + 1], dead[NODES / 64 + 1] = {0}, allowed[NODES / 64 + 1] = {0};
    uint32_t ids[BEAM + 2], *gathered = malloc(MNK_GATHERED * 4), expanded[MNK_EXPANDED];
    float scores[BEAM + 2], expanded_scores[MNK_EXPANDED];
    mnk_graph_scratch s = {seen, ids, scores, gathered, expanded, expanded_scores, 0};
    memcpy(records, c->records, NODES * stride);
    mnk_graph g = {records, stride, c->dimension, DEGREE, NODES, 0, dead, locks};
    for (uint32_t i = 1; i < NODES; i++) mnk_graph_insert(f, &g, i, BEAM, 1.2f, &s);
    for (uint32_t i = 0; i < NODES; i++) {
        mnk_set_bit(dead, i, i % 9 == 4);
        mnk_set_bit(allowed, i, i % 3 == 1);
    }
    for (uint32_t i = 0; i < NODES; i++) mnk_graph_repair(f, &g, i, 1.2f, &s);
    uint32_t *found = (uint32_t *)(void *)(records + NODES * stride);
    int8_t *codes = malloc(mnk_code_bytes(c->dimension));
    for (size_t q = 0; q < QUERIES; q++)
        for (int filtered = 0; filtered < 2; filtered++, found += 2 * BEAM) {
            float scale = mnk_encode_query(c->queries + q * c->dimension, c->dimension, codes);
            size_t count = mnk_graph_search(f, &g, codes, scale, BEAM, filtered ? allowed : NULL, &s);
            memcpy(found, ids, count * 4);
            memcpy(found + BEAM, scores, count * 4);
        }
    free(codes);
    free(gathered);
    free(locks);
}

static void test_graph(void) {
    static const size_t dimensions[] = {1, 31, 100, 384};
    for (size_t d = 0; d < 4; d++) {
        size_t dimension = dimensions[d], stride = mnk_graph_stride(dimension, DEGREE), residual = (dimension + 1) / 2;
        uint8_t *records = calloc(NODES, stride), *residuals = calloc(NODES, residual);
        float *queries = floats(QUERIES * dimension, 1);
        for (size_t i = 0; i < NODES; i++) {
            float *x = floats(dimension, 1), norm = 0;
            for (size_t e = 0; e < dimension; e++) norm = norm > x[e] ? norm : x[e] < 0 ? -x[e] : x[e];
            mnk_encode_record(x, dimension, records + i * stride, residuals + i * residual);
            mnk_clear_links(records + i * stride, dimension, DEGREE);
            free(x);
        }
        memset(queries, 0, dimension * sizeof *queries);
        queries[0] = 0x1p-140f;  // too small for a code
        tell(named("encode_record of %zu", dimension), records, NODES * stride);
        tell(named("encode_record of %zu, residuals", dimension), residuals, NODES * residual);
        graph_case c = {records, residuals, queries, dimension};
        compare(named("graph_scores, refine and add_record of %zu", dimension), run_scores, &c,
            (QUERIES * 2 * NODES + dimension) * sizeof(float));
        compare(named("graph of %zu: insert, repair, search", dimension), run_graph, &c,
            NODES * stride + QUERIES * 2 * 2 * BEAM * sizeof(uint32_t));
        free(records);
        free(residuals);
        free(queries);
    }
}

// MARK: Formats of weights

static void test_formats(void) {
    enum { ROWS = 32, K = 512 };
    static const int types[] = {0, 1, 2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 20, 30};
    float *x = floats(ROWS * K, 2), *mixed = mixed_floats(), *y = malloc(ROWS * K * sizeof *y);
    memcpy(x, mixed, VALUES * sizeof *x);
    free(mixed);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        size_t weights, bytes;
        int type = types[t], format = mnk_tile_format(type);
        if (!mnk_block_shape(type, &weights, &bytes)) exit(1);
        size_t size = ROWS * K / weights * bytes;
        uint8_t *source = random_bytes(size);
        // Scales that no infinity or number-that-is-none comes from: any two bytes that may be a half or the upper
        // half of a float.
        for (size_t i = 1; i < size; i += 2) source[i] &= 0xbf;
        for (size_t i = 0; i < size; i += 2) source[i] &= bytes % 2 ? 0xff : 0xbf;
        if (type <= 1 || type == 8) mnk_quantize(type, x, ROWS * K, source);
        tell(named("type %d", type), source, size);
        mnk_dequantize(type, source, ROWS * K, y);
        tell(named("type %d as floats", type), y, ROWS * K * sizeof *y);
        if (format >= 0) {
            size_t packed_bytes = ROWS / 16 * mnk_panel_bytes(format, K);
            uint8_t *packed = calloc(packed_bytes, 1);
            mnk_pack_tiles(type, source, K, 0, ROWS, packed);
            tell(named("type %d as tiles", type), packed, packed_bytes);
            for (size_t row = 0; row < ROWS; row++) mnk_tile_row(format, packed, K, row, y + row * K);
            tell(named("type %d as rows of tiles", type), y, ROWS * K * sizeof *y);
            free(packed);
        }
        free(source);
    }
    free(x);
    free(y);
}

int main(void) {
    fprintf(stderr, "paths: portable");
    for (size_t p = 0; p < PATHS; p++)
        if (has_path(p)) fprintf(stderr, " %s", paths[p].name);
    fputc('\n', stderr);
    test_tiles();
    test_groups();
    test_gemm();
    test_quantize();
    test_layers();
    test_halves();
    test_codecs();
    test_encoder_attention();
    test_decoder_attention();
    test_coded_attention();
    test_selection();
    test_graph();
    test_formats();
    puts("all paths give the same bits");
    return 0;
}
