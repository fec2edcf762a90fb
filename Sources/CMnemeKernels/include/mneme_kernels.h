// Kernels of Mneme: plain functions over caller-owned memory.
//
// Every kernel takes `features`, a mask of the instruction sets that it may use, and picks the best
// path among them; 0 is the portable reference. Pass `mnk_cpu_features()` for speed, or a smaller
// mask to test a path. A mask with a feature that the machine lacks is undefined.
//
// All paths of a kernel give the same bits, for any number of rows, threads and units: sums of
// integers are exact, and sums of floats come in one order. Tests/kernels/bits.c compares them.
//
// No kernel allocates or keeps state (the pool and the feature mask aside). Lengths are in elements
// unless a name says bytes. Matrices are row-major. Unless a kernel says otherwise, its inputs are
// finite.
#ifndef MNEME_KERNELS_H
#define MNEME_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// MARK: Machine

// Bits of a feature mask. A bit stands for all that its kernels use, as listed; each set builds on
// those before it of the same processor family.
#define MNK_AVX2 (1u << 0)         // AVX2, FMA, F16C
#define MNK_AVX512 (1u << 1)       // AVX-512 F, BW, DQ, VL
#define MNK_AVX512_VNNI (1u << 2)
#define MNK_AMX_BF16 (1u << 3)      // products of bfloat16 for training
#define MNK_AMX_INT8 (1u << 4)
#define MNK_AMX_EMULATED (1u << 6) // the AMX code over tiles emulated in C: for tests, never detected
#define MNK_NEON (1u << 7)         // arm64: NEON, half precision, CRC-32C
#define MNK_DOTPROD (1u << 8)      // arm64: 8-bit dot products (FEAT_DotProd)
#define MNK_I8MM (1u << 9)         // arm64: 8-bit matrix products (FEAT_I8MM)

/// Instruction sets of this machine that passed a self-check. Cached; thread-safe.
///
/// The environment's MNEME_CPU caps them: "portable", "avx2", "avx512", "vnni", and on arm64
/// "neon", "dotprod", "i8mm" leave those up to the one named, "amx-emulated" takes AMX's code over
/// emulated tiles (slow). All give the same bits. Another value ends the process with status 2 and
/// the known names on stderr; an empty one counts as none.
uint32_t mnk_cpu_features(void);
/// What the cap of that name leaves of `features`; 0 if this kind of processor knows no such cap,
/// and then `kept` is left alone.
int mnk_cpu_capped(const char *cap, uint32_t features, uint32_t *kept);
/// Names of caps from 0 on; NULL behind the last.
const char *mnk_cpu_cap_name(size_t index);

// MARK: Threads

/// Threads that wait for work together.
typedef struct mnk_pool mnk_pool;
/// Work of one thread: its index and the number of threads say which share is its own.
typedef void (*mnk_task)(void *context, size_t index, size_t count);

/// A pool that runs a task on `threads` threads, the caller being one. NULL if threads cannot
/// start.
mnk_pool *mnk_pool_create(size_t threads);
/// Joins the workers and frees the pool. No task may be running.
void mnk_pool_destroy(mnk_pool *pool);
/// Threads, the caller among them.
size_t mnk_pool_threads(const mnk_pool *pool);
/// Runs `task(context, i, threads)` once for each i and returns when all have ended.
/// Calls from several threads take turns. Not re-entrant.
void mnk_pool_run(mnk_pool *pool, mnk_task task, void *context);
/// Waits until all threads of the running task arrive. Only inside a task, by all its threads.
void mnk_pool_barrier(mnk_pool *pool);

// MARK: Matrix product

/// Last steps of a product: the bias alone; GELU of the sum (in its form with the error function);
/// the sum and what stands in `residual`.
enum { MNK_EPILOGUE_BIAS = 0, MNK_EPILOGUE_GELU = 1, MNK_EPILOGUE_RESIDUAL = 2 };

