// Products of rows with pages of codes, in whole numbers: what a page's scales leave of a row is
// rounded to 16 bits, and multiplied with the codes as they lie. So fewer bits are less work, and not
// only less memory; nothing is decoded. Whole numbers add up exactly, so that all instances give the
// same bits. (Integer attention of this kind: SageAttention, Zhang et al. 2024, which rounds to 8.)

#include "kv_codes.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

typedef uint8_t u8x32 __attribute__((vector_size(32)));
typedef int16_t i16x32 __attribute__((vector_size(64)));

/// Sums of products: of `columns` columns of codes, `length` rows each, those from `codes` on; with
/// weights of row r from weights + r·ldw on, into sums + r·CODE_COLUMNS. What begins at `next` is
/// fetched meanwhile.
enum { CODE_COLUMNS = 64 };
typedef struct {
    const uint8_t *codes, *next;
    size_t length, columns;
    const int16_t *weights;
    size_t ldw;
    int32_t *sums;
} code_products;

/// Two neighbours, in each lane.
#define PAIR(w) (i16x32)((i32x16){} + code_pair(w))
MNK_INLINE int32_t code_pair(const int16_t *w) {
    int32_t both;
    memcpy(&both, w, sizeof both);
    return both;
}

#define TARGET
#define NAME(x) x##_portable
#if defined(__x86_64__)
/// Four lanes at a time, as every processor of the kind has it.
MNK_INLINE i32x16 pairs_sse2(i32x16 sum, i16x32 a, i16x32 b) {
    __m128i s[4], x[4], y[4];
    memcpy(s, &sum, sizeof s);
    memcpy(x, &a, sizeof x);
    memcpy(y, &b, sizeof y);
    for (size_t i = 0; i < 4; i++) s[i] = _mm_add_epi32(s[i], _mm_madd_epi16(x[i], y[i]));
    memcpy(&sum, s, sizeof sum);
    return sum;
}
#define PAIRS(sum, a, b) pairs_sse2(sum, a, b)
#else
MNK_INLINE i32x16 pairs_portable(i32x16 sum, i16x32 a, i16x32 b) {
    i32x16 x = (i32x16)a, y = (i32x16)b;
    return sum + (x << 16 >> 16) * (y << 16 >> 16) + (x >> 16) * (y >> 16);
}
#define PAIRS(sum, a, b) pairs_portable(sum, a, b)
#endif
#include "kv_codes_body.h"
#undef TARGET
#undef NAME
#undef PAIRS

#if defined(__x86_64__)
#define TARGET T_AVX2
#define NAME(x) x##_avx2
T_AVX2 MNK_INLINE i32x16 pairs_avx2(i32x16 sum, i16x32 a, i16x32 b) {
    __m256i s[2], x[2], y[2];
    memcpy(s, &sum, sizeof s);
    memcpy(x, &a, sizeof x);
    memcpy(y, &b, sizeof y);
    for (size_t i = 0; i < 2; i++) s[i] = _mm256_add_epi32(s[i], _mm256_madd_epi16(x[i], y[i]));
    memcpy(&sum, s, sizeof sum);
    return sum;
}
#define PAIRS(sum, a, b) pairs_avx2(sum, a, b)
#include "kv_codes_body.h"
#undef TARGET
#undef NAME
#undef PAIRS

#define TARGET T_AVX512
#define NAME(x) x##_avx512
#define PAIRS(sum, a, b) (i32x16)_mm512_add_epi32((__m512i)(sum), _mm512_madd_epi16((__m512i)(a), (__m512i)(b)))
#include "kv_codes_body.h"
#undef TARGET
#undef NAME
#undef PAIRS

#define TARGET T_VNNI
#define NAME(x) x##_vnni
/// The instruction by name: the compiler takes the intrinsic apart into two where it expects that to be
/// faster, and it is not.
#define PAIRS(sum, a, b) ({ i32x16 s_ = (sum); __asm__("vpdpwssd %2, %1, %0" : "+v"(s_) : "v"((i16x32)(a)), "v"((i16x32)(b))); s_; })
#include "kv_codes_body.h"
#endif

/// The sums by what the machine has.
static void products(uint32_t features, int bits, size_t rows, size_t vectors, const code_products *a) {
#if defined(__x86_64__)
    if (features & MNK_AVX512_VNNI) return products_vnni(bits, rows, vectors, a);
    if (features & MNK_AVX512) return products_avx512(bits, rows, vectors, a);
    if (features & MNK_AVX2) return products_avx2(bits, rows, vectors, a);
#endif
    (void)features;
    products_portable(bits, rows, vectors, a);
}

/// The largest magnitude of a rounded factor, so that products with as many codes as a head has
/// elements add up to less than 2^31.
MNK_INLINE float code_limit(size_t length) { return length <= 256 ? 32700 : 16300; }

/// x·factor, rounded to whole numbers.
MNK_INLINE void rounded16(f32x16 x, float factor, int16_t *target) {
    // 1.5·2^23: the low bits of the sum are the number.
    u16x16 low = __builtin_convertvector((u32x16)fma16(x, splat16(factor), splat16(12582912.0f)), u16x16);
    memcpy(target, &low, sizeof low);
}

/// Fetches scales and least values of `count` each.
MNK_INLINE void fetch_scales(const kv_codes *codes, size_t count) {
    for (size_t i = 0; i < 2 * count; i += 32) __builtin_prefetch(codes->scales + i, 0, 2);
}

