// The proximity graph over 8-bit vectors: codes, records, and the functions that are compiled once
// for each instruction set (graph_body.h).
//
// A query is compared by 8-bit products alone; the few records at the top are compared again to 12
// bits, with four more bits of each component that lie elsewhere (the residual).

#include "vector.h"
#include <math.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include "arm.h"
#endif

/// A component a byte, padded to whole cache lines; with scale, reserved bytes and links a record
/// is again whole lines.
size_t mnk_code_bytes(size_t dimension) { return (dimension + 63) / 64 * 64; }
size_t mnk_graph_stride(size_t dimension, size_t degree) { return (mnk_code_bytes(dimension) + 8 + 4 * degree + 63) / 64 * 64; }

// MARK: Codes

/// The largest magnitude.
static float highest_of(const float *x, size_t n) {
    float highest = 0;
    for (size_t i = 0; i < n; i++) highest = fabsf(x[i]) > highest ? fabsf(x[i]) : highest;
    return highest;
}

/// Codes for one; of what is so small that this could be infinite all codes are zero.
static float inverse_of(float highest) { return highest > 0x1p-100f ? 127 / highest : 0; }

/// Symmetric codes, rounded to the nearest; the scale gives them back their size.
float mnk_encode_query(const float *x, size_t dimension, int8_t *codes) {
    float highest = highest_of(x, dimension), scale = highest / 127, inverse = inverse_of(highest);
    for (size_t i = 0; i < dimension; i++) codes[i] = (int8_t)lrintf(x[i] * inverse);
    memset(codes + dimension, 0, mnk_code_bytes(dimension) - dimension);
    return scale;
}

/// As a query, with 128 added to the codes; the residual is in which sixteenth of a step the rest
/// lies.
void mnk_encode_record(const float *x, size_t dimension, uint8_t *record, uint8_t *residual) {
    float highest = highest_of(x, dimension), scale = highest / 127, inverse = inverse_of(highest);
    if (residual) memset(residual, 0, (dimension + 1) / 2);
    for (size_t i = 0; i < dimension; i++) {
        float v = x[i] * inverse;
        long code = lrintf(v);
        record[i] = (uint8_t)(code + 128);
        if (!residual) continue;
        // In sixteenths of a step: where between the codes the value lies.
        int bits = (int)((v - (float)code + 0.5f) * 16);
        bits = bits < 0 ? 0 : bits > 15 ? 15 : bits;
        residual[i / 2] |= (uint8_t)(bits << (4 * (i & 1)));
    }
    size_t bytes = mnk_code_bytes(dimension);
    memset(record + dimension, 128, bytes - dimension);
    memcpy(record + bytes, &scale, 4);
    memset(record + bytes + 4, 0, 4);
}

/// The scale behind a record's codes.
MNK_INLINE float scale_of(const uint8_t *record, size_t bytes) {
    float scale;
    memcpy(&scale, record + bytes, 4);
    return scale;
}

/// Calls STEP(i, x) with 16 components x, without the scale, for i = 0, 16…; and REST(i, x) with
/// single ones.
#define EACH_COMPONENT(STEP, REST)                                                                                                          \
    size_t i = 0;                                                                                                                           \
    for (; i + 32 <= dimension; i += 32) {                                                                                                  \
        /* Sixteen bytes of residual serve 32 components, the even ones in the low halves. */                                               \
        u8x16 fine, even, odd, code;                                                                                                        \
        memcpy(&fine, residual + i / 2, 16);                                                                                                \
        even = fine & 15;                                                                                                                   \
        odd = fine >> 4;                                                                                                                    \
        u8x16 parts[2] = {__builtin_shufflevector(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),                       \
                          __builtin_shufflevector(even, odd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)};                \
        for (size_t j = 0; j < 2; j++) {                                                                                                    \
            memcpy(&code, record + i + 16 * j, 16);                                                                                         \
            f32x16 x = __builtin_convertvector(code, f32x16) + __builtin_convertvector(parts[j], f32x16) * splat16(1.0f / 16) +             \
                       splat16(0.5f / 16 - 128.5f);                                                                                         \
            STEP(i + 16 * j, x);                                                                                                            \
        }                                                                                                                                   \
    }                                                                                                                                       \
    for (; i < dimension; i++) REST(i, (float)record[i] + (float)(residual[i / 2] >> (4 * (i & 1)) & 15) / 16 + (0.5f / 16 - 128.5f));
typedef uint8_t u8x16 __attribute__((vector_size(16)));