/// C[m][n] = epilogue(A[m][k] · B[k][n] + bias[n]): the product of floats, and that of 8-bit integers.
///
/// B is packed in panels of 16 columns, each panel contiguous:
///   f32   [n/16][k][16]
///   int8  [n/16][k/4][16][4]
/// n is a multiple of 16, k of 64. Columns [n_begin, n_end) are computed, multiples of 16: threads
/// share a product by its columns.
typedef struct {
    /// Row i begins at a + i·lda elements: floats, or unsigned bytes.
    const void *a;
    size_t lda;
    /// The packed panels.
    const void *b;
    size_t m, n, k;
    size_t n_begin, n_end;
    /// n floats that are added to every row.
    const float *bias;
    /// MNK_EPILOGUE_…: what is done with a sum before it is stored.
    int epilogue;
    /// For MNK_EPILOGUE_RESIDUAL: m rows of `ldc` elements that are added; may be c.
    const float *residual;
    /// Row i begins at c + i·ldc.
    float *c;
    size_t ldc;
    /// For int8: a ≈ a_scale·(byte − a_zero), both per row (asymmetric).
    const float *a_scale;
    const int32_t *a_zero;
    /// For int8: b ≈ b_scale·code, per column (symmetric), and the columns' sums of codes, which
    /// take the rows' zero out of the integer products.
    const float *b_scale;
    const int32_t *b_sum;
} mnk_gemm;

/// Products of floats; each output is one chain of fused multiply-adds along k, on every path.
void mnk_gemm_f32(uint32_t features, const mnk_gemm *g);
/// Products of unsigned bytes with signed ones, exact in 32 bits, scaled at the end.
void mnk_gemm_int8(uint32_t features, const mnk_gemm *g);

/// Packs W[n][k] (row-major, as a linear layer stores it) into panels of 16 columns.
void mnk_pack_f32(const float *w, size_t n, size_t k, float *packed);
/// Symmetric int8 per output column; `input_scale[k]` (or NULL) multiplies the weights first.
void mnk_pack_int8(const float *w, size_t n, size_t k, const float *input_scale,
                   int8_t *packed, float *b_scale, int32_t *b_sum);

// MARK: Encoder layers

/// y = (x − mean)/sqrt(var + eps)·gamma + beta for each row. x may be y.
void mnk_layer_norm(uint32_t features, const float *x, const float *gamma, const float *beta, float eps,
                    size_t rows, size_t columns, float *y);
/// Asymmetric 8 bits per row: x/input_scale ≈ scale·(y − zero). input_scale may be NULL.
void mnk_quantize_rows(uint32_t features, const float *x, size_t rows, size_t columns, const float *input_scale,
                       uint8_t *y, float *scale, int32_t *zero);
/// Bidirectional multi-head attention of one text: qkv is [tokens][3·heads·dim] (q, k, v), out
/// [tokens][heads·dim]. dim is a multiple of 16, at most 128. `scratch` has
/// mnk_attention_scratch(tokens, dim) floats.
void mnk_attention(uint32_t features, const float *qkv, size_t tokens, size_t heads, size_t dim,
                   size_t head_begin, size_t head_end, float *out, float *scratch);
/// Floats that mnk_attention needs beside its operands: transposed keys and a block of scores.
size_t mnk_attention_scratch(size_t tokens, size_t dim);
/// out = normalised mean of the rows. A zero mean stays zero.
void mnk_mean_pool(uint32_t features, const float *x, size_t rows, size_t columns, float *out);

// MARK: Quantised weights

