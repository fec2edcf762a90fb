// Attention of a decoder over the KV cache: the same bits on every path, and for any batch, chunk or
// number of threads.

#include "kv_chunk.h"
#include <math.h>

// One unit is a group of query heads (those of one key-value head) over a run of tokens: its rows
// meet the same keys, which are converted once. Keys come in chunks of two blocks, chunks in KV
// splits of 512 positions (all beyond the 63rd are one). Each split has sums of its own, which are
// merged in order: so threads can share a long context, and what comes out depends neither on them
// nor on the batch.
//
// Within a split, softmax is computed in one pass (Milakov and Gimelshein 2018; FlashAttention, Dao
// et al. 2022): a row keeps its highest score so far, the total of the weights relative to it, and
// the weighted sum of the values; a higher score scales both down. No row of scores is ever stored
// whole, so that memory does not grow with the context.
//
//   SPAN   positions of a split
//   SPANS  splits at most
//   RUN    tokens of a unit at most
//   BATCH  chunks that few rows score before they sum up values
enum { SPAN = MNK_SPAN, SPANS = 64, RUN = MNK_SHARING, BATCH = 2 };

/// KV splits of a context: 512 positions each, the last of at most 64 takes all the rest.
MNK_INLINE size_t spans_of(size_t positions) {
    size_t spans = (positions + SPAN - 1) / SPAN;
    return spans < SPANS ? spans : SPANS;
}
/// Where a token stands.
MNK_INLINE size_t place_of(const mnk_decoder_attention *a, size_t token) { return a->places ? (size_t)a->places[token] : a->position + token; }
/// Runs of at most RUN tokens.
MNK_INLINE size_t runs_of(const mnk_decoder_attention *a) { return (a->tokens + RUN - 1) / RUN; }
/// Rows of a run (query heads of a key-value head, times tokens), rounded up to ROWS.
MNK_INLINE size_t padded_rows(const mnk_decoder_attention *a, size_t run) { return (a->heads / a->kv_heads * run + ROWS - 1) / ROWS * ROWS; }

/// One unit a key-value head and split, or a key-value head and run.
size_t mnk_decoder_units(const mnk_decoder_attention *a) {
    return a->kv_heads * (a->partials ? spans_of(a->position + a->tokens) - a->first_span : runs_of(a));
}

/// Only where all tokens are one run: a prefill has runs enough to share.
size_t mnk_decoder_partials(const mnk_decoder_attention *a) {
    size_t spans = spans_of(a->position + a->tokens);
    return runs_of(a) == 1 && spans > 1 ? a->kv_heads * spans * padded_rows(a, a->tokens) * (a->dim + 2) : 0;
}

/// Keys and values of a chunk in floats, then what sums_in() lays out.
size_t mnk_decoder_scratch(size_t heads, size_t kv_heads, size_t dim) {
    size_t rows = (heads / kv_heads * RUN + ROWS - 1) / ROWS * ROWS;
    return 2 * CHUNK * dim + rows * (3 * dim + 6) + BATCH * ROWS * CHUNK;
}

/// A row that stands for many weighs as much as they did together (RazorAttention's compensation
/// token).
MNK_INLINE void weigh_many(const mnk_decoder_attention *a, size_t chunk, float *scores) {
    if (a->row_logs)
        for (size_t j = 0; j < CHUNK; j += 16) store16(scores + j, load16(scores + j) + load16(a->row_logs + chunk + j));
}

/// Adds a span's sums to those of the spans before: weighted outputs, weights, and the highest
/// score, which both are relative to. One instance for all, so that it rounds alike everywhere.
static __attribute__((noinline)) void merge_row(size_t dim, float *highest, float *total, float *out, float other_highest, float other_total, const float *other) {
    if (other_highest == -INFINITY) return;
    if (*highest == -INFINITY) {
        *highest = other_highest;
        *total = other_total;
        memcpy(out, other, dim * sizeof *out);
        return;
    }
    float top = *highest > other_highest ? *highest : other_highest, mine = exp1(*highest - top), its = exp1(other_highest - top);
    *highest = top;
    *total = *total * mine + other_total * its;
    for (size_t i = 0; i < dim; i++) out[i] = out[i] * mine + other[i] * its;
}

