// Products of rows with pages of codes, in whole numbers: what a page's scales leave of a row is
// rounded to words of 16 bits, and multiplied with the codes as they lie. So fewer bits are less work, and
// not only less memory; nothing is decoded. Whole numbers add up exactly, so that all instances give the
// same bits. (Integer attention of this kind: SageAttention, Zhang et al. 2024, which rounds to 8.)

#include "kv_codes.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

typedef uint16_t u16x32 __attribute__((vector_size(64)));
typedef uint8_t u8x64 __attribute__((vector_size(64)));

/// The largest magnitude of a word: it must be a high byte and a low one, both signed, and products with as
/// many codes as a head has elements must add up to less than 2^31.
MNK_INLINE float code_limit(size_t length) { return length <= 256 ? 32600 : 16300; }

/// Bytes that a word takes: as it is, or as two bytes among others.
#define WORD_BYTES(planes) ((planes) == 2 ? 4 : 2)

/// x·factor, rounded to sixteen words, for instances of so many planes. Of four words
///   1   the first and third, then the second and fourth
///   2   four low bytes, four high ones, and eight bytes that nobody reads
MNK_INLINE void put_words(size_t planes, f32x16 x, float factor, uint8_t *target) {
    // 1.5·2^23: the low bits of the sum are the number; and half a byte more of it, so that the high byte is the
    // nearest, and what is left for the low one has a sign.
    u32x16 u = (u32x16)fma16(x, splat16(factor), splat16(12582912.0f + 128));
    if (planes == 2) {
        u8x64 b = (u8x64)u;
#define LANE(i) i, i + 4, i + 8, i + 12, i + 1, i + 5, i + 9, i + 13, i, i, i, i, i, i, i, i
        b = __builtin_shufflevector(b, b, LANE(0), LANE(16), LANE(32), LANE(48));
#undef LANE
        u = (u32x16)b ^ (u32x16){0x80808080, 0, 0, 0, 0x80808080, 0, 0, 0, 0x80808080, 0, 0, 0, 0x80808080, 0, 0, 0};
        memcpy(target, &u, sizeof u);
        return;
    }
    u16x16 w = __builtin_convertvector(u - 128, u16x16);
    w = __builtin_shufflevector(w, w, 0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
    memcpy(target, &w, sizeof w);
}

/// Where what is fetched meanwhile begins: of nothing, what is in the cache already.
MNK_INLINE const uint8_t *fetched_codes(const kv_fetch *fetch, const kv_page *page) { return fetch->bytes ? fetch->start : page->keys.codes; }
/// The same, and fetches what is more of it than a page has codes, whose bytes follow where they are multiplied.
MNK_INLINE const uint8_t *fetch_rest(const kv_fetch *fetch, const kv_page *page) {
    size_t codes = code_bytes(page->bits, MNK_KV_BLOCK * page->dim);
    for (size_t i = codes; i < fetch->bytes; i += 64) __builtin_prefetch(fetch->start + i, 0, 2);
    return fetched_codes(fetch, page);
}

/// A row's step and base are at 4·r in `steps` and `bases`.
///
/// q·key = Σ q·least + Σ (q·scale)·code: the first, once for a page, and the factors of the second,
/// rounded relative to the largest that they can be.
MNK_INLINE void key_words(int native, size_t planes, size_t rows, const kv_page *page, const float *q, const kv_peak *peaks, uint8_t *words,
                          float *steps, float *bases) {
    size_t dim = page->dim;
    float limit = code_limit(dim), factors[CODE_ROWS];
    f32x16 top = splat16(LEAST_PEAK), base[CODE_ROWS];
    for (size_t i = 0; i < dim; i += 16) top = max16(load16_half(native, page->keys.scales + i), top);
    float highest = highest16(top), inverse = limit / highest, step = highest * (1 / limit);
    for (size_t r = 0; r < rows; r++) {
        factors[r] = inverse * peaks[r].inverse;
        steps[4 * r] = step * peaks[r].most;
    }
    for (size_t r = 0; r < CODE_ROWS; r++) base[r] = splat16(0);
    for (size_t i = 0; i < dim; i += 16) {
        f32x16 scale = load16_half(native, page->keys.scales + i), least = load16_half(native, page->keys.least + i);
        for (size_t r = 0; r < rows; r++) {
            f32x16 x = load16(q + r * dim + i);
            base[r] = fma16(x, least, base[r]);
            put_words(planes, x * scale, factors[r], words + (r * dim + i) * WORD_BYTES(planes));
        }
    }
    store16(bases, sum16_of_four(base));
}
MNK_INLINE void store_scores(size_t rows, i32x16 sums[CODE_ROWS][4], const float *steps, const float *bases, float *scores, size_t lds) {
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < 2; c++)
            store16(scores + r * lds + c * 16, fma16(__builtin_convertvector(sums[r][c], f32x16), splat16(steps[4 * r]), splat16(bases[4 * r])));
}