/// The inner product of a query in floats and a record to 12 bits.
MNK_INLINE void refine_body(uint32_t features, const float *query, const uint8_t *record, const uint8_t *residual, size_t dimension, float *out) {
    (void)features;
    f32x16 sums[2] = {splat16(0), splat16(0)};
    float rest = 0;
#define STEP(i, x) sums[((i) / 16) & 1] = fma16(load16(query + (i)), (x), sums[((i) / 16) & 1])
#define REST(i, x) rest = fmaf(query[i], (x), rest)
    EACH_COMPONENT(STEP, REST)
#undef STEP
#undef REST
    *out = (sum16(sums[0] + sums[1]) + rest) * scale_of(record, mnk_code_bytes(dimension));
}
MNK_DISPATCH(refine, (uint32_t features, const float *query, const uint8_t *record, const uint8_t *residual, size_t dimension, float *out),
             (features, query, record, residual, dimension, out))
float mnk_refine(uint32_t features, const float *query, const uint8_t *record, const uint8_t *residual, size_t dimension) {
    float score;
    refine(features, query, record, residual, dimension, &score);
    return score;
}

/// For means of clusters: adds without unpacking to memory.
MNK_INLINE void mnk_add_record_body(uint32_t features, const uint8_t *record, const uint8_t *residual, size_t dimension, float *sum) {
    (void)features;
    float scale = scale_of(record, mnk_code_bytes(dimension));
#define STEP(i, x) store16(sum + (i), fma16(splat16(scale), (x), load16(sum + (i))))
#define REST(i, x) sum[i] = fmaf(scale, (x), sum[i])
    EACH_COMPONENT(STEP, REST)
#undef STEP
#undef REST
}
MNK_DISPATCH(mnk_add_record, (uint32_t features, const uint8_t *record, const uint8_t *residual, size_t dimension, float *sum),
             (features, record, residual, dimension, sum))

// MARK: Records

/// The links behind codes and scale.
MNK_INLINE uint32_t *ids_of(const mnk_graph *g, uint32_t slot) {
    return (uint32_t *)(void *)(g->records + slot * g->stride + mnk_code_bytes(g->dimension) + 8);
}
/// Links are read without a lock while others change them: a reader may see a list half changed,
/// whose ids are all sound.
MNK_INLINE uint32_t load_id(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
MNK_INLINE void store_id(uint32_t *p, uint32_t id) { __atomic_store_n(p, id, __ATOMIC_RELEASE); }
MNK_INLINE int has_bit(const uint64_t *bits, uint32_t i) { return (int)(__atomic_load_n(bits + i / 64, __ATOMIC_RELAXED) >> (i & 63) & 1); }
/// Sets a bit of memory that no other thread sees; returns whether it was set.
MNK_INLINE int mark(uint64_t *bits, uint32_t i) {
    uint64_t bit = 1ull << (i & 63), word = bits[i / 64];
    bits[i / 64] = word | bit;
    return (word & bit) != 0;
}

/// A spin lock for the records of an id modulo MNK_GRAPH_LOCKS, held for one change of a list of
/// links. Nobody holds two, so that none waits in a circle.
static void lock(const mnk_graph *g, uint32_t slot) {
    uint8_t *p = g->locks + slot % MNK_GRAPH_LOCKS;
    while (__atomic_exchange_n(p, 1, __ATOMIC_ACQUIRE))
        while (__atomic_load_n(p, __ATOMIC_RELAXED)) {
#if defined(__x86_64__)
            _mm_pause();
#endif
        }
}
static void unlock(const mnk_graph *g, uint32_t slot) { __atomic_store_n(g->locks + slot % MNK_GRAPH_LOCKS, 0, __ATOMIC_RELEASE); }

void mnk_clear_links(uint8_t *record, size_t dimension, size_t degree) {
    uint32_t *links = (uint32_t *)(void *)(record + mnk_code_bytes(dimension) + 8);
    for (size_t i = 0; i < degree; i++) store_id(links + i, MNK_NONE);
}
/// Searches may read the bits meanwhile.
void mnk_set_bit(uint64_t *bits, uint32_t i, int on) {
    uint64_t bit = 1ull << (i & 63);
    if (on) __atomic_fetch_or(bits + i / 64, bit, __ATOMIC_RELEASE);
    else __atomic_fetch_and(bits + i / 64, ~bit, __ATOMIC_RELEASE);
}
int mnk_has_bit(const uint64_t *bits, uint32_t i) { return has_bit(bits, i); }

// MARK: Instances

// The instances: portable, then those of the processor. Each includes the same bodies.
#define TARGET
#define NAME(x) x##_portable
/// The reference. Sums of integers are exact: all instances give the same.
MNK_INLINE int32_t dot_codes_portable(const uint8_t *row, const int8_t *query, size_t n) {
    int32_t s = 0;
    for (size_t i = 0; i < n; i++) s += ((int32_t)row[i] - 128) * query[i];
    return s;
}
#define DOT(row, query, n, sum) dot_codes_portable(row, query, n)
#include "graph_body.h"
#undef TARGET
#undef NAME
#undef DOT

#if defined(__x86_64__)
#define TARGET T_AVX2
#define NAME(x) x##_avx2
/// Bytes are widened to 16 bits: the instruction that multiplies bytes saturates.
T_AVX2 static inline __attribute__((always_inline)) int32_t dot_codes_avx2(const uint8_t *row, const int8_t *query, size_t n) {
    const __m256i shift = _mm256_set1_epi16(128);
    __m256i s[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (size_t i = 0; i < n; i += 32)
        for (size_t j = 0; j < 2; j++) {
            __m256i r = _mm256_sub_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(row + i + 16 * j))), shift);
            __m256i q = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(query + i + 16 * j)));
            s[j] = _mm256_add_epi32(s[j], _mm256_madd_epi16(r, q));
        }
    __m256i t = _mm256_add_epi32(s[0], s[1]);
    __m128i u = _mm_add_epi32(_mm256_castsi256_si128(t), _mm256_extracti128_si256(t, 1));
    u = _mm_add_epi32(u, _mm_shuffle_epi32(u, 0x4e));
    u = _mm_add_epi32(u, _mm_shuffle_epi32(u, 0xb1));
    return _mm_cvtsi128_si32(u);
}
#define DOT(row, query, n, sum) dot_codes_avx2(row, query, n)
#include "graph_body.h"
#undef TARGET
#undef NAME
#undef DOT

