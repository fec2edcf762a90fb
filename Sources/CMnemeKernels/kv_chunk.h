// A chunk of the KV cache as attention reads it: two blocks of one head, in halves or codes, and the
// products of its keys and values with rows. Those with codes are in kv_codes.c.
//
//   CHUNK  positions that are scored at once: four vectors
//   ROWS   rows that share a reading of the chunk: 4 × 4 sums of 16 lanes fill half of 32 registers
#ifndef MNK_KV_CHUNK_H
#define MNK_KV_CHUNK_H
#include "kv_codes.h"
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

/// Floats of a chunk's halves: its keys, as [dim][CHUNK], and values, as [CHUNK][dim]. What lies
/// behind the last stays as it was: it is masked.
MNK_INLINE void load_chunk(int native, const mnk_decoder_attention *a, const kv_chunk *c, size_t count, float *keys, float *values) {
    for (size_t b = 0; b < BLOCKS; b++) {
        if (!c->keys[b]) continue;
        for (size_t i = 0; i < a->dim; i++)
            for (size_t e = 0; e < MNK_KV_BLOCK; e += 16)
                store16(keys + i * CHUNK + b * MNK_KV_BLOCK + e, load16_half(native, c->keys[b] + i * MNK_KV_BLOCK + e));
        for (size_t j = 0; j < MNK_KV_BLOCK && b * MNK_KV_BLOCK + j < count; j++)
            for (size_t i = 0; i < a->dim; i += 16)
                store16(values + (b * MNK_KV_BLOCK + j) * a->dim + i, load16_half(native, c->values[b] + j * a->dim + i));
    }
}

/// Keys or values of a chunk's block as they lie, if it is of the kind (halves, codes) of the one that is
/// computed with meanwhile.
MNK_INLINE kv_fetch fetch_of(const kv_chunk *c, size_t b, int values, const kv_chunk *meanwhile, size_t dim) {
    const uint16_t *halves = values ? c->values[b] : c->keys[b];
    if (c->pages[b].bits != meanwhile->pages[b].bits) return (kv_fetch){NULL, 0};
    if (c->pages[b].bits) return fetch_of_codes(c->pages + b, values);
    return (kv_fetch){(const uint8_t *)halves, halves ? dim * 2 * MNK_KV_BLOCK : 0};
}
/// What is fetched while each block of a chunk is computed with.
typedef struct {
    kv_fetch blocks[BLOCKS];
} chunk_fetch;
/// Fetches a line; called between other work, as the processor holds few lines in flight. Into the
/// second-level cache: the first would lose it again.
MNK_INLINE void fetch_line(const kv_fetch *fetch, size_t line) {
    if (fetch->bytes) __builtin_prefetch(fetch->start + line * 64, 0, 2);
}

/// Scores of `rows` rows against a chunk: of floats, or straight from halves where the chunk meets no
/// other rows. What is not begun, or holds codes, is scored anew or masked: the other block stands
/// for it.
MNK_INLINE void score_halves(int floats, int native, size_t rows, const float *q, const float *keys, const kv_chunk *c, const chunk_fetch *fetch, size_t dim,
                             float *scores) {
    f32x16 s[ROWS][CHUNK / 16];
    for (size_t r = 0; r < rows; r++)
        for (size_t e = 0; e < CHUNK / 16; e++) s[r][e] = splat16(0);
    const uint16_t *blocks[BLOCKS] = {c->keys[0] ? c->keys[0] : c->keys[1], c->keys[1] ? c->keys[1] : c->keys[0]};
    for (size_t i = 0; i < dim; i++) {
        for (size_t b = 0; b < BLOCKS; b++) fetch_line(fetch->blocks + b, i);
        f32x16 k[CHUNK / 16];
        for (size_t e = 0; e < CHUNK / 16; e++)
            k[e] = floats ? load16(keys + i * CHUNK + e * 16) : load16_half(native, blocks[e / 2] + i * MNK_KV_BLOCK + e % 2 * 16);
        for (size_t r = 0; r < rows; r++) {
            f32x16 x = splat16(q[r * dim + i]);
            for (size_t e = 0; e < CHUNK / 16; e++) s[r][e] = fma16(x, k[e], s[r][e]);
        }
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t e = 0; e < CHUNK / 16; e++) store16(scores + r * CHUNK + e * 16, s[r][e]);
}
/// The rows that meet a chunk: queries, of which the first `count` are no padding.
typedef struct {
    const float *q;
    const kv_peak *peaks;
    size_t count;
} kv_rows;
/// `call` with the number of rows that are no padding, as one that the compiler knows.
#define WITH_ROWS(count, call)      \
    switch (count) {                \
        case 1: call(1); break;     \
        case 2: call(2); break;     \
        case 3: call(3); break;     \
        default: call(ROWS); break; \
    }
