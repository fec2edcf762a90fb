// A chunk of the KV cache as attention reads it: two blocks of one head, in halves or codes, and the
// products of its keys and values with rows.
//
//   CHUNK  positions that are scored at once: four vectors
//   ROWS   rows that share a reading of the chunk: 4 × 4 sums of 16 lanes fill half of 32 registers
#ifndef MNK_KV_CHUNK_H
#define MNK_KV_CHUNK_H
#include "kv_page.h"
#include "mneme_kernels.h"

enum { CHUNK = 64, ROWS = 4 };

/// Where a block begins.
MNK_INLINE size_t block_place(const mnk_decoder_attention *a, size_t block) {
    return (a->table ? (size_t)a->table[block] : block) * a->block_stride;
}

/// Blocks of a chunk.
enum { BLOCKS = CHUNK / MNK_KV_BLOCK };
/// A chunk of one head: its keys as [dim][32] for each of its blocks, its values as rows; NULL
/// where a block is not begun. A block of codes has its page instead, see kv_page.h.
typedef struct {
    const uint16_t *keys[BLOCKS], *values[BLOCKS];
    kv_page pages[BLOCKS];
} kv_chunk;
MNK_INLINE int is_begun(const kv_chunk *c, size_t b) { return c->keys[b] || c->pages[b].bits; }

/// The chunk that begins at position `first` (a multiple of CHUNK); `end` is the position behind
/// the last that is there.
MNK_INLINE kv_chunk chunk_of(const mnk_decoder_attention *a, size_t head, size_t first, size_t end) {
    kv_chunk c = {{NULL}, {NULL}, {{0}}};
    for (size_t b = 0; b < BLOCKS && first + b * MNK_KV_BLOCK < end; b++) {
        size_t block = first / MNK_KV_BLOCK + b;
        if (a->table && a->table[block] < 0) {
            c.pages[b] = page_at((const uint8_t *)(a->keys + (size_t)~a->table[block] * a->block_stride), a->coded_bits, a->dim);
            continue;
        }
        size_t place = block_place(a, block);
        c.keys[b] = a->keys + place + head * a->dim * MNK_KV_BLOCK;
        c.values[b] = a->values + place + head * a->dim * MNK_KV_BLOCK;
    }
    return c;
}

/// Floats of a chunk's keys, as [dim][CHUNK], and values, as [CHUNK][dim]. What lies behind the
/// last stays as it was: it is masked.
MNK_INLINE void load_chunk(int native, const mnk_decoder_attention *a, const kv_chunk *c, size_t count, float *keys, float *values) {
    for (size_t b = 0; b < BLOCKS && is_begun(c, b); b++) {
        if (c->pages[b].bits) {
            load_page(native, c->pages + b, keys + b * MNK_KV_BLOCK, CHUNK, values + b * MNK_KV_BLOCK * a->dim);
            continue;
        }
        for (size_t i = 0; i < a->dim; i++)
            for (size_t e = 0; e < MNK_KV_BLOCK; e += 16)
                store16(keys + i * CHUNK + b * MNK_KV_BLOCK + e, load16_half(native, c->keys[b] + i * MNK_KV_BLOCK + e));
        for (size_t j = 0; j < MNK_KV_BLOCK && b * MNK_KV_BLOCK + j < count; j++)
            for (size_t i = 0; i < a->dim; i += 16)
                store16(values + (b * MNK_KV_BLOCK + j) * a->dim + i, load16_half(native, c->values[b] + j * a->dim + i));
    }
}