/// How weights are kept for products: codes of 8 bits (unsigned) with an affine scale for each
/// 32 weights of a column, w = d·code + m. A tile is 16 columns by 32 of k:
///   MNK_Q8: 8 × 64 bytes; byte n·4+i of vector j holds k = 4j+i of column n
/// then d[16] and m[16] as f16. Tiles of one column group follow each other along k.
///   MNK_Z8: likewise without m, which is -128·d
/// And in integers, where a float for each column (for MNK_G12 for each group of k, too) is all that rounds; k is filled up
/// with zeros to a multiple of 64:
///   MNK_G4: w = D·(s·(code − 8) + t), |s·(code − 8) + t| ≤ 16191; a tile is 16 columns by 64 of k: 8 × 64 bytes
///     of codes, byte n·4+i of vector j for k = 8j+i (low four bits) and 8j+4+i of column n, then s[16] of the first 32 and
///     of the last 32, and t[16][2] of both, in 16 bits; the D[16] of all tiles stand behind a column group, in f32
///   MNK_Z4: likewise without t
///   MNK_G12: w = D·code, signed; 12 × 64 bytes; 16-bit word n·2+i of vectors 3j, 3j+1 and 3j+2 holds k = 8j+i, 8j+2+i and
///     8j+4+i of column n in its upper twelve bits, and bits 0-3, 4-7 and 8-11 of k = 8j+6+i in its lower four; the
///     D[groups][16] stand behind the codes of a column group
/// What the formats are for:
///   MNK_Q8: types of 5 bits with a minimum (Q5_1, Q5_K), and types that were fitted anew
///   MNK_Z8: symmetric types (Q5_0, Q8_0, IQ4_NL), which save the minimum's bytes and a multiply-add
///   MNK_Z4: Q4_0, as MNK_G4
///   MNK_G4: types of 4 bits with a minimum (Q4_1, Q4_K), whose sums over groups of k are integers
///   MNK_G12: F16 and BF16; 12 bits of the highest of 256 change greedy answers no more than the rounding of halves does
enum { MNK_G4 = 0, MNK_Q8 = 1, MNK_G12 = 2, MNK_Z4 = 3, MNK_Z8 = 4 };
/// Bytes of a group of 16 columns with their scales.
size_t mnk_panel_bytes(int format, size_t k);

/// C[m][n] (+)= A[m][k] · W[n][k]ᵀ + bias with W in tiles. k is a multiple of 32, n of 16.
typedef struct {
    /// [m][k/32] blocks of 64 bytes, as mnk_quantize_blocks writes them. For MNK_G4, MNK_Z4 and MNK_G12
    /// this, a_words, a_scale and a_total are as mnk_quantize_groups writes them.
    const void *a;
    /// For MNK_G12 alone, where `a` may be NULL: AMX, which multiplies bytes, is not used then.
    const int16_t *a_words;
    /// [m][k/32]: scales of the blocks of A, and for MNK_Q8 what their words stand for,
    /// summed (it meets the minima of the weights).
    const float *a_scale, *a_sum;
    /// [m][k/32]: sums of the blocks' words, for the fixed zero of MNK_Z8.
    const int32_t *a_total;
    /// The tiles of W, and their format.
    const void *b;
    int format;
    size_t m, n, k;
    /// Columns to compute, multiples of 16.
    size_t n_begin, n_end;
    /// n floats, or NULL.
    const float *bias;
    /// Row i begins at c + i·ldc.
    float *c;
    size_t ldc;
    /// Whether to add to C instead of replacing it.
    int accumulate;
} mnk_tiles;
/// The integer sums of a block of 32 are exact; they are scaled and added block by block along k, so
/// that all paths give the same bits. On the vector paths, W is read once for several rows.
void mnk_gemm_tiles(uint32_t features, const mnk_tiles *g);
/// Fifteen bits for each 32 of x: x ≈ scale·word, word = 128·high + low; codes are 32 high and then
/// 32 low bytes, total is the sum of all words, sum that of what they stand for. (With eight bits, as others do it, greedy answers soon leave those of the f32 model.)
/// count is a multiple of 32.
void mnk_quantize_blocks(uint32_t features, const float *x, size_t count, int8_t *codes, float *scale, float *sum, int32_t *total);

/// As mnk_gemm_tiles sees MNK_G4, MNK_Z4 and MNK_G12: sums are exact over groups of k, at most 256 wide and as even as they can
/// be, less their lowest seven bits; each is scaled and added once.
///
/// Fifteen bits for each group of each row of x, word = 128·high + low. `words` are [rows][mnk_group_width(k)]; `bytes`
/// are, for each 64 of k, 64 high and then 64 low ones; either may be NULL. `scale` is [rows][mnk_group_count(k)], what
/// 128 of a word stand for. For each 64 of k `totals`, which come with bytes alone, hold six numbers: -8 times the sums
/// of the high bytes of the first and last 32, likewise of the low ones, and these four sums without the factor, two in a
/// number. k is a multiple of 32.
void mnk_quantize_groups(uint32_t features, const float *x, size_t rows, size_t k, int8_t *bytes, int16_t *words, float *scale, int32_t *totals);
/// k filled up to a multiple of 64, and the groups that it is cut into.
size_t mnk_group_width(size_t k);
size_t mnk_group_count(size_t k);

