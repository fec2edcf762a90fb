import CMnemeKernels
import MnemeNumerics

/// The number format of products with frozen weights. All else is f32: the adapter, attention,
/// norms and sums.
public enum TrainingPrecision: String, Sendable, Codable {
    /// Floats.
    case f32
    /// bfloat16, summed in floats: for processors with AMX.
    case bf16

    /// The fastest of this machine.
    public static var fastest: TrainingPrecision {
        ProcessorFeatures.current.contains(.amxBF16) ? .bf16 : .f32
    }
}

/// The products of training over a pool's threads. Each output is summed by one thread in one
/// order, so that results are the same bits on any number of threads.
final class TrainingKernels {
    let pool: ThreadPool
    let features: UInt32
    let precision: TrainingPrecision
    /// A frozen matrix, packed for the product that is being computed; and that product's left side
    /// as bfloat16.
    private let packed: AlignedBuffer<UInt8>
    private let halves: AlignedBuffer<UInt16>
    /// For each thread: 32 rows of weights as floats.
    private let rows: AlignedBuffer<Float>
    private let rowFloats: Int
    /// A small factor, transposed.
    private let factor: AlignedBuffer<Float>

    /// - Parameters:
    ///   - rows: the most of a product.
    ///   - matrixBytes: of the largest frozen matrix, packed.
    ///   - width: the widest side of a matrix.
    ///   - rank: the highest, rounded up to 16.
    init(
        pool: ThreadPool, features: ProcessorFeatures, precision: TrainingPrecision, rows: Int,
        matrixBytes: Int, width: Int, rank: Int
    ) {
        self.pool = pool
        self.features = features.rawValue
        self.precision = precision
        packed = AlignedBuffer(matrixBytes)
        halves = AlignedBuffer(precision == .bf16 ? padded(rows, 32) * padded(width, 32) : 0)
        rowFloats = 32 * padded(width, 32)
        self.rows = AlignedBuffer(pool.threadCount * rowFloats)
        factor = AlignedBuffer(width * rank)
    }

    /// Bytes of its memory.
    var byteCount: Int {
        packed.count + 2 * halves.count + 4 * (rows.count + factor.count)
    }

    /// Calls `body` with each thread's share of `count` pieces of work.
    func share(_ count: Int, _ body: (Range<Int>) -> Void) {
        pool.run { thread, threads in
            let mine = shareOf(count, thread, threads)
            if !mine.isEmpty { body(mine) }
        }
    }

    /// output (+)= input·Wᵀ, or input·W if `transposed`: rows of as many elements as W has on that
    /// side, rounded up to 16. Memory behind both holds whole blocks of 32 rows.
    func frozen(
        _ w: StoredRows, transposed: Bool = false, input: UnsafePointer<Float>, rows: Int,
        accumulate: Bool = false, into output: UnsafeMutablePointer<Float>
    ) {
        let depth = transposed ? w.outputs : w.inputs
        let columns = padded(transposed ? w.inputs : w.outputs, 16)
        let isBF16 = precision == .bf16
        let groups = padded(w.outputs, 32) / 32
        let stride = padded(depth, 16)
        let wide = padded(depth, 32)
        pool.run { thread, threads in
            let pack = shareOf(groups, thread, threads)
            if !pack.isEmpty {
                mnk_pack_frozen(
                    features, isBF16 ? 1 : 0, transposed ? 1 : 0, w.type.rawValue, w.source,
                    w.outputs, w.inputs, pack.lowerBound * 32,
                    min(w.outputs, pack.upperBound * 32),
                    self.rows.pointer + thread * rowFloats, packed.pointer)
            }
            if isBF16 {
                let mine = shareOf(rows, thread, threads)
                mnk_to_bf16(
                    features, input + mine.lowerBound * stride, stride, mine.count, stride,
                    halves.pointer + mine.lowerBound * wide, wide)
            }
            pool.barrier()
            let panels = shareOf(padded(columns, 32) / 32, thread, threads)
            let begin = panels.lowerBound * 32
            let end = min(columns, panels.upperBound * 32)
            guard begin < end else { return }
            if isBF16 {
                var p = mnk_product_bf16_arguments()
                p.a = UnsafePointer(halves.pointer)
                p.lda = wide
                p.b = UnsafeRawPointer(packed.pointer).assumingMemoryBound(to: UInt16.self)
                (p.m, p.n, p.k) = (padded(rows, 32), columns, wide)
                (p.n_begin, p.n_end) = (begin, end)
                p.c = output
                p.ldc = columns
                p.accumulate = accumulate ? 1 : 0
                mnk_product_bf16(&p)
            } else {
                var p = mnk_product()
                p.a = input
                (p.a_row, p.a_column) = (stride, 1)
                let panels = UnsafeRawPointer(packed.pointer).assumingMemoryBound(to: Float.self)
                p.b = panels + begin * depth
                (p.b_row, p.b_panel) = (16, 16 * depth)
                (p.m, p.n, p.k, p.scale) = (rows, end - begin, depth, 1)
                p.c = output + begin
                p.ldc = columns
                p.accumulate = accumulate ? 1 : 0
                mnk_product_f32(features, &p)
            }
        }
    }