/// The sums of a row over its total, where the model wants them.
MNK_INLINE void finish_row(const mnk_decoder_attention *a, size_t head, size_t token, size_t row, float total, const float *out) {
    float *target = a->out + token * a->ldo + (head * (a->heads / a->kv_heads) + row) * a->dim, inverse = total > 0 ? 1 / total : 0;
    for (size_t i = 0; i < a->dim; i += 16) store16(target + i, load16(out + i) * splat16(inverse));
}

/// A unit: its key-value head, its first token and their number, its splits.
typedef struct {
    size_t head, start, run, span_begin, span_end;
    size_t first, last;  // positions that its rows may see
} attention_unit;

/// Which head, tokens, splits and positions a unit covers.
MNK_INLINE attention_unit unit_of(const mnk_decoder_attention *a, size_t unit) {
    size_t spans = spans_of(a->position + a->tokens), pieces = a->partials ? spans - a->first_span : runs_of(a);
    attention_unit u = {.head = unit / pieces, .span_end = spans};
    if (a->partials) {
        u.span_begin = a->first_span + unit % pieces;
        u.span_end = u.span_begin + 1;
    } else {
        u.start = unit % pieces * RUN;
    }
    u.run = a->tokens - u.start < RUN ? a->tokens - u.start : RUN;
    // The first token sees least far back, the last furthest ahead.
    size_t lowest = place_of(a, u.start) + 1;
    u.last = place_of(a, u.start + u.run - 1) + 1;
    // Chunks begin at multiples of 64 whatever the batch.
    u.first = a->window > 0 && lowest > a->window ? (lowest - a->window) / CHUNK * CHUNK : 0;
    if (u.first < u.span_begin * SPAN) u.first = u.span_begin * SPAN;
    if (u.span_end < SPANS && u.last > u.span_end * SPAN) u.last = u.span_end * SPAN;
    return u;
}

/// Where a unit keeps the sums of a row group: `padded` rows each.
typedef struct {
    size_t padded;
    float *keys, *values, *q;
    kv_peak *peaks;
    float *out, *highest, *total;            // of a span
    float *all, *all_highest, *all_total;    // of all: they follow each other
    float *scores;
} attention_sums;

/// Lays the sums out in scratch memory of mnk_decoder_scratch() floats.
MNK_INLINE attention_sums sums_in(float *scratch, size_t padded, size_t dim) {
    attention_sums s = {.padded = padded, .keys = scratch};
    s.values = s.keys + CHUNK * dim;
    s.q = s.values + CHUNK * dim;
    s.peaks = (kv_peak *)(s.q + padded * dim);
    s.out = s.q + padded * (dim + 2);
    s.highest = s.out + padded * dim;
    s.total = s.highest + padded;
    s.all = s.total + padded;
    s.all_highest = s.all + padded * dim;
    s.all_total = s.all_highest + padded;
    s.scores = s.all_total + padded;
    return s;
}

/// A query times the scale; zeros for none.
MNK_INLINE kv_peak scaled_query(const float *q, float scale, size_t dim, float *scaled) {
    f32x16 most = splat16(LEAST_PEAK);
    for (size_t i = 0; i < dim; i += 16) {
        f32x16 x = q ? load16(q + i) * splat16(scale) : splat16(0);
        most = max16(max16(x, -x), most);
        store16(scaled + i, x);
    }
    float peak = highest16(most);
    return (kv_peak){peak, 1 / peak};
}

/// Caps and masks a row's scores of a chunk, of which `count` positions are there: what the row, whose query
/// stands at `place`, may not see scores −∞, so that its weight is 0.
MNK_INLINE void mask_scores(const mnk_decoder_attention *a, size_t place, size_t chunk, size_t count, float *s) {
    if (a->cap > 0)
        for (size_t j = 0; j < CHUNK; j += 16) store16(s + j, soft_cap16(load16(s + j), a->cap));
    weigh_many(a, chunk, s);
    size_t from = a->window > 0 && place + 1 > a->window ? place + 1 - a->window : 0;
    if (chunk + CHUNK > place + 1 || chunk < from || count < CHUNK)
        for (size_t j = 0; j < CHUNK; j++)
            if (j >= count || chunk + j > place || chunk + j < from) s[j] = -INFINITY;
}