/// Weights and bytes of a block of a GGUF type (ggml's number); 0 for types that are not read.
int mnk_block_shape(int type, size_t *weights, size_t *bytes);
/// `count` weights as floats; a multiple of the block's weights. Any type that mnk_block_shape
/// knows.
void mnk_dequantize(int type, const void *source, size_t count, float *y);
/// The other way, to F32, F16 or Q8_0 (scale highest/127, codes rounded to the nearest).
void mnk_quantize(int type, const float *x, size_t count, void *target);
/// The tile format for a type; -1 for F32, which is kept as it is. Q2_K, Q3_K and Q6_K, whose
/// scales span 16 weights, are fitted to 8 bits anew, F16 and BF16 to 12 (to 1/4094 of the highest
/// of a group of k); all others keep their codes.
int mnk_tile_format(int type);
/// Packs rows [row_begin, row_end) of W[n][k] from GGUF blocks into tiles. k is a multiple of the
/// block.
void mnk_pack_tiles(int type, const void *source, size_t k, size_t row_begin, size_t row_end, void *packed);
/// One row of W from tiles.
void mnk_tile_row(int format, const void *packed, size_t k, size_t row, float *y);

// MARK: Decoder layers

/// y (+)= x/√(mean(x²) + eps)·weight for each row of n; x may be y. n is a multiple of 16.
void mnk_rms_norm(uint32_t features, const float *x, const float *weight, float eps, size_t rows, size_t n, int accumulate, float *y);
/// Rotates the first 2·half elements of each of `heads` heads of `dim` at x: pairs (2i, 2i+1) if
/// interleaved, else (i, i+half).
void mnk_rope(float *x, size_t heads, size_t dim, size_t half, const float *cosine, const float *sine, int interleaved);
/// gate = SiLU(gate)·up, or GELU(gate)·up in its tanh form (Hendrycks and Gimpel 2016). count is a
/// multiple of 16.
void mnk_gate(uint32_t features, float *gate, const float *up, size_t count, int gelu);
/// y += p·B for `count` columns of B, `rank` rows `stride` floats apart: what an adapter adds to a map's output.
/// count is a multiple of 16.
void mnk_add_rows(uint32_t features, const float *p, size_t rank, const float *b, size_t stride, size_t count, float *y);
/// x = cap·tanh(x/cap) (Gemma 2). count is a multiple of 16.
void mnk_soft_cap(uint32_t features, float *x, size_t count, float cap);
/// To and from half precision. count is a multiple of 16.
void mnk_to_half(uint32_t features, const float *x, size_t count, uint16_t *y);

/// Positions of a block of keys and values.
/// A block is the unit of sharing, of files and of codecs.
enum { MNK_KV_BLOCK = 32 };
/// One position's keys to halves, each a block's length behind the one before. count is a multiple
/// of 16.
void mnk_store_keys(uint32_t features, const float *x, size_t count, uint16_t *y);

/// Copies `count` positions' keys from position `from` of a block to position `to` of another, each
/// pair turned by its angle: what was computed at one place is then as if at another (RoPE, Su et
/// al. 2021). Elements beyond 2·half are not turned.
void mnk_move_keys(uint32_t features, const uint16_t *source, size_t from, uint16_t *target, size_t to, size_t count, size_t heads, size_t dim,
                   size_t half, const float *cosine, const float *sine, int interleaved);