/// Fetches a line of the chunk that follows; called between other work, as the processor holds few
/// lines in flight. Into the second-level cache: the first would lose it again.
MNK_INLINE void fetch_keys(const kv_chunk *next, size_t i) {
    for (size_t b = 0; next && b < BLOCKS; b++)
        if (next->keys[b]) __builtin_prefetch(next->keys[b] + i * MNK_KV_BLOCK, 0, 2);
        else if (next->pages[b].bits) __builtin_prefetch(key_codes(next->pages + b, i), 0, 2);
}
MNK_INLINE void fetch_values(const kv_chunk *next, size_t j, size_t dim) {
    size_t b = j / MNK_KV_BLOCK, row = j % MNK_KV_BLOCK;
    if (next && next->values[b])
        for (size_t i = 0; i < dim; i += 32) __builtin_prefetch(next->values[b] + row * dim + i, 0, 2);
    else if (next && next->pages[b].bits)
        for (size_t i = 0; i < dim; i += 64) __builtin_prefetch(value_codes(next->pages + b, row, i), 0, 2);
}

/// Scales and least values of a chunk's coded blocks, in floats: of the keys a pair for each
/// element, of the values one for each position and group.
typedef struct {
    float scale[BLOCKS][MNK_MAX_HEAD], least[BLOCKS][MNK_MAX_HEAD];
} chunk_scales;

/// What a chunk's keys and values are read from: floats, halves, or codes of so many bits; MIXED asks
/// each block. Constants where they are used, so that inner loops ask nothing.
enum { FLOATS = 0, CODES_4 = 4, CODES_8 = 8, HALVES = 16, MIXED = -1 };
MNK_INLINE int block_kind(const kv_chunk *c, size_t b) { return c->keys[b] ? HALVES : c->pages[b].bits; }
MNK_INLINE int chunk_kind(const kv_chunk *c) {
    if (!c) return FLOATS;
    return !is_begun(c, 1) || block_kind(c, 0) == block_kind(c, 1) ? block_kind(c, 0) : MIXED;
}

/// Scores of ROWS rows against a chunk: of floats, or straight from halves and codes where the
/// chunk meets no other rows. Codes become the same floats either way.
MNK_INLINE void score_rows_of(
    int kind, int native, const float *q, const float *keys, const kv_chunk *c, const kv_chunk *next, size_t dim, float *scores) {
    f32x16 s[ROWS][CHUNK / 16];
    for (size_t r = 0; r < ROWS; r++)
        for (size_t e = 0; e < CHUNK / 16; e++) s[r][e] = splat16(0);
    // What is not begun is masked: the first block stands for it.
    size_t blocks[BLOCKS] = {0, c && is_begun(c, 1) ? 1 : 0};
    chunk_scales x;
    for (size_t b = 0; c && b < BLOCKS; b++)
        if (c->pages[b].bits) load_scales(native, &c->pages[b].keys, dim, x.scale[b], x.least[b]);
    for (size_t i = 0; i < dim; i++) {
        fetch_keys(next, i);
        f32x16 k[CHUNK / 16];
        for (size_t e = 0; e < CHUNK / 16; e++) {
            size_t b = blocks[e / 2];
            int here = kind == MIXED ? block_kind(c, b) : kind;
            if (here == FLOATS) k[e] = load16(keys + i * CHUNK + e * 16);
            else if (here == HALVES) k[e] = load16_half(native, c->keys[b] + i * MNK_KV_BLOCK + e % 2 * 16);
            else k[e] = decode16(c->pages[b].keys.codes + code_bytes(here, i * MNK_KV_BLOCK), e % 2, here, x.scale[b][i], x.least[b][i]);
        }
        for (size_t r = 0; r < ROWS; r++) {
            f32x16 x = splat16(q[r * dim + i]);
            for (size_t e = 0; e < CHUNK / 16; e++) s[r][e] = fma16(x, k[e], s[r][e]);
        }
    }
    for (size_t r = 0; r < ROWS; r++)
        for (size_t e = 0; e < CHUNK / 16; e++) store16(scores + r * CHUNK + e * 16, s[r][e]);
}
MNK_INLINE void score_rows(int native, const float *q, const float *keys, const kv_chunk *c, const kv_chunk *next, size_t dim, float *scores) {
    switch (chunk_kind(c)) {
    case FLOATS: score_rows_of(FLOATS, native, q, keys, c, next, dim, scores); break;
    case HALVES: score_rows_of(HALVES, native, q, keys, c, next, dim, scores); break;
    case CODES_8: score_rows_of(CODES_8, native, q, keys, c, next, dim, scores); break;
    case CODES_4: score_rows_of(CODES_4, native, q, keys, c, next, dim, scores); break;
    default: score_rows_of(MIXED, native, q, keys, c, next, dim, scores);
    }
}