/// What the scores of a row and chunk come to.
typedef struct {
    float top;     // the highest score up to this chunk
    float factor;  // what all that was summed up before counts since: 1 if the highest is what it was
} row_state;

/// Scores of some chunks, of `rows` rows each, whose queries stand at `places`, become weights, relative to the
/// highest score up to their chunk; they are added to the totals. Step by step for all of them, so that none waits
/// for another.
MNK_INLINE void weigh_scores(const mnk_decoder_attention *a, size_t first, size_t last, size_t chunks, size_t rows, const size_t *places,
                             float *scores, row_state states[BATCH][ROWS], float *highest, float *total) {
    for (size_t c = 0; c < chunks; c++)
        for (size_t e = 0; e < rows; e++) {
            size_t chunk = first + c * CHUNK, count = last - chunk < CHUNK ? last - chunk : CHUNK;
            float *s = scores + (c * ROWS + e) * CHUNK;
            mask_scores(a, places[e], chunk, count, s);
            f32x16 m = load16(s);
            for (size_t j = 16; j < CHUNK; j += 16) m = max16(m, load16(s + j));
            float before = highest[e], here = highest16(m), top = here > before ? here : before;
            highest[e] = states[c][e].top = top;
            // Whether it is a new one cannot be foreseen; e^0 is 1. Of nothing before there is nothing to count.
            states[c][e].factor = before == -INFINITY ? 0 : before - top;
        }
    for (size_t c = 0; c < chunks; c++)
        for (size_t e = 0; e < rows; e++) {
            float *s = scores + (c * ROWS + e) * CHUNK, top = states[c][e].top;
            // −∞ less −∞ is no number: where nothing of a chunk is seen, all weights are 0.
            f32x16 sum = splat16(0), from = splat16(top == -INFINITY ? 0 : top);
            for (size_t j = 0; j < CHUNK; j += 16) {
                f32x16 x = load16(s + j), y = exp16(x - from);
                i32x16 seen = x > splat16(-INFINITY);
                y = (f32x16)((i32x16)y & seen);
                sum += y;
                store16(s + j, y);
            }
            float factor = states[c][e].factor = exp1(states[c][e].factor);
            total[e] = total[e] * factor + sum16(sum);
        }
}

/// Keys and values of a block that is fetched: of the one that begins at a position, or at the same of what
/// follows behind the last.
MNK_INLINE chunk_fetch fetch_block(const mnk_decoder_attention *a, size_t head, size_t first, size_t last, const mnk_decoder_attention *after,
                                   const attention_unit *next, const kv_chunk *meanwhile) {
    size_t chunk = first / CHUNK * CHUNK, b = first % CHUNK / MNK_KV_BLOCK;
    kv_chunk c = {{NULL}, {NULL}, {{0}}};
    if (chunk < last) {
        c = chunk_of(a, head, chunk, last);
    } else if (after) {
        size_t beyond = next->first + (chunk - last) / CHUNK * CHUNK;
        if (beyond < next->last) c = chunk_of(after, next->head, beyond, next->last);
    }
    return (chunk_fetch){{fetch_of(&c, b, 0, meanwhile, a->dim), fetch_of(&c, b, 1, meanwhile, a->dim)}};
}