/// Bytes of a page of codes: a block of one head with keys and values as codes of `bits` (8 or 4)
/// bits. dim is a multiple of 16, with 4 bits of 32.
size_t mnk_kv_page_bytes(int bits, size_t dim);
/// Codes of one head's keys, [dim][32], and values, [32][dim]. All 32 positions count.
void mnk_encode_kv_page(uint32_t features, int bits, const uint16_t *keys, const uint16_t *values, size_t dim, uint8_t *target);
/// The other way.
void mnk_decode_kv_page(uint32_t features, int bits, const uint8_t *source, size_t dim, uint16_t *keys, uint16_t *values);

/// Causal attention of new tokens over one sequence's keys and values, in one pass with a running
/// maximum. Query t stands at position + t and sees the positions up to its own, at most `window`
/// of them (0: all). Query heads share key-value heads in groups (GQA). dim is a multiple of 16, at
/// most MNK_MAX_HEAD.
enum { MNK_MAX_HEAD = 512 };
typedef struct {
    /// Queries: row t at q + t·ldq, head h at h·dim.
    const float *q;
    size_t ldq;
    /// The KV cache in halves, in blocks of MNK_KV_BLOCK positions. Of position p, head h and element
    /// i, with e = p mod MNK_KV_BLOCK:
    ///   the key is at    block·block_stride + (h·dim + i)·MNK_KV_BLOCK + e
    ///   the value is at  block·block_stride + (h·MNK_KV_BLOCK + e)·dim + i
    /// Keys are transposed so that one vector holds an element of neighbouring positions; a head's
    /// part of a block is one piece of memory either way. The block is p / MNK_KV_BLOCK, or what
    /// `table` says of it.
    const uint16_t *keys, *values;
    size_t block_stride;
    const int32_t *table;
    /// New tokens, and the position of the first.
    size_t tokens, position;
    /// Query heads, key-value heads, elements of a head, and positions that a token sees (0: all).
    size_t heads, kv_heads, dim, window;
    /// Multiplies the scores.
    float scale;
    /// Scores s become cap·tanh(s/cap) (Gemma 2); 0 leaves them as they are.
    float cap;
    /// Outputs: row t at out + t·ldo, head h at h·dim.
    float *out;
    size_t ldo;
    /// mnk_decoder_partials() floats for KV splits that threads share; NULL for none.
    float *partials;
    /// With partials: splits before this one come from mnk_attend_shared().
    size_t first_span;
    /// The tokens' positions, ascending; NULL if they follow each other from `position` on, which
    /// else is the last position + 1 − tokens.
    const int32_t *places;
    /// The logarithm of how many each row stands for, which is added to its score (RazorAttention's
    /// compensation token, Tang et al. 2024); −∞ for a row that nobody sees. Up to the next multiple
    /// of 64 rows; NULL: each for itself. One key-value head.
    const float *row_logs;
    /// Bits of the codes in blocks whose entry in `table` is negative: ~entry is then the block, a
    /// page of codes that begins where keys would, see mnk_encode_kv_page(). One key-value head.
    int coded_bits;
} mnk_decoder_attention;
/// Positions of a span, and sequences that can share one reading of it.
enum { MNK_SPAN = 512, MNK_SHARING = 16 };
/// Work comes in mnk_decoder_units() units, which threads can share; scratch has
/// mnk_decoder_scratch() floats. With partials, units are smaller, and mnk_merge_partials() over
/// all key-value heads ends the work when all are done. What comes out is the same (flash decoding,
/// Dao et al. 2023). mnk_decoder_partials() is 0 where that would not help.
/// Floats for `partials`: an output, a highest score and a total for each row of each split; 0 where
/// one split, or many tokens, leave nothing to share.
size_t mnk_decoder_partials(const mnk_decoder_attention *a);
/// One span of what `count` sequences, of one token each, have in common: its keys and values are
/// read once for all, and what each row sums up is the same as alone (ChunkAttention, Ye et al.
/// 2024; RelayAttention, Zhu et al. 2024). No window; all stand behind the span.
void mnk_attend_shared(uint32_t features, const mnk_decoder_attention *const *members, size_t count, size_t span, size_t head_begin, size_t head_end,
                       float *scratch);