/// Sixteen values of position j of a chunk: from floats, or straight from halves or codes.
MNK_INLINE f32x16 value16(
    int kind, int native, const mnk_decoder_attention *a, const float *values, const kv_chunk *c, const chunk_scales *x, size_t j, size_t i) {
    size_t b = j / MNK_KV_BLOCK, row = j % MNK_KV_BLOCK;
    int here = kind == MIXED ? block_kind(c, b) : kind;
    if (here == FLOATS) return load16(values + j * a->dim + i);
    if (here == HALVES) return load16_half(native, c->values[b] + row * a->dim + i);
    size_t pair = row * value_groups(here, a->dim) + (here == 8 ? 0 : i / MNK_KV_BLOCK);
    const uint8_t *codes = c->pages[b].values.codes + code_bytes(here, row * a->dim) + (here == 8 ? i / 32 * 32 : i / 32 * 16);
    return decode16(codes, i / 16 % 2, here, x->scale[b][pair], x->least[b][pair]);
}

/// out += probabilities · values for ROWS rows and 64 columns (or 16 at a time for the rest).
MNK_INLINE void add_values_of(
    int kind, int native, const mnk_decoder_attention *a, const float *p, const float *values, const kv_chunk *chunk, const kv_chunk *next, size_t count, float *out) {
    size_t i = 0, dim = a->dim;
    chunk_scales x;
    for (size_t b = 0; chunk && b < BLOCKS; b++)
        if (chunk->pages[b].bits)
            load_scales(native, &chunk->pages[b].values, MNK_KV_BLOCK * value_groups(chunk->pages[b].bits, dim), x.scale[b], x.least[b]);
    for (; i + 64 <= dim; i += 64) {
        f32x16 s[ROWS][4];
        for (size_t r = 0; r < ROWS; r++)
            for (size_t c = 0; c < 4; c++) s[r][c] = load16(out + r * dim + i + c * 16);
        for (size_t j = 0; j < count; j++) {
            if (i == 0) fetch_values(next, j, dim);
            f32x16 v[4];
            for (size_t c = 0; c < 4; c++) v[c] = value16(kind, native, a, values, chunk, &x, j, i + c * 16);
            for (size_t r = 0; r < ROWS; r++) {
                f32x16 w = splat16(p[r * CHUNK + j]);
                for (size_t c = 0; c < 4; c++) s[r][c] = fma16(w, v[c], s[r][c]);
            }
        }
        for (size_t r = 0; r < ROWS; r++)
            for (size_t c = 0; c < 4; c++) store16(out + r * dim + i + c * 16, s[r][c]);
    }
    for (; i < dim; i += 16)
        for (size_t r = 0; r < ROWS; r++) {
            f32x16 s = load16(out + r * dim + i);
            for (size_t j = 0; j < count; j++) s = fma16(splat16(p[r * CHUNK + j]), value16(kind, native, a, values, chunk, &x, j, i), s);
            store16(out + r * dim + i, s);
        }
}
MNK_INLINE void add_values(
    int native, const mnk_decoder_attention *a, const float *p, const float *values, const kv_chunk *chunk, const kv_chunk *next, size_t count, float *out) {
    switch (chunk_kind(chunk)) {
    case FLOATS: add_values_of(FLOATS, native, a, p, values, chunk, next, count, out); break;
    case HALVES: add_values_of(HALVES, native, a, p, values, chunk, next, count, out); break;
    case CODES_8: add_values_of(CODES_8, native, a, p, values, chunk, next, count, out); break;
    case CODES_4: add_values_of(CODES_4, native, a, p, values, chunk, next, count, out); break;
    default: add_values_of(MIXED, native, a, p, values, chunk, next, count, out);
    }
}
#endif