/// Blocks with codes from one on.
MNK_INLINE size_t coded_from(const kv_chunk *c, size_t b) {
    size_t end = b;
    while (end < BLOCKS && c->pages[end].bits) end++;
    return end - b;
}
/// Scores of any chunk; `keys` has those of its halves as floats, unless it is NULL.
MNK_INLINE void score_rows(
    uint32_t features, int native, const kv_rows *rows, const float *keys, const kv_chunk *c, const chunk_fetch *fetch, size_t dim, float *scores) {
    if (c->keys[0] || c->keys[1]) {
        if (keys) {
            score_halves(1, native, ROWS, rows->q, keys, c, fetch, dim, scores);
        } else {
#define SCORE(n) score_halves(0, native, n, rows->q, NULL, c, fetch, dim, scores)
            WITH_ROWS(rows->count, SCORE)
#undef SCORE
        }
    }
    for (size_t b = 0; b < BLOCKS; b++) {
        kv_code_run run = {coded_from(c, b), c->pages + b, fetch->blocks + b};
        if (!run.count) continue;
        mnk_score_codes(features, &run, rows->q, rows->peaks, rows->count, scores + b * MNK_KV_BLOCK, CHUNK);
        b += run.count - 1;
    }
}

/// Sixteen values of position j of a chunk: from floats, or straight from halves.
MNK_INLINE f32x16 value16(int floats, int native, size_t dim, const float *values, const kv_chunk *c, size_t j, size_t i) {
    if (floats) return load16(values + j * dim + i);
    return load16_half(native, c->values[j / MNK_KV_BLOCK] + j % MNK_KV_BLOCK * dim + i);
}

/// out += probabilities · values of positions [begin, end) for `rows` rows and 64 columns (or 16 at a
/// time for the rest).
MNK_INLINE void add_halves(int floats, int native, size_t rows, size_t dim, const float *p, const float *values, const kv_chunk *chunk, const chunk_fetch *fetch,
                           size_t begin, size_t end, float *out) {
    size_t i = 0;
    for (; i + 64 <= dim; i += 64) {
        f32x16 s[ROWS][4];
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < 4; c++) s[r][c] = load16(out + r * dim + i + c * 16);
        for (size_t j = begin; j < end; j++) {
            for (size_t line = 0; i == 0 && line * 32 < dim; line++)
                fetch_line(fetch->blocks + j / MNK_KV_BLOCK, j % MNK_KV_BLOCK * dim / 32 + line);
            f32x16 v[4];
            for (size_t c = 0; c < 4; c++) v[c] = value16(floats, native, dim, values, chunk, j, i + c * 16);
            for (size_t r = 0; r < rows; r++) {
                f32x16 w = splat16(p[r * CHUNK + j]);
                for (size_t c = 0; c < 4; c++) s[r][c] = fma16(w, v[c], s[r][c]);
            }
        }
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < 4; c++) store16(out + r * dim + i + c * 16, s[r][c]);
    }
    for (; i < dim; i += 16)
        for (size_t r = 0; r < rows; r++) {
            f32x16 s = load16(out + r * dim + i);
            for (size_t j = begin; j < end; j++)
                s = fma16(splat16(p[r * CHUNK + j]), value16(floats, native, dim, values, chunk, j, i), s);
            store16(out + r * dim + i, s);
        }
}
/// Values of any chunk, of which `count` positions are there, in their order.
MNK_INLINE void add_values(uint32_t features, int native, size_t dim, const float *p, size_t rows, const float *values, const kv_chunk *chunk,
                           const chunk_fetch *fetch, size_t count, float *out) {
    for (size_t begin = 0, end; begin < count; begin = end) {
        size_t b = begin / MNK_KV_BLOCK;
        kv_code_run run = {coded_from(chunk, b), chunk->pages + b, fetch->blocks + b};
        if (run.count) {
            mnk_add_codes(features, &run, p + begin, CHUNK, rows, out);
            end = begin + run.count * MNK_KV_BLOCK;
            continue;
        }
        for (end = begin + MNK_KV_BLOCK; end < CHUNK && !chunk->pages[end / MNK_KV_BLOCK].bits;) end += MNK_KV_BLOCK;
        if (end > count) end = count;
        if (values) {
            add_halves(1, native, ROWS, dim, p, values, chunk, fetch, begin, end, out);
        } else {
#define ADD(n) add_halves(0, native, n, dim, p, NULL, chunk, fetch, begin, end, out)
            WITH_ROWS(rows, ADD)
#undef ADD
        }
    }
}
#endif