/// Adds up the splits of key-value heads [head_begin, head_end), in order, into `out`.
void mnk_merge_partials(const mnk_decoder_attention *a, size_t head_begin, size_t head_end);
/// Pieces of work that threads can share.
size_t mnk_decoder_units(const mnk_decoder_attention *a);
/// Floats of scratch memory that a thread needs for mnk_attend() and mnk_attend_shared().
size_t mnk_decoder_scratch(size_t heads, size_t kv_heads, size_t dim);
/// Units [unit_begin, unit_end).
void mnk_attend(uint32_t features, const mnk_decoder_attention *a, size_t unit_begin, size_t unit_end, float *scratch);
/// Adds to mass[p], for each position p, the weight that the last `last_tokens` tokens give it:
/// summed over them and the query heads of one key-value head; their squares likewise, unless
/// squares is NULL. Outputs are not looked at.
void mnk_attention_mass(uint32_t features, const mnk_decoder_attention *a, size_t head, size_t last_tokens, float *mass, float *squares);

/// Scores of pages of keys for `rows` queries, row r at q + r·ldq: row r's of page p at
/// scores[r·padded + p], where padded is pages rounded up to 16. `count` vectors in halves stand for
/// a page: one, whose inner product with the query it is; or the lowest and the highest elements of
/// its keys, which bound theirs (Quest, Tang et al. 2024). Of page p, element i, vector v at
/// vectors[((p/16·dim + i)·count + v)·16 + p%16]; pages up to padded are there, whatever they hold.
void mnk_score_pages(uint32_t features, const float *q, size_t ldq, size_t rows, size_t dim, float scale, const uint16_t *vectors, size_t count, size_t pages,
                     float *scores);
/// The share of attention that each page of [first, end) would have if its rows scored as it does,
/// summed over queries, so that those with high scores do not outweigh the others: of the scores of
/// end + 1 pages, as mnk_score_pages() lays them out. Others are worth 0, up to the padding.
void mnk_page_worth(uint32_t features, const float *scores, size_t rows, size_t first, size_t end, float *worth);

// MARK: Vectors

/// Inner product of n floats, in one order of steps on every path.
float mnk_dot_f32(uint32_t features, const float *a, const float *b, size_t n);

// MARK: Proximity graph

/// Vectors as 8-bit codes, each with the ids of some near ones: a single-layer graph, searched
/// greedily and built by insertion with robust pruning (Vamana, Subramanya et al. 2019; fresh
/// inserts and deletes, Singh et al. 2021).
///
/// Record i, at records + i·stride (a multiple of 64): codes[padded dimension], unsigned, 128
/// standing for 0; float scale; uint32 reserved; uint32 ids[degree], MNK_NONE where there is none.
/// One writer may run beside any number of readers, and mnk_graph_insert on different slots beside
/// each other: ids are read and written atomically, changed under one of `locks`.
enum { MNK_GRAPH_LOCKS = 4096 };
#define MNK_NONE 0xffffffffu
typedef struct {
    uint8_t *records;
    size_t stride, dimension, degree;
    /// Ids from here on are passed over: records that are being written.
    uint32_t count;
    /// Where searches begin, or MNK_NONE.
    uint32_t entry;
    /// Bit i: record i is not returned, though walked through.
    const uint64_t *dead;
    /// MNK_GRAPH_LOCKS bytes, zero at first; a record's links change under the lock of its id.
    uint8_t *locks;
} mnk_graph;

/// Memory of one search or insertion at a time.
typedef struct {
    /// A bit for each of count: whether a record was compared.
    uint64_t *seen;
    /// beam + 2: the best found and their scores, best first.
    uint32_t *ids;
    float *scores;
    /// MNK_GATHERED: ids to compare next.
    uint32_t *gathered;
    /// MNK_EXPANDED: records whose links were followed, and their scores; for insertion.
    uint32_t *expanded;
    float *expanded_scores;
    /// Vectors compared, added up over calls.
    size_t compared;
} mnk_graph_scratch;
enum { MNK_GATHERED = 4096, MNK_EXPANDED = 1024 };