    /// projected[rows][rank] = scale·input[rows][width]·factorᵀ for a factor of `rank` rows; columns
    /// from the rank up to 16 become zeros.
    func project(
        _ input: UnsafePointer<Float>, rows: Int, width: Int, by source: UnsafePointer<Float>,
        rank: Int, scale: Float, into projected: UnsafeMutablePointer<Float>
    ) {
        let columns = padded(rank, 16)
        pool.run { thread, threads in
            for i in shareOf(width, thread, threads) {
                for r in 0..<columns {
                    factor.pointer[i * columns + r] = r < rank ? source[r * width + i] : 0
                }
            }
            pool.barrier()
            let mine = shareOf(rows, thread, threads)
            var p = mnk_product()
            p.a = input + mine.lowerBound * width
            (p.a_row, p.a_column) = (width, 1)
            p.b = UnsafePointer(factor.pointer)
            (p.b_row, p.b_panel) = (columns, 16)
            (p.m, p.n, p.k, p.scale) = (mine.count, columns, width, scale)
            p.c = projected + mine.lowerBound * columns
            p.ldc = columns
            mnk_product_f32(features, &p)
        }
    }

    /// output[rows][width] += scale·projected[rows][rank]·factor.
    func expand(
        _ projected: UnsafePointer<Float>, rows: Int, rank: Int, by factor: UnsafePointer<Float>,
        width: Int, scale: Float, into output: UnsafeMutablePointer<Float>
    ) {
        let columns = padded(rank, 16)
        share(rows) { mine in
            var p = mnk_product()
            p.a = projected + mine.lowerBound * columns
            (p.a_row, p.a_column) = (columns, 1)
            p.b = factor
            (p.b_row, p.b_panel) = (width, 16)
            (p.m, p.n, p.k, p.scale) = (mine.count, width, rank, scale)
            p.c = output + mine.lowerBound * width
            p.ldc = width
            p.accumulate = 1
            mnk_product_f32(features, &p)
        }
    }

    /// gradient[rank][width] += scale·projectedᵀ·x: a factor's gradient, summed over the rows.
    func factorGradient(
        _ projected: UnsafePointer<Float>, _ x: UnsafePointer<Float>, rows: Int, rank: Int,
        width: Int, scale: Float, into gradient: UnsafeMutablePointer<Float>
    ) {
        let columns = padded(rank, 16)
        share(width / 16) { mine in
            let begin = mine.lowerBound * 16
            var p = mnk_product()
            p.a = projected
            (p.a_row, p.a_column) = (1, columns)
            p.b = x + begin
            (p.b_row, p.b_panel) = (width, 16)
            (p.m, p.n, p.k, p.scale) = (rank, mine.count * 16, rows, scale)
            p.c = gradient + begin
            p.ldc = width
            p.accumulate = 1
            mnk_product_f32(features, &p)
        }
    }
}

/// The next multiple.
func padded(_ count: Int, _ multiple: Int) -> Int { (count + multiple - 1) / multiple * multiple }