/// Σ p·value = Σ p·least + Σ (p·scale)·code: likewise, over a page's positions, for a group of columns.
MNK_INLINE void value_words(int native, size_t planes, size_t rows, const kv_page *page, size_t group, const float *p, size_t ldp, uint8_t *words,
                            float *steps, float *bases) {
    float limit = code_limit(MNK_KV_BLOCK);
    f32x16 scale[2], least[2];
    for (size_t e = 0; e < 2; e++) {
        scale[e] = load16_half(native, page->values.scales + group * MNK_KV_BLOCK + e * 16);
        least[e] = load16_half(native, page->values.least + group * MNK_KV_BLOCK + e * 16);
    }
    f32x16 x[CODE_ROWS][2], most[CODE_ROWS], base[CODE_ROWS];
    for (size_t r = 0; r < CODE_ROWS; r++) {
        most[r] = base[r] = splat16(0);
        if (r >= rows) continue;
        for (size_t e = 0; e < 2; e++) x[r][e] = load16(p + r * ldp + e * 16);
        base[r] = fma16(x[r][1], least[1], x[r][0] * least[0]);
        for (size_t e = 0; e < 2; e++) {
            x[r][e] *= scale[e];
            most[r] = max16(x[r][e], most[r]);
        }
    }
    f32x16 peak = max16(highest16_of_four(most), splat16(LEAST_PEAK));
    float factors[4 * CODE_ROWS];
    store16(factors, splat16(limit) / peak);
    store16(steps, peak * splat16(1 / limit));
    store16(bases, sum16_of_four(base));
    for (size_t r = 0; r < rows; r++)
        for (size_t e = 0; e < 2; e++) put_words(planes, x[r][e], factors[4 * r], words + (r * MNK_KV_BLOCK + e * 16) * WORD_BYTES(planes));
}
MNK_INLINE void add_sums(size_t rows, size_t vectors, i32x16 sums[CODE_ROWS][4], const float *steps, const float *bases, float *out, size_t dim) {
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < vectors; c++) {
            float *o = out + r * dim + c * 16;
            store16(o, fma16(__builtin_convertvector(sums[r][c], f32x16), splat16(steps[4 * r]), load16(o) + splat16(bases[4 * r])));
        }
}

/// Where there are products of pairs of 16-bit numbers, codes of even rows are one part, and those of odd
/// rows another: each the low byte of a 16-bit number.
#define PAIR_PARTS(bits) (size_t)((bits) == 8 ? 2 : 4)
#define PAIR_PART(bits, x, i)                                                              \
    (u32x16)((bits) == 8 ? ((i) == 0 ? (u16x32)(x) & 255 : (u16x32)(x) >> 8)               \
             : (i) == 3 ? (u16x32)(x) >> 12 : (u16x32)(x) >> ((i) * 8 % 12) & 15)