/// Attention of `tokens` tokens, whose queries of one key-value head are at q[t] and which stand at
/// places[t], over [first, last). What will be read next is `next_unit` of `after`, if that is not NULL.
MNK_INLINE void attend_rows(
    uint32_t features, const mnk_decoder_attention *a, size_t head, size_t tokens, const float *const *queries, const size_t *places, size_t first, size_t last,
    const mnk_decoder_attention *after, const attention_unit *next_unit, const attention_sums *sums) {
    int native = converts_halves(features);
    size_t group = a->heads / a->kv_heads, dim = a->dim, rows = group * tokens, padded = sums->padded;
    float *q = sums->q, *out = sums->out, *highest = sums->highest, *total = sums->total, *p = sums->scores;
    // Queries are scaled once, here; rows of padding are zero and seen by nobody.
    for (size_t r = 0; r < padded; r++) {
        sums->peaks[r] = scaled_query(r < rows ? queries[r / group] + r % group * dim : NULL, a->scale, dim, q + r * dim);
        sums->all_highest[r] = -INFINITY;
        sums->all_total[r] = 0;
        memset(sums->all + r * dim, 0, dim * sizeof *q);
    }
    // Split by split; each begins with empty sums.
    for (size_t chunk = first; chunk < last;) {
        size_t end = chunk / SPAN + 1 < SPANS && (chunk / SPAN + 1) * SPAN < last ? (chunk / SPAN + 1) * SPAN : last;
        for (size_t r = 0; r < padded; r++) {
            highest[r] = -INFINITY;
            total[r] = 0;
            memset(out + r * dim, 0, dim * sizeof *out);
        }
        // Few rows read halves as they lie, and score some chunks before they sum up their values: none of these
        // waits for another. More rows would convert each half again, and share a chunk in floats.
        int direct = padded == ROWS;
        for (size_t batch = direct ? BATCH : 1, here; chunk < end; chunk += here * CHUNK) {
            here = (end - chunk + CHUNK - 1) / CHUNK < batch ? (end - chunk + CHUNK - 1) / CHUNK : batch;
            kv_chunk chunks[BATCH];
            for (size_t c = 0; c < here; c++) chunks[c] = chunk_of(a, head, chunk + c * CHUNK, last);
            size_t there = last - chunk < CHUNK ? last - chunk : CHUNK;  // positions, if there is one chunk
            if (!direct) load_chunk(native, a, chunks, there, sums->keys, sums->values);
            for (size_t r = 0; r < padded; r += ROWS) {
                kv_rows met = {q + r * dim, sums->peaks + r, rows - r < ROWS ? rows - r : ROWS};
                row_state states[BATCH][ROWS];
                size_t queries_at[ROWS];
                for (size_t e = 0; e < met.count; e++) queries_at[e] = places[(r + e) / group];
                for (size_t c = 0; c < here; c++) {
                    chunk_fetch fetch = {{{NULL, 0}}};
                    if (r == 0) fetch = fetch_block(a, head, chunk + here * CHUNK + c * MNK_KV_BLOCK, last, after, next_unit, chunks + c);
                    score_rows(features, native, &met, direct ? NULL : sums->keys, chunks + c, &fetch, dim, p + c * ROWS * CHUNK);
                }
                weigh_scores(a, chunk, last, here, met.count, queries_at, p, states, highest + r, total + r);
                for (size_t c = 0; c < here; c++) {
                    for (size_t e = 0; e < met.count; e++) {
                        float factor = states[c][e].factor, *o = out + (r + e) * dim;
                        for (size_t i = 0; i < dim; i += 16) store16(o + i, load16(o + i) * splat16(factor));
                    }
                    chunk_fetch fetch = {{{NULL, 0}}};
                    if (r == 0) fetch = fetch_block(a, head, chunk + here * CHUNK + (here + c) * MNK_KV_BLOCK, last, after, next_unit, chunks + c);
                    size_t count = last - chunk - c * CHUNK < CHUNK ? last - chunk - c * CHUNK : CHUNK;
                    add_values(features, native, dim, p + c * ROWS * CHUNK, met.count, direct ? NULL : sums->values, chunks + c, &fetch, count, out + r * dim);
                }
            }
        }
        for (size_t r = 0; r < rows; r++)
            merge_row(dim, sums->all_highest + r, sums->all_total + r, sums->all + r * dim, highest[r], total[r], out + r * dim);
    }
}