/// q·key = Σ q·least + Σ (q·scale)·code: the first once for a page; the factors of the second are
/// rounded relative to the largest that they can be.
MNK_INLINE void mnk_score_codes_body(uint32_t features, const kv_page *page, const float *q, const kv_peak *peaks, size_t rows, float *scores,
                                     size_t lds, const kv_page *next) {
    int native = converts_halves(features);
    size_t dim = page->dim;
    float limit = code_limit(dim), steps[CODE_ROWS], factors[CODE_ROWS];
    int16_t weights[CODE_ROWS * MNK_MAX_HEAD];
    int32_t sums[CODE_ROWS * CODE_COLUMNS];
    f32x16 top = splat16(LEAST_PEAK), base[CODE_ROWS];
    for (size_t i = 0; i < dim; i += 16) top = max16(load16_half(native, page->keys.scales + i), top);
    float highest = highest16(top), inverse = limit / highest, step = highest * (1 / limit);
    for (size_t r = 0; r < rows; r++) {
        factors[r] = inverse * peaks[r].inverse;
        steps[r] = step * peaks[r].most;
        base[r] = splat16(0);
    }
    for (size_t i = 0; i < dim; i += 16) {
        f32x16 scale = load16_half(native, page->keys.scales + i), least = load16_half(native, page->keys.least + i);
        for (size_t r = 0; r < rows; r++) {
            f32x16 x = load16(q + r * dim + i);
            base[r] = fma16(x, least, base[r]);
            rounded16(x * scale, factors[r], weights + r * dim + i);
        }
    }
    fetch_scales(&next->keys, dim);
    code_products a = {page->keys.codes, next->keys.codes, dim, MNK_KV_BLOCK, weights, dim, sums};
    products(features, page->bits, rows, 2, &a);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < 2; c++) {
            i32x16 sum;
            memcpy(&sum, sums + r * CODE_COLUMNS + c * 16, sizeof sum);
            store16(scores + r * lds + c * 16, fma16(__builtin_convertvector(sum, f32x16), splat16(steps[r]), splat16(sum16(base[r]))));
        }
}
MNK_DISPATCH(mnk_score_codes,
             (uint32_t features, const kv_page *page, const float *q, const kv_peak *peaks, size_t rows, float *scores, size_t lds, const kv_page *next),
             (features, page, q, peaks, rows, scores, lds, next))

/// Σ p·value = Σ p·least + Σ (p·scale)·code: likewise, over a page's positions.
MNK_INLINE void mnk_add_codes_body(uint32_t features, const kv_page *page, const float *p, size_t ldp, size_t rows, float *out, const kv_page *next) {
    int native = converts_halves(features);
    size_t dim = page->dim, groups = value_groups(page->bits, dim), width = dim / groups;
    int16_t weights[CODE_ROWS * MNK_KV_BLOCK];
    int32_t sums[CODE_ROWS * CODE_COLUMNS];
    float steps[CODE_ROWS], bases[CODE_ROWS], limit = code_limit(MNK_KV_BLOCK);
    fetch_scales(&next->values, MNK_KV_BLOCK * groups);
    for (size_t g = 0; g < groups; g++) {
        const uint16_t *scales = page->values.scales + g * MNK_KV_BLOCK, *leasts = page->values.least + g * MNK_KV_BLOCK;
        f32x16 scale[2], least[2];
        for (size_t e = 0; e < 2; e++) {
            scale[e] = load16_half(native, scales + e * 16);
            least[e] = load16_half(native, leasts + e * 16);
        }
        for (size_t r = 0; r < rows; r++) {
            f32x16 x[2] = {load16(p + r * ldp), load16(p + r * ldp + 16)}, t[2] = {x[0] * scale[0], x[1] * scale[1]};
            float most = highest16(max16(max16(t[0], t[1]), splat16(LEAST_PEAK)));
            steps[r] = most * (1 / limit);
            for (size_t e = 0; e < 2; e++) rounded16(t[e], limit / most, weights + r * MNK_KV_BLOCK + e * 16);
            bases[r] = sum16(fma16(x[1], least[1], x[0] * least[0]));
        }
        for (size_t i = 0; i < width;) {
            size_t vectors = width - i >= 64 ? 4 : width - i >= 32 ? 2 : 1, at = (g * width + i) * 2;
            code_products a = {page->values.codes + at, next->values.codes + at, MNK_KV_BLOCK, dim, weights, MNK_KV_BLOCK, sums};
            products(features, page->bits, rows, vectors, &a);
            for (size_t r = 0; r < rows; r++)
                for (size_t c = 0; c < vectors; c++) {
                    float *o = out + r * dim + g * width + i + c * 16;
                    i32x16 sum;
                    memcpy(&sum, sums + r * CODE_COLUMNS + c * 16, sizeof sum);
                    store16(o, fma16(__builtin_convertvector(sum, f32x16), splat16(steps[r]), load16(o) + splat16(bases[r])));
                }
            i += vectors * 16;
        }
    }
}
MNK_DISPATCH(mnk_add_codes, (uint32_t features, const kv_page *page, const float *p, size_t ldp, size_t rows, float *out, const kv_page *next),
             (features, page, p, ldp, rows, out, next))
