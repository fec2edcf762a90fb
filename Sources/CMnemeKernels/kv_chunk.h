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

/// Fetches a line of the chunk that follows; called between other work, as the processor holds few
/// lines in flight. Into the second-level cache: the first would lose it again.
MNK_INLINE void fetch_keys(const kv_chunk *next, size_t i) {
    for (size_t b = 0; next && b < BLOCKS; b++)
        if (next->keys[b]) __builtin_prefetch(next->keys[b] + i * MNK_KV_BLOCK, 0, 2);
}
MNK_INLINE void fetch_values(const kv_chunk *next, size_t j, size_t dim) {
    size_t b = j / MNK_KV_BLOCK, row = j % MNK_KV_BLOCK;
    if (next && next->values[b])
        for (size_t i = 0; i < dim; i += 32) __builtin_prefetch(next->values[b] + row * dim + i, 0, 2);
}

/// Scores of ROWS rows against a chunk: of floats, or straight from halves where the chunk meets no
/// other rows. What is not begun, or holds codes, is scored anew or masked: the other block stands
/// for it.
MNK_INLINE void score_halves(
    int floats, int native, const float *q, const float *keys, const kv_chunk *c, const kv_chunk *next, size_t dim, float *scores) {
    f32x16 s[ROWS][CHUNK / 16];
    for (size_t r = 0; r < ROWS; r++)
        for (size_t e = 0; e < CHUNK / 16; e++) s[r][e] = splat16(0);
    const uint16_t *blocks[BLOCKS] = {c->keys[0] ? c->keys[0] : c->keys[1], c->keys[1] ? c->keys[1] : c->keys[0]};
    for (size_t i = 0; i < dim; i++) {
        fetch_keys(next, i);
        f32x16 k[CHUNK / 16];
        for (size_t e = 0; e < CHUNK / 16; e++)
            k[e] = floats ? load16(keys + i * CHUNK + e * 16) : load16_half(native, blocks[e / 2] + i * MNK_KV_BLOCK + e % 2 * 16);
        for (size_t r = 0; r < ROWS; r++) {
            f32x16 x = splat16(q[r * dim + i]);
            for (size_t e = 0; e < CHUNK / 16; e++) s[r][e] = fma16(x, k[e], s[r][e]);
        }
    }
    for (size_t r = 0; r < ROWS; r++)
        for (size_t e = 0; e < CHUNK / 16; e++) store16(scores + r * CHUNK + e * 16, s[r][e]);
}
/// The rows that meet a chunk: queries, of which the first `count` are no padding.
typedef struct {
    const float *q;
    const kv_peak *peaks;
    size_t count;
} kv_rows;
/// Scores of any chunk; `keys` has those of its halves as floats, unless it is NULL.
MNK_INLINE void score_rows(
    uint32_t features, int native, const kv_rows *rows, const float *keys, const kv_chunk *c, const kv_chunk *next, size_t dim, float *scores) {
    if (c->keys[0] || c->keys[1]) {
        if (keys) score_halves(1, native, rows->q, keys, c, next, dim, scores);
        else score_halves(0, native, rows->q, NULL, c, next, dim, scores);
    }
    for (size_t b = 0; b < BLOCKS; b++) {
        const kv_page *page = c->pages + b;
        if (page->bits)
            mnk_score_codes(features, page, rows->q, rows->peaks, rows->count, scores + b * MNK_KV_BLOCK, CHUNK,
                            next && next->pages[b].bits ? next->pages + b : page);
    }
}

/// Sixteen values of position j of a chunk: from floats, or straight from halves.
MNK_INLINE f32x16 value16(int floats, int native, size_t dim, const float *values, const kv_chunk *c, size_t j, size_t i) {
    if (floats) return load16(values + j * dim + i);
    return load16_half(native, c->values[j / MNK_KV_BLOCK] + j % MNK_KV_BLOCK * dim + i);
}

/// out += probabilities · values of positions [begin, end) for ROWS rows and 64 columns (or 16 at a
/// time for the rest).
MNK_INLINE void add_halves(int floats, int native, size_t dim, const float *p, const float *values, const kv_chunk *chunk, const kv_chunk *next,
                           size_t begin, size_t end, float *out) {
    size_t i = 0;
    for (; i + 64 <= dim; i += 64) {
        f32x16 s[ROWS][4];
        for (size_t r = 0; r < ROWS; r++)
            for (size_t c = 0; c < 4; c++) s[r][c] = load16(out + r * dim + i + c * 16);
        for (size_t j = begin; j < end; j++) {
            if (i == 0) fetch_values(next, j, dim);
            f32x16 v[4];
            for (size_t c = 0; c < 4; c++) v[c] = value16(floats, native, dim, values, chunk, j, i + c * 16);
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
            for (size_t j = begin; j < end; j++)
                s = fma16(splat16(p[r * CHUNK + j]), value16(floats, native, dim, values, chunk, j, i), s);
            store16(out + r * dim + i, s);
        }
}
/// Values of any chunk, of which `count` positions are there, in their order.
MNK_INLINE void add_values(uint32_t features, int native, size_t dim, const float *p, size_t rows, const float *values, const kv_chunk *chunk,
                           const kv_chunk *next, size_t count, float *out) {
    int coded = chunk->pages[0].bits || chunk->pages[1].bits;
    size_t step = coded ? MNK_KV_BLOCK : CHUNK;
    for (size_t begin = 0; begin < count; begin += step) {
        size_t end = begin + step < count ? begin + step : count, b = begin / MNK_KV_BLOCK;
        const kv_page *page = chunk->pages + b;
        if (page->bits) mnk_add_codes(features, page, p + begin, CHUNK, rows, out, next && next->pages[b].bits ? next->pages + b : page);
        else if (values) add_halves(1, native, dim, p, values, chunk, next, begin, end, out);
        else add_halves(0, native, dim, p, NULL, chunk, next, begin, end, out);
    }
}
#endif