/// Units one after the other; each knows the next, whose first chunk is fetched while it ends. With
/// partials, a unit's sums go to its slot: `padded` outputs of dim, highest scores, totals.
MNK_INLINE void mnk_attend_body(uint32_t features, const mnk_decoder_attention *a, size_t unit_begin, size_t unit_end, float *scratch) {
    size_t group = a->heads / a->kv_heads, dim = a->dim;
    for (size_t unit = unit_begin; unit < unit_end; unit++) {
        attention_unit u = unit_of(a, unit), next = unit + 1 < unit_end ? unit_of(a, unit + 1) : u;
        const float *queries[RUN];
        size_t places[RUN];
        for (size_t t = 0; t < u.run; t++) {
            queries[t] = a->q + (u.start + t) * a->ldq + u.head * group * dim;
            places[t] = place_of(a, u.start + t);
        }
        attention_sums s = sums_in(scratch, padded_rows(a, u.run), dim);
        attend_rows(features, a, u.head, u.run, queries, places, u.first, u.last, unit + 1 < unit_end ? a : NULL, &next, &s);
        if (a->partials) {
            size_t slot = u.head * spans_of(a->position + a->tokens) + u.span_begin;
            memcpy(a->partials + slot * s.padded * (dim + 2), s.all, s.padded * (dim + 2) * sizeof *scratch);
        } else {
            for (size_t r = 0; r < group * u.run; r++) finish_row(a, u.head, u.start + r / group, r % group, s.all_total[r], s.all + r * dim);
        }
    }
}
MNK_DISPATCH(mnk_attend, (uint32_t features, const mnk_decoder_attention *a, size_t unit_begin, size_t unit_end, float *scratch),
             (features, a, unit_begin, unit_end, scratch))

/// Rows of all members meet each chunk of the split together; each member's sums then go to its own
/// slot, as if it had been alone.
MNK_INLINE void mnk_attend_shared_body(
    uint32_t features, const mnk_decoder_attention *const *members, size_t count, size_t span, size_t head_begin, size_t head_end, float *scratch) {
    const mnk_decoder_attention *a = members[0];
    size_t group = a->heads / a->kv_heads, dim = a->dim, padded = padded_rows(a, 1);
    for (size_t head = head_begin; head < head_end; head++) {
        const float *queries[RUN];
        size_t places[RUN];
        for (size_t t = 0; t < count; t++) {
            queries[t] = members[t]->q + head * group * dim;
            places[t] = members[t]->position;
        }
        attention_sums s = sums_in(scratch, padded_rows(a, count), dim);
        attention_unit next = {.head = head + 1, .first = span * SPAN, .last = (span + 1) * SPAN};
        attend_rows(features, a, head, count, queries, places, span * SPAN, (span + 1) * SPAN, head + 1 < head_end ? a : NULL, &next, &s);
        for (size_t t = 0; t < count; t++) {
            float *slot = members[t]->partials + (head * spans_of(members[t]->position + 1) + span) * padded * (dim + 2);
            memcpy(slot, s.all + t * group * dim, group * dim * sizeof *slot);
            memcpy(slot + padded * dim, s.all_highest + t * group, group * sizeof *slot);
            memcpy(slot + padded * (dim + 1), s.all_total + t * group, group * sizeof *slot);
        }
    }
}
MNK_DISPATCH(mnk_attend_shared,
             (uint32_t features, const mnk_decoder_attention *const *members, size_t count, size_t span, size_t head_begin, size_t head_end, float *scratch),
             (features, members, count, span, head_begin, head_end, scratch))

