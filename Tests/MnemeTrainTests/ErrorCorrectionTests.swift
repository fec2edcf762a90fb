import Foundation
import MnemeBase
import MnemeBench
import MnemeFormats
import MnemeModels
import MnemeNumerics
import MnemeTrain
import Testing

/// Two-bit weights, and terms that make good what they lost.
@Suite struct ErrorCorrectionTests {
    /// The random decoder with its layers' matrices in two bits, as floats again: the format of a folder has none.
    private func coarse(_ folder: String, _ to: String) throws {
        try FileManager.default.copyItem(atPath: folder, toPath: to)
        let file = try SafetensorsFile(path: folder + "/model.safetensors")
        var tensors: [SafetensorsWriter.Tensor] = []
        for (name, tensor) in file.tensors.sorted(by: { $0.key < $1.key }) {
            var values = try file.floats(name, shape: tensor.shape).array
            if name.contains("layers"), tensor.shape.count == 2, tensor.shape[1] % 64 == 0 {
                let bytes = quantize(values, type: .q2_64)
                bytes.withUnsafeBytes { bytes in
                    values.withUnsafeMutableBufferPointer {
                        dequantize(
                            type: .q2_64, bytes.baseAddress!, count: $0.count, into: $0.baseAddress!)
                    }
                }
            }
            tensors.append(SafetensorsWriter.Tensor(name, shape: tensor.shape, values: values))
        }
        try FileManager.default.removeItem(atPath: to + "/model.safetensors")
        try SafetensorsWriter.write(tensors, to: to + "/model.safetensors")
    }

    private static var settings: ErrorCorrection.Settings {
        var settings = ErrorCorrection.Settings()
        (settings.steps, settings.texts, settings.tokens, settings.perStep) = (60, 64, 24, 6)
        (settings.learningRate, settings.rank) = (5e-3, 4)
        return settings
    }

    @Test func `terms bring a model of two bits near to its original, by the seed alone`() throws {
        try TrainingFixture.withFolder { folder in
            let (whole, few) = (folder + "/whole", folder + "/few")
            try FileManager.default.createDirectory(atPath: whole, withIntermediateDirectories: true)
            try RandomDecoder().write(to: whole)
            try coarse(whole, few)
            func correct(threads: Int) throws -> ErrorCorrection {
                try ErrorCorrection(
                    (ModelSource(path: few), ModelSource(path: whole)), settings: Self.settings,
                    pool: ThreadPool(threads: threads))
            }
            let correction = try correct(threads: 2)
            let raw = correction.distance(isRaw: true)
            // Terms that are zero change nothing.
            #expect(correction.distance() == raw && raw.divergence > 0.01)
            #expect(raw.perplexity > correction.originalPerplexity)
            for _ in 0..<Self.settings.steps { try correction.learn() }
            let after = correction.distance()
            #expect(after.divergence < 0.6 * raw.divergence, "\(raw) → \(after)")
            #expect(after.perplexity < raw.perplexity)
            let other = try correct(threads: 1)
            for _ in 0..<3 { try other.learn() }
            let again = try correct(threads: 2)
            for _ in 0..<3 { try again.learn() }
            #expect(other.adapter == again.adapter)
        }
    }

    @Test func `a model of another shape, and settings out of range, are refused`() throws {
        try TrainingFixture.withFolder { folder in
            let (whole, other) = (folder + "/whole", folder + "/other")
            for path in [whole, other] {
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            }
            try RandomDecoder().write(to: whole)
            var decoder = RandomDecoder()
            decoder.layers = 3
            try decoder.write(to: other)
            let error = #expect(throws: TrainingError.self) {
                _ = try ErrorCorrection(
                    (ModelSource(path: other), ModelSource(path: whole)), settings: Self.settings)
            }
            #expect(error?.code == .wrongBase)
            var wrong = Self.settings
            wrong.texts = 4
            #expect(throws: TrainingError.self) {
                _ = try ErrorCorrection((ModelSource(path: whole), ModelSource(path: whole)), settings: wrong)
            }
            #expect(throws: CancellationError.self) {
                _ = try ErrorCorrection(
                    (ModelSource(path: whole), ModelSource(path: whole)), settings: Self.settings
                ) { throw CancellationError() }
            }
        }
    }

    @Test func `two bits are the best of four levels, to within what rounding and search lose`() {
        var generator = SplitMix64(seed: 3)
        let values = (0..<640).map { _ in Float(generator.unit() + generator.unit() + generator.unit() - 1.5) }
        let bytes = quantize(values, type: .q2_64)
        #expect(bytes.count == 10 * 20)
        var found = [Float](repeating: 0, count: values.count)
        bytes.withUnsafeBytes { bytes in
            found.withUnsafeMutableBufferPointer {
                dequantize(type: .q2_64, bytes.baseAddress!, count: $0.count, into: $0.baseAddress!)
            }
        }
        for block in 0..<10 {
            let range = block * 64..<(block + 1) * 64
            #expect(Set(found[range]).count <= 4)
            let error = range.reduce(0.0) { $0 + pow(Double(found[$1] - values[$1]), 2) }
            // Every scale and minimum of a fine grid, with the nearest of its levels.
            let (low, high) = (values[range].min()!, values[range].max()!)
            var best = Double.infinity
            for a in 0..<40 {
                for b in 0..<40 {
                    let minimum = low + Float(a) / 80 * (high - low)
                    let scale = (high - low) / 3 * (0.3 + Float(b) / 50)
                    let sum = range.reduce(0.0) { sum, i in
                        let code = min(3, max(0, ((values[i] - minimum) / scale).rounded()))
                        return sum + pow(Double(values[i] - (minimum + scale * code)), 2)
                    }
                    best = min(best, sum)
                }
            }
            #expect(error < 1.1 * best, "\(error) beside \(best)")
        }
        // Equal weights, and what is no finite scale.
        for same in [Float(0), 0.25, -3, 1e-30] {
            let flat = quantize(Array(repeating: same, count: 64), type: .q2_64)
            var back = [Float](repeating: 9, count: 64)
            flat.withUnsafeBytes { dequantize(type: .q2_64, $0.baseAddress!, count: 64, into: &back) }
            #expect(back.allSatisfy { abs($0 - same) <= abs(same) * 1e-3 + 1e-7 })
        }
    }
}