#define TARGET T_VNNI
#define NAME(x) x##_vnni
/// VNNI multiplies unsigned by signed bytes; what the shift of the codes adds is 128 times the
/// query's sum.
T_VNNI static inline __attribute__((always_inline)) int32_t dot_codes_vnni(const uint8_t *row, const int8_t *query, size_t n, int32_t sum) {
    __m512i s = _mm512_setzero_si512(), t = _mm512_setzero_si512();
    size_t i = 0;
    for (; i + 128 <= n; i += 128) {
        s = _mm512_dpbusd_epi32(s, _mm512_loadu_si512(row + i), _mm512_loadu_si512(query + i));
        t = _mm512_dpbusd_epi32(t, _mm512_loadu_si512(row + i + 64), _mm512_loadu_si512(query + i + 64));
    }
    if (i < n) s = _mm512_dpbusd_epi32(s, _mm512_loadu_si512(row + i), _mm512_loadu_si512(query + i));
    return _mm512_reduce_add_epi32(_mm512_add_epi32(s, t)) - 128 * sum;
}
#define DOT(row, query, n, sum) dot_codes_vnni(row, query, n, sum)
#include "graph_body.h"
#undef TARGET
#undef NAME
#undef DOT
#elif defined(__aarch64__)
#define TARGET T_DOTPROD
#define NAME(x) x##_dotprod
#define DOT(row, query, n, sum) dot_codes_dotprod(row, query, n)
#include "graph_body.h"
#undef TARGET
#undef NAME
#undef DOT
#endif

#if defined(__x86_64__)
// The best instance of those allowed.
#define CHOOSE(call)                                           \
    if (features & MNK_AVX512_VNNI) { call(_vnni); }           \
    else if (features & MNK_AVX2) { call(_avx2); }             \
    else { call(_portable); }
#elif defined(__aarch64__)
#define CHOOSE(call)                                           \
    if (features & MNK_DOTPROD) { call(_dotprod); }            \
    else { call(_portable); }
#else
#define CHOOSE(call) (void)features; call(_portable);
#endif

/// Walks with all records, and leaves those out that may not be returned.
size_t mnk_graph_search(uint32_t features, const mnk_graph *g, const int8_t *codes, float scale, size_t beam, const uint64_t *allowed,
                        mnk_graph_scratch *scratch) {
    size_t found = 0, kept = 0;
#define CALL(suffix) found = search##suffix(g, codes, scale, beam, allowed, scratch, NULL)
    CHOOSE(CALL)
#undef CALL
    for (size_t i = 0; i < found; i++) {
        uint32_t id = scratch->ids[i];
        if (has_bit(g->dead, id) || (allowed && !has_bit(allowed, id))) continue;
        scratch->ids[kept] = id;
        scratch->scores[kept++] = scratch->scores[i];
    }
    return kept;
}

void mnk_graph_insert(uint32_t features, const mnk_graph *g, uint32_t slot, size_t beam, float alpha, mnk_graph_scratch *scratch) {
#define CALL(suffix) insert##suffix(g, slot, beam, alpha, scratch)
    CHOOSE(CALL)
#undef CALL
}

int mnk_graph_repair(uint32_t features, const mnk_graph *g, uint32_t slot, float alpha, mnk_graph_scratch *scratch) {
    int changed = 0;
#define CALL(suffix) changed = repair##suffix(g, slot, alpha, scratch)
    CHOOSE(CALL)
#undef CALL
    return changed;
}

void mnk_graph_scores(uint32_t features, const uint8_t *records, size_t stride, size_t dimension, const int8_t *codes, float scale,
                      const uint32_t *ids, size_t count, float *scores) {
#define CALL(suffix) scores##suffix(records, stride, mnk_code_bytes(dimension), codes, scale, ids, count, scores)
    CHOOSE(CALL)
#undef CALL
}
