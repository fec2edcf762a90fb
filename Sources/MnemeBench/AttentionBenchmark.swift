import Foundation
import MnemeNumerics

/// Speed of one token's attention over rows of f16, and of codes of 8 and 4 bits as they lie, on each
/// instruction set that this machine has, by one thread: whether fewer bits are less time, too.
public struct AttentionBenchmark: Sendable {
    /// One measurement: of a key-value head.
    public struct Row: Sendable, Codable {
        /// `f16`, `int8` or `int4`.
        public var rows: String
        /// The instruction set, see ``MnemeNumerics/ProcessorFeatures/machinePaths``.
        public var path: String
        /// Bytes of a head's keys and values.
        public var bytes: Int
        /// Microseconds where heads follow each other, as in a token's step, and are read from memory; and
        /// where it is one head again and again, which the second-level cache may hold. A fifth of the runs
        /// took less: others on the machine slow some down.
        public var memory: Double, cache: Double
    }

    /// What is attended to; by default a model's of 135 million parameters.
    public struct Shape: Sendable {
        /// Rows of a head, a multiple of 32.
        public var positions: Int
        /// Key-value heads of all layers, and query heads of each.
        public var heads = 90, group = 3
        /// Elements of a head, a multiple of 32.
        public var dimension = 64

        /// A context of so many rows.
        public init(positions: Int) { self.positions = positions }
    }

    /// Measures all types of rows with one thread.
    ///
    /// - Parameters:
    ///   - repetitions: of all heads.
    ///   - progress: called with the measurements done and their number.
    public static func run(
        _ shape: Shape, repetitions: Int = 5, progress: (Int, Int) -> Void = { _, _ in }
    ) -> [Row] {
        let paths = ProcessorFeatures.machinePaths.filter { $0.features != .portable }
        var rows: [Row] = []
        for (name, bits) in [("f16", 16), ("int8", 8), ("int4", 4)] {
            let sample = AttentionSample(shape, bits: bits)
            for path in paths {
                let kernels = DecoderKernels(features: path.features)
                var times: (memory: [Double], cache: [Double]) = ([], [])
                for _ in 0..<repetitions {
                    for head in 0..<shape.heads { times.memory.append(sample.seconds(kernels, head)) }
                    for _ in 0..<shape.heads { times.cache.append(sample.seconds(kernels, 0)) }
                }
                func fifth(_ seconds: [Double]) -> Double { seconds.sorted()[seconds.count / 5] * 1e6 }
                rows.append(
                    Row(
                        rows: name, path: path.name, bytes: sample.headBytes, memory: fifth(times.memory),
                        cache: fifth(times.cache)))
                progress(rows.count, paths.count * 3)
            }
        }
        return rows
    }
}

/// Heads of keys and values in memory, in pages.
private struct AttentionSample {
    /// Halves from one page's possible beginning to the next.
    private static let unit = 32
    private let memory: AlignedBuffer<UInt16>, table: [Int32]
    private let queries: [Float], output: AlignedBuffer<Float>, scratch: AlignedBuffer<Float>
    private let positions: Int, group: Int, dimension: Int, bits: Int, pages: Int
    let headBytes: Int

    init(_ shape: AttentionBenchmark.Shape, bits: Int) {
        let (dimension, heads) = (shape.dimension, shape.heads)
        (positions, group, self.dimension, self.bits) = (shape.positions, shape.group, dimension, bits)
        let block = DecoderKernels.kvBlock
        pages = positions / block
        let part = block * dimension
        let bytes = bits == 16 ? 4 * part : DecoderKernels.pageBytes(bits: bits, dimension: dimension)
        headBytes = pages * bytes
        memory = AlignedBuffer(heads * headBytes / 2)
        // Heads are alike, as speed does not depend on what they hold.
        let kernels = DecoderKernels()
        var halves = [UInt16](repeating: 0, count: 2 * part)
        for page in 0..<pages {
            for i in halves.indices {
                halves[i] = Float16(Float((page * 7919 + i * 104_729) % 2003 - 1001) / 1001).bitPattern
            }
            let target = memory.pointer + page * bytes / 2
            if bits == 16 {
                target.update(from: halves, count: halves.count)
            } else {
                halves.withUnsafeBufferPointer {
                    kernels.encodePage(
                        bits: bits, keys: $0.baseAddress!, values: $0.baseAddress! + part, dimension: dimension,
                        into: target)
                }
            }
        }
        for head in 1..<heads {
            (memory.pointer + head * headBytes / 2).update(from: memory.pointer, count: headBytes / 2)
        }
        table = (0..<heads * pages).map {
            let place = Int32($0 * bytes / 2 / Self.unit)
            return bits == 16 ? place : ~place
        }
        queries = (0..<group * dimension).map { Float($0 * 7919 % 2003 - 1001) / 500 }
        output = AlignedBuffer(group * dimension)
        scratch = AlignedBuffer(DecoderKernels.scratch(heads: group, kvHeads: 1, dimension: dimension))
    }

    /// What a token's attention over a head takes.
    func seconds(_ kernels: DecoderKernels, _ head: Int) -> Double {
        queries.withUnsafeBufferPointer { queries in
            table.withUnsafeBufferPointer { table in
                var attention = DecoderKernels.Attention(
                    queries: queries.baseAddress!, stride: group * dimension, keys: memory.pointer,
                    values: memory.pointer + DecoderKernels.kvBlock * dimension, blockStride: Self.unit,
                    table: table.baseAddress! + head * pages, tokens: 1, position: positions - 1, heads: group,
                    kvHeads: 1, dimension: dimension, window: 0, scale: 1 / Float(dimension).squareRoot(), cap: 0,
                    into: output.pointer, outputStride: group * dimension, codeBits: bits == 16 ? 0 : bits)
                let begun = ContinuousClock().now
                kernels.attend(&attention, units: 0..<kernels.units(&attention), scratch: scratch.pointer)
                return (ContinuousClock().now - begun) / .seconds(1)
            }
        }
    }
}
