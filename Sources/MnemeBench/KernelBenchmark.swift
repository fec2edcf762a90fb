import Foundation
import MnemeNumerics

/// Speed of the matrix products: each weight format on each instruction set that this machine has,
/// by one thread, at several numbers of rows. It finds the kernel that a change made slower, which
/// `bench llm` only shows as a whole.
public struct KernelBenchmark: Sendable {
    /// One measurement, by one thread.
    public struct Row: Sendable, Codable {
        /// The weights' format, by its name in GGUF files; `int8 encoder` is the embedding model's.
        public var format: String
        /// The instruction set, see ``MnemeNumerics/ProcessorFeatures/machinePaths``: `portable`,
        /// `avx2`, `avx512`, `vnni` or `amx`; on arm64 `neon`, `dotprod` or `i8mm`.
        public var path: String
        /// Rows of activations that meet the weights at once: 1 when one sequence decodes, many
        /// when a prompt is computed.
        public var rows: Int
        /// Multiply-adds of weights and activations, in 10⁹ a second; the best of the repetitions.
        public var gigaMultiplyAdds: Double
        /// Two operations a multiply-add, over the instruction set's measured peak in 8 bits, or
        /// f32 where it has no 8-bit products.
        public var shareOfPeak: Double?
    }

    /// The measurements, and the machine.
    public struct Report: Sendable, Codable {
        /// Columns of the product: the layer's outputs.
        public var outputs: Int
        /// Length of a row: the layer's inputs.
        public var inputs: Int
        /// Instruction sets in use unless a path says otherwise.
        public var features: [String]
        /// The measurements.
        public var rows: [Row]
    }

    /// The types that stand for the formats: blocks with a minimum in 4 and 8 bits, without one in
    /// 4 and 8 bits, 12 bits, and floats.
    static let types: [GGMLType] = [.q4_1, .q5_1, .q4_0, .q8_0, .f16, .f32]

    /// Measures all products with one thread.
    ///
    /// - Parameters:
    ///   - outputs: columns of the product, a multiple of 16.
    ///   - inputs: length of a row, a multiple of 64.
    ///   - rows: rows of activations, each measured.
    ///   - seconds: for each measurement.
    ///   - progress: called with the measurements done and their number.
    public static func run(
        outputs: Int = 1536, inputs: Int = 576, rows: [Int] = [1, 8, 64, 512],
        seconds: Double = 0.2,
        progress: (Int, Int) -> Void = { _, _ in }
    ) -> Report {
        let pool = ThreadPool(threads: 1)
        let paths = ProcessorFeatures.machinePaths
        var report = Report(
            outputs: outputs, inputs: inputs, features: ProcessorFeatures.current.names, rows: [])
        let total = paths.count * (types.count + 1) * rows.count
        let values = (0..<outputs * inputs).map { Float(($0 * 7919) % 2003 - 1001) / 1001 }
        // Each instruction set is asked for by itself; the peak is measured on it, too.
        for path in paths {
            let peak =
                measuredPeak(.int8, pool: pool, seconds: 0.1, features: path.features)
                ?? measuredPeak(.f32, pool: pool, seconds: 0.1, features: path.features)
            /// Adds a row: the best time of one product.
            func measure(_ format: String, _ count: Int, _ body: () -> Void) {
                let rate = Double(count * outputs * inputs) / bestTime(seconds: seconds, body)
                report.rows.append(
                    Row(
                        format: format, path: path.name, rows: count, gigaMultiplyAdds: rate / 1e9,
                        shareOfPeak: peak.map { 2 * rate / $0 }))
                progress(report.rows.count, total)
            }
            // The language model's formats: packed weights, activations quantized as the decoder
            // does.
            for type in types {
                let matrix = quantize(values, as: type).withUnsafeBytes {
                    WeightMatrix(
                        source: $0.baseAddress!, type: type, outputs: outputs, inputs: inputs,
                        pool: pool,
                        features: path.features)
                }
                for count in rows {
                    let input = ActivationRows(rows: count, columns: inputs, formats: matrix.reads)
                    for i in 0..<count * inputs { input.floats[i] = values[i % values.count] }
                    DecoderKernels(features: path.features).quantize(
                        input, rows: 0..<count, columns: inputs, formats: matrix.reads)
                    let output = AlignedBuffer<Float>(count * matrix.paddedOutputs)
                    measure(type.name, count) {
                        matrix.apply(
                            input, rows: count, groups: 0..<outputs / 16, into: output.pointer,
                            stride: matrix.paddedOutputs)
                    }
                }
            }
            // The embedding model's products in 8 bits.
            let matrix = values.withUnsafeBufferPointer {
                WeightMatrix(int8: $0, outputs: outputs, inputs: inputs, features: path.features)
            }
            for count in rows {
                let input = ActivationRows(rows: count, columns: inputs, formats: matrix.reads)
                for i in 0..<count * inputs { input.floats[i] = values[i % values.count] }
                matrix.quantize(input, rows: 0..<count)
                let output = AlignedBuffer<Float>(count * outputs)
                measure("int8 encoder", count) {
                    matrix.apply(
                        input, rows: count, groups: 0..<outputs / 16, into: output.pointer,
                        stride: outputs)
                }
            }
        }
        return report
    }

    /// Blocks of a type: of the values where the kernels can make them, else of any codes, as speed
    /// does not depend on them.
    private static func quantize(_ values: [Float], as type: GGMLType) -> [UInt8] {
        if [.f32, .f16, .q8_0].contains(type) { return MnemeNumerics.quantize(values, type: type) }
        let shape = blockShape(type: type) ?? (1, 4)
        // Every second byte is small, so that scales are finite halves.
        return (0..<values.count / shape.weights * shape.bytes).map {
            UInt8(truncatingIfNeeded: $0 * 31) & 0x3f
        }
    }

    /// Seconds of the fastest run of `body` within so many seconds; the first run is not counted,
    /// as it warms the caches.
    private static func bestTime(seconds: Double, _ body: () -> Void) -> Double {
        let clock = ContinuousClock()
        let began = clock.now
        var best = Double.infinity
        body()
        repeat {
            let start = clock.now
            body()
            best = min(best, (clock.now - start) / .seconds(1))
        } while (clock.now - began) / .seconds(1) < seconds
        return best
    }
}