/// Bytes of a record, and of its codes.
size_t mnk_graph_stride(size_t dimension, size_t degree);
size_t mnk_code_bytes(size_t dimension);
/// Signed codes, padded to mnk_code_bytes() with zeros; returns the scale.
float mnk_encode_query(const float *x, size_t dimension, int8_t *codes);
/// Unsigned codes and scale into a record, and the next four bits of each component into
/// residual[(dimension + 1)/2] (x ≈ scale·(code − 128 + (bits + ½)/16 − ½); even components in the
/// low halves). residual may be NULL.
void mnk_encode_record(const float *x, size_t dimension, uint8_t *record, uint8_t *residual);
/// Adds the vector of a record, to 12 bits.
void mnk_add_record(uint32_t features, const uint8_t *record, const uint8_t *residual, size_t dimension, float *sum);
/// Inner product of a float vector and a record, to 12 bits.
float mnk_refine(uint32_t features, const float *query, const uint8_t *record, const uint8_t *residual, size_t dimension);

/// The `beam` best for a query; scores are inner products to 8 bits. Returns how many stand in
/// scratch->ids, best first; the dead are left out. With `allowed` (a bit for each id), only those
/// are compared and returned, and the walk passes through others to their neighbours (ACORN, Patel
/// et al. 2024).
size_t mnk_graph_search(uint32_t features, const mnk_graph *g, const int8_t *codes, float scale, size_t beam, const uint64_t *allowed,
                        mnk_graph_scratch *scratch);
/// Links the record at `slot`, whose codes are in place, with at most `degree` others found by a
/// search of width `beam`. alpha > 1 keeps longer links.
void mnk_graph_insert(uint32_t features, const mnk_graph *g, uint32_t slot, size_t beam, float alpha, mnk_graph_scratch *scratch);
/// Replaces links of `slot` to the dead by links to what those led to. Returns how many links it
/// has then, or -1 if none led to the dead.
int mnk_graph_repair(uint32_t features, const mnk_graph *g, uint32_t slot, float alpha, mnk_graph_scratch *scratch);
/// A record without links.
void mnk_clear_links(uint8_t *record, size_t dimension, size_t degree);
/// A bit that other threads may read or change.
void mnk_set_bit(uint64_t *bits, uint32_t i, int on);
int mnk_has_bit(const uint64_t *bits, uint32_t i);
/// scores[i] = inner product of the query and record ids[i], to 8 bits.
void mnk_graph_scores(uint32_t features, const uint8_t *records, size_t stride, size_t dimension, const int8_t *codes, float scale,
                      const uint32_t *ids, size_t count, float *scores);

// MARK: Codecs of keys and values

/// Groups of 32 halves as codes of 8, 4 or 2 bits: w = least + scale·code; the `wide` groups (of at
/// most 4 bits) whose range is widest have twice the bits. See codec.c for the layout.
/// Bytes of `groups` groups, `wide` of which have twice the bits.
size_t mnk_encoded_bytes(int bits, size_t groups, size_t wide);
/// groups·32 halves to mnk_encoded_bytes() bytes.
void mnk_encode_groups(uint32_t features, int bits, const uint16_t *source, size_t groups, size_t wide, uint8_t *target);
/// The other way. Any bytes give finite halves within the target.
void mnk_decode_groups(uint32_t features, int bits, const uint8_t *source, size_t groups, size_t wide, uint16_t *target);

// MARK: Checksums

/// CRC-32C (RFC 3720) of each quarter of `bytes`: a quarter is a multiple of 8, the last takes the
/// rest.
void mnk_checksum(uint32_t features, const void *source, size_t bytes, uint32_t out[4]);

// MARK: Measurement

/// Runs the machine's best f32 (kind 0) or int8 (kind 1) multiply-add loop and
/// returns the operations done (0 where there is none): the denominator of a share of the peak.
double mnk_peak_operations(uint32_t features, int kind, size_t iterations);
/// Reads `bytes` (a multiple of 256) in four streams and returns something that depends on all: for
/// bandwidth.
uint32_t mnk_read_memory(uint32_t features, const void *source, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