/// Four bytes, in each lane.
#define SPLAT(p) ((i32x16){0} + four_bytes(p))
MNK_INLINE int32_t four_bytes(const uint8_t *p) {
    int32_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

#if defined(__x86_64__)
/// sum += products of pairs, by an instruction for so many lanes.
#define PAIRS(sum, part, w, VECTOR, ADD, MULTIPLY)                                                                 \
    {                                                                                                              \
        VECTOR s_[64 / sizeof(VECTOR)], x_[64 / sizeof(VECTOR)], y_[64 / sizeof(VECTOR)];                          \
        i32x16 w_ = SPLAT(w);                                                                                      \
        memcpy(s_, &(sum), 64);                                                                                    \
        memcpy(x_, &(part), 64);                                                                                   \
        memcpy(y_, &w_, 64);                                                                                       \
        for (size_t i_ = 0; i_ < 64 / sizeof(VECTOR); i_++) s_[i_] = ADD(s_[i_], MULTIPLY(x_[i_], y_[i_]));        \
        memcpy(&(sum), s_, 64);                                                                                    \
    }
#define MEET(s, part, w) PAIRS((s)[0], part, w, __m128i, _mm_add_epi32, _mm_madd_epi16)
#else
#define MEET(s, part, w)                                                                                           \
    {                                                                                                              \
        i32x16 x_ = (i32x16)(part), y_ = SPLAT(w);                                                                 \
        (s)[0] += (x_ << 16 >> 16) * (y_ << 16 >> 16) + (x_ >> 16) * (y_ >> 16);                                   \
    }
#endif
#define TARGET
#define NAME(x) x##_portable
#define NATIVE 0
#define PLANES 1
#define PARTS PAIR_PARTS
#define PART PAIR_PART
#define WIDE(rows) 2
#include "kv_codes_body.h"

#if defined(__aarch64__)
#define MEET(s, part, w)                                                                                           \
    {                                                                                                              \
        i32x16 x_ = (i32x16)(part), y_ = SPLAT(w);                                                                 \
        (s)[0] += (x_ << 16 >> 16) * (y_ << 16 >> 16) + (x_ >> 16) * (y_ >> 16);                                   \
    }
#define TARGET
#define NAME(x) x##_neon
#define NATIVE 1
#define PLANES 1
#define PARTS PAIR_PARTS
#define PART PAIR_PART
#define WIDE(rows) 2
#include "kv_codes_body.h"
#elif defined(__x86_64__)
#define MEET(s, part, w) PAIRS((s)[0], part, w, __m256i, _mm256_add_epi32, _mm256_madd_epi16)
#define TARGET T_AVX2
#define NAME(x) x##_avx2
#define NATIVE 1
#define PLANES 1
#define PARTS PAIR_PARTS
#define PART PAIR_PART
#define WIDE(rows) 2
#include "kv_codes_body.h"

#define MEET(s, part, w) PAIRS((s)[0], part, w, __m512i, _mm512_add_epi32, _mm512_madd_epi16)
#define TARGET T_AVX512
#define NAME(x) x##_avx512
#define NATIVE 1
#define PLANES 1
#define PARTS PAIR_PARTS
#define PART PAIR_PART
#define WIDE(rows) 4
#include "kv_codes_body.h"

/// Where bytes are multiplied four at a time, codes meet the high bytes of words and the low ones.
#define MEET(s, part, w)                                                                                           \
    {                                                                                                              \
        (s)[0] = (i32x16)_mm512_dpbusd_epi32((__m512i)(s)[0], (__m512i)(part), (__m512i)SPLAT((w) + 4));           \
        (s)[1] = (i32x16)_mm512_dpbusd_epi32((__m512i)(s)[1], (__m512i)(part), (__m512i)SPLAT(w));                 \
    }
#define TARGET T_VNNI
#define NAME(x) x##_vnni
#define NATIVE 1
#define PLANES 2
#define PARTS(bits) (size_t)((bits) == 8 ? 1 : 2)
#define PART(bits, x, i) ((bits) == 8 ? (x) : (x) >> (i) * 4 & 0x0f0f0f0fu)
#define WIDE(rows) (rows <= 3 ? 4 : 2)
#include "kv_codes_body.h"
#endif

/// By what the machine has.
#if defined(__x86_64__)
#define CHOOSE(name, ...)                                              \
    if (features & MNK_AVX512_VNNI) return name##_vnni(__VA_ARGS__);   \
    if (features & MNK_AVX512) return name##_avx512(__VA_ARGS__);      \
    if (features & MNK_AVX2) return name##_avx2(__VA_ARGS__);          \
    name##_portable(__VA_ARGS__);
#elif defined(__aarch64__)
#define CHOOSE(name, ...)                                              \
    if (features & MNK_NEON) return name##_neon(__VA_ARGS__);          \
    name##_portable(__VA_ARGS__);
#else
#define CHOOSE(name, ...)                                              \
    (void)features;                                                    \
    name##_portable(__VA_ARGS__);
#endif
void mnk_score_codes(uint32_t features, const kv_code_run *run, const float *q, const kv_peak *peaks, size_t rows, float *scores, size_t lds) {
    CHOOSE(score_codes, run, q, peaks, rows, scores, lds)
}
void mnk_add_codes(uint32_t features, const kv_code_run *run, const float *p, size_t ldp, size_t rows, float *out) {
    CHOOSE(add_codes, run, p, ldp, rows, out)
}