/// Accumulated attention (H2O, Zhang et al. 2023), recomputed from queries and keys, ROWS rows at a
/// time.
MNK_INLINE void mnk_attention_mass_body(
    uint32_t features, const mnk_decoder_attention *a, size_t head, size_t last_tokens, float *mass, float *squares) {
    int native = converts_halves(features);
    size_t group = a->heads / a->kv_heads, dim = a->dim, begin = a->tokens - last_tokens, rows = group * last_tokens;
    kv_peak peaks[ROWS];
    float q[ROWS * MNK_MAX_HEAD], scores[ROWS * CHUNK];
    for (size_t row = 0; row < rows; row += ROWS) {
        size_t from[ROWS], to[ROWS], first = SIZE_MAX, last = 0;  // what each row sees
        float highest[ROWS], total[ROWS];
        for (size_t r = 0; r < ROWS; r++) {
            highest[r] = -INFINITY;
            total[r] = 0;
            from[r] = to[r] = 0;
            size_t token = begin + (row + r) / group;
            peaks[r] = scaled_query(row + r < rows ? a->q + token * a->ldq + (head * group + (row + r) % group) * dim : NULL, a->scale, dim, q + r * dim);
            if (row + r >= rows) continue;
            to[r] = place_of(a, token) + 1;
            from[r] = a->window > 0 && to[r] > a->window ? to[r] - a->window : 0;
            if (from[r] < first) first = from[r];
            if (to[r] > last) last = to[r];
        }
        // Once for the highest scores and totals, once for the weights: so no row of scores is
        // kept.
        chunk_fetch none = {{{NULL, 0}}};
        for (int pass = 0; pass < 2; pass++)
            for (size_t chunk = first / CHUNK * CHUNK; chunk < last; chunk += CHUNK) {
                kv_chunk halves = chunk_of(a, head, chunk, last);
                kv_rows met = {q, peaks, rows - row < ROWS ? rows - row : ROWS};
                score_rows(features, native, &met, NULL, &halves, &none, dim, scores);
                for (size_t r = 0; r < ROWS; r++) {
                    float *s = scores + r * CHUNK;
                    if (a->cap > 0)
                        for (size_t j = 0; j < CHUNK; j += 16) store16(s + j, soft_cap16(load16(s + j), a->cap));
                    weigh_many(a, chunk, s);
                    for (size_t j = 0; j < CHUNK; j++)
                        if (chunk + j < from[r] || chunk + j >= to[r]) s[j] = -INFINITY;
                    if (pass == 0) {
                        f32x16 m = load16(s);
                        for (size_t j = 16; j < CHUNK; j += 16) m = max16(m, load16(s + j));
                        float here = highest16(m), top = here > highest[r] ? here : highest[r];
                        if (top == -INFINITY) continue;
                        if (highest[r] != -INFINITY) total[r] *= exp1(highest[r] - top);
                        highest[r] = top;
                    } else if (total[r] == 0) {
                        continue;
                    }
                    f32x16 sum = splat16(0), scale = splat16(pass == 0 ? 1 : 1 / total[r]);
                    for (size_t j = 0; j < CHUNK; j += 16) {
                        f32x16 x = load16(s + j), y = exp16(x - splat16(highest[r])) * scale;
                        i32x16 seen = x > splat16(-INFINITY);
                        y = (f32x16)((i32x16)y & seen);
                        sum += y;
                        store16(s + j, y);
                    }
                    if (pass == 0) total[r] += sum16(sum);
                    else
                        for (size_t j = 0; j < CHUNK && chunk + j < to[r]; j++) {
                            mass[chunk + j] += s[j];
                            if (squares) squares[chunk + j] += s[j] * s[j];
                        }
                }
            }
    }
}
MNK_DISPATCH(mnk_attention_mass, (uint32_t features, const mnk_decoder_attention *a, size_t head, size_t last_tokens, float *mass, float *squares),
             (features, a, head, last_tokens, mass, squares))

/// Splits are added in order, so that it does not matter which threads computed them.
void mnk_merge_partials(const mnk_decoder_attention *a, size_t head_begin, size_t head_end) {
    size_t group = a->heads / a->kv_heads, rows = group * a->tokens, padded = padded_rows(a, a->tokens), dim = a->dim;
    size_t spans = spans_of(a->position + a->tokens);
    for (size_t head = head_begin; head < head_end; head++)
        for (size_t r = 0; r < rows; r++) {
            float *first = a->partials + head * spans * padded * (dim + 2), *out = first + r * dim, *highest = first + padded * dim + r;
            for (size_t span = 1; span < spans; span++) {
                const float *other = first + span * padded * (dim + 2);
                merge_row(dim, highest, highest + padded, out, other[padded * dim + r], other[padded * (dim + 1) + r], other + r * dim);
            }
            finish_row(a, head, r / group, r % group, highest[padded], out);
        }
}
