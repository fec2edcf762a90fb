import CMnemeKernels
import MnemeNumerics
import Testing

/// Every path that this machine can run, and the emulated AMX tiles.
private let paths: [ProcessorFeatures] = {
    let all: [ProcessorFeatures] = [
        .portable, [.avx2], [.avx2, .avx512], [.avx2, .avx512, .avx512VNNI],
        [.avx2, .avx512, .avx512VNNI, .amxInt8],
        .neon,
        [.neon, .dotProduct], [.neon, .dotProduct, .int8Matrix],
    ]
    return all.filter { ProcessorFeatures.current.isSuperset(of: $0) } + [.amxEmulated]
}()

/// A seeded generator, so that a failure repeats.
private struct Random: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 33)
    }
    mutating func floats(_ count: Int, in range: ClosedRange<Float> = -1...1) -> [Float] {
        (0..<count).map { _ in Float.random(in: range, using: &self) }
    }
}

private func linear(_ x: [Float], _ w: [Float], _ b: [Float], rows: Int, outputs: Int, inputs: Int)
    -> [Double]
{
    (0..<rows * outputs).map { i in
        let r = i / outputs
        let o = i % outputs
        return (0..<inputs).reduce(Double(b[o])) {
            $0 + Double(x[r * inputs + $1]) * Double(w[o * inputs + $1])
        }
    }
}

/// Weights in a precision of the encoder.
private func matrix(
    _ weights: [Float], _ precision: Precision, outputs: Int, inputs: Int,
    features: ProcessorFeatures
) -> WeightMatrix {
    switch precision {
    case .f32:
        weights.withUnsafeBytes {
            WeightMatrix(
                source: $0.baseAddress!, type: .f32, outputs: outputs, inputs: inputs,
                features: features)
        }
    case .int8:
        weights.withUnsafeBufferPointer {
            WeightMatrix(int8: $0, outputs: outputs, inputs: inputs, features: features)
        }
    }
}

/// Rows as a matrix reads them.
private func rowsOf(_ x: [Float], rows: Int, columns: Int, for matrix: WeightMatrix)
    -> ActivationRows
{
    let input = ActivationRows(rows: rows, columns: columns, formats: matrix.reads)
    input.floats.update(from: x, count: rows * columns)
    matrix.quantize(input, rows: 0..<rows)
    return input
}

@Suite struct KernelTests {
    @Test(arguments: paths, [1, 2, 11, 12, 13, 16, 17, 31, 32, 33, 50])
    func `matrix products agree with Double`(features: ProcessorFeatures, rows: Int) {
        let inputs = 128
        let outputs = 48
        var random = Random(state: UInt64(rows) * 7919)
        let x = random.floats(rows * inputs)
        let w = random.floats(outputs * inputs)
        let b = random.floats(outputs)
        let expected = linear(x, w, b, rows: rows, outputs: outputs, inputs: inputs)
        // Errors of a sum of 128 products of values below one: rounding, 8 bits of range.
        for (precision, tolerance) in [(Precision.f32, 1e-4), (.int8, 0.25)] {
            let matrix = matrix(
                w, precision, outputs: outputs, inputs: inputs, features: features)
            let input = rowsOf(x, rows: rows, columns: inputs, for: matrix)
            var y = [Float](repeating: .nan, count: rows * outputs)
            // Two ranges of columns, as two threads would take them; the second is one panel wide.
            for groups in [0..<2, 2..<3] {
                matrix.apply(
                    input, rows: rows, groups: groups, bias: b, into: &y, stride: outputs)
            }
            let error = zip(y, expected).map { abs(Double($0) - $1) }.max()!
            #expect(error < tolerance, "\(precision) on \(features.names): \(error)")
            // Unpacked again, weights of 8 bits are off by half a step of their output's scale.
            var row = [Float](repeating: 0, count: inputs)
            for index in [0, 15, 16, 47] {
                matrix.row(index, into: &row)
                let given = w[index * inputs..<(index + 1) * inputs]
                let step = precision == .int8 ? given.map(abs).max()! / 127 : 0
                for (a, b) in zip(row, given) { #expect(abs(a - b) <= step * 0.5001) }
            }
        }
    }

    @Test func `what smoothing moves into weights of 8 bits comes out of them again`() {
        var random = Random(state: 3)
        let w = random.floats(16 * 64)
        let x = random.floats(2 * 64)
        let smoothing = (0..<64).map { Float($0 % 5 + 1) / 2 }
        let matrix = w.withUnsafeBufferPointer {
            WeightMatrix(int8: $0, outputs: 16, inputs: 64, smoothing: smoothing)
        }
        var row = [Float](repeating: 0, count: 64)
        for index in 0..<16 {
            matrix.row(index, into: &row)
            for (a, b) in zip(row, w[index * 64..<(index + 1) * 64]) { #expect(abs(a - b) < 0.05) }
        }
        var y = [Float](repeating: 0, count: 32)
        let input = rowsOf(x, rows: 2, columns: 64, for: matrix)
        matrix.apply(input, rows: 2, groups: 0..<1, into: &y, stride: 16)
        let expected = linear(
            x, w, [Float](repeating: 0, count: 16), rows: 2, outputs: 16, inputs: 64)
        for (a, b) in zip(y, expected) { #expect(abs(Double(a) - b) < 0.25) }
    }

    @Test(arguments: paths)
    func `integer products equal the portable path exactly`(features: ProcessorFeatures) {
        let rows = 37
        let inputs = 192
        let outputs = 64
        var random = Random(state: 5)
        let w = random.floats(outputs * inputs)
        let bytes = (0..<rows * inputs).map { _ in UInt8.random(in: 0...255, using: &random) }
        func run(_ features: ProcessorFeatures) -> [Float] {
            let matrix = matrix(w, .int8, outputs: outputs, inputs: inputs, features: features)
            let input = ActivationRows(rows: rows, columns: inputs, formats: .bytes)
            input.bytes.pointer.update(from: bytes, count: bytes.count)
            for i in 0..<rows {
                input.rowScales.pointer[i] = 1
                input.rowZeros.pointer[i] = 128
            }
            var y = [Float](repeating: 0, count: rows * outputs)
            matrix.apply(input, rows: rows, groups: 0..<outputs / 16, into: &y, stride: outputs)
            return y
        }
        #expect(run(features) == run(.portable))
    }

    @Test(arguments: paths, [1, 3, 4, 5, 15, 16, 17, 40])
    func `attention agrees with Double`(features: ProcessorFeatures, tokens: Int) {
        let heads = 3
        let dim = 32
        let width = heads * dim
        var random = Random(state: UInt64(tokens))
        let qkv = random.floats(tokens * 3 * width, in: -3...3)
        var out = [Float](repeating: .nan, count: tokens * width)
        var scratch = [Float](
            repeating: .nan,
            count: EncoderKernels.attentionScratch(tokens: tokens, headDimension: dim))
        EncoderKernels(features: features).attention(
            qkv: qkv, tokens: tokens, heads: heads, headDimension: dim, headRange: 0..<heads,
            into: &out,
            scratch: &scratch)
        func at(_ part: Int, _ token: Int, _ column: Int) -> Double {
            Double(qkv[token * 3 * width + part * width + column])
        }
        for h in 0..<heads {
            for i in 0..<tokens {
                let s = (0..<tokens).map { j in
                    (0..<dim).reduce(0.0) { $0 + at(0, i, h * dim + $1) * at(1, j, h * dim + $1) }
                        / Double(dim).squareRoot()
                }
                let e = s.map { exp64($0 - s.max()!) }
                let total = e.reduce(0, +)
                for d in 0..<dim {
                    let expected = (0..<tokens).reduce(0.0) {
                        $0 + e[$1] / total * at(2, $1, h * dim + d)
                    }
                    #expect(abs(Double(out[i * width + h * dim + d]) - expected) < 1e-5)
                }
            }
        }
    }

    @Test(arguments: paths, [1, 5, 33])
    func `an encoder's kernels give the portable path's bits`(
        features: ProcessorFeatures, tokens: Int
    ) {
        let heads = 3
        let dim = 32
        let width = heads * dim
        func run(_ features: ProcessorFeatures) -> [UInt32] {
            var random = Random(state: UInt64(tokens))
            let kernels = EncoderKernels(features: features)
            let qkv = random.floats(tokens * 3 * width, in: -3...3)
            let gamma = random.floats(width)
            let beta = random.floats(width)
            let weight = random.floats(2 * width * width)
            var out = [Float](repeating: .nan, count: tokens * width)
            var scores = out
            var pooled = [Float](repeating: .nan, count: width)
            var scratch = [Float](
                repeating: .nan,
                count: EncoderKernels.attentionScratch(tokens: tokens, headDimension: dim))
            kernels.attention(
                qkv: qkv, tokens: tokens, heads: heads, headDimension: dim, headRange: 0..<heads,
                into: &out,
                scratch: &scratch)
            kernels.layerNorm(
                out, gamma: gamma, beta: beta, epsilon: 1e-12, rows: tokens, columns: width,
                into: &scores)
            kernels.meanPool(scores, rows: tokens, columns: width, into: &pooled)
            let input = ActivationRows(rows: tokens, columns: width, formats: .bytes)
            input.floats.update(from: scores, count: scores.count)
            input.quantize(0..<tokens, columns: width, to: .bytes, features: features)
            let bytes = (0..<tokens * width).map { UInt32(input.bytes.pointer[$0]) }
            let scales = (0..<tokens).map { input.rowScales.pointer[$0] }
            let zeros = (0..<tokens).map { UInt32(bitPattern: input.rowZeros.pointer[$0]) }
            var wide = [Float](repeating: 0, count: tokens * width)
            let matrix = matrix(
                Array(weight[..<(width * 64)]), .f32, outputs: width, inputs: 64, features: features)
            let narrow = rowsOf(
                Array(scores[..<(tokens * 64)]), rows: tokens, columns: 64, for: matrix)
            matrix.apply(
                narrow, rows: tokens, groups: 0..<width / 16, epilogue: .gelu, bias: beta,
                into: &wide, stride: width)
            let dot = dotProduct(out, scores, count: min(width - 1, out.count), features: features)
            return (out + scores + pooled + scales + wide + [dot]).map(\.bitPattern)
                + bytes + zeros
        }
        #expect(run(features) == run(.portable))
    }

    @Test(arguments: paths)
    func `layer norm and pooling agree with Double`(features: ProcessorFeatures) {
        let rows = 5
        let columns = 96
        var random = Random(state: 11)
        let x = random.floats(rows * columns, in: -4...9)
        let gamma = random.floats(columns)
        let beta = random.floats(columns)
        var y = [Float](repeating: .nan, count: x.count)
        var pooled = [Float](repeating: .nan, count: columns)
        let kernels = EncoderKernels(features: features)
        kernels.layerNorm(
            x, gamma: gamma, beta: beta, epsilon: 1e-12, rows: rows, columns: columns, into: &y)
        for r in 0..<rows {
            let row = x[r * columns..<(r + 1) * columns].map(Double.init)
            let mean = row.reduce(0, +) / Double(columns)
            let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(columns)
            for c in 0..<columns {
                let expected =
                    (row[c] - mean) / variance.squareRoot() * Double(gamma[c]) + Double(beta[c])
                #expect(abs(Double(y[r * columns + c]) - expected) < 1e-5)
            }
        }
        kernels.meanPool(x, rows: rows, columns: columns, into: &pooled)
        let means = (0..<columns).map { c in
            (0..<rows).reduce(0.0) { $0 + Double(x[$1 * columns + c]) } / Double(rows)
        }
        let norm = means.reduce(0) { $0 + $1 * $1 }.squareRoot()
        for c in 0..<columns { #expect(abs(Double(pooled[c]) - means[c] / norm) < 1e-6) }
    }

    @Test(arguments: paths, [1, 15, 16, 17, 63, 64, 65, 384])
    func `dot products and scans agree with Double`(features: ProcessorFeatures, dimension: Int) {
        var random = Random(state: UInt64(dimension))
        let count = 9
        let rows = (0..<count).map { _ in random.floats(dimension) }
        let query = random.floats(dimension)
        let width = Int8Panels.padded(dimension)
        var codes = [Int8](repeating: 0, count: 16 * width)
        var scales = [Float](repeating: 0, count: 16)
        var sums = [Int32](repeating: 0, count: 16)
        for (i, row) in rows.enumerated() {
            Int8Panels.set(
                i, row, dimension: dimension, codes: &codes, scales: &scales, sums: &sums)
        }
        let zeros = [Float](repeating: 0, count: 16)
        var scores = [Float](repeating: .nan, count: 32)
        Int8Panels.scores(
            queries: query + query, count: 2, dimension: dimension, rows: 0..<16, codes: codes,
            scales: scales,
            sums: sums, zeros: zeros, into: &scores,
            stride: 16, features: features)
        #expect(scores[..<16] == scores[16...] && scores[count..<16].allSatisfy { $0 == 0 })
        for (i, row) in rows.enumerated() {
            let exact = zip(row, query).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            #expect(
                abs(Double(dotProduct(row, query, count: dimension, features: features)) - exact)
                    < 1e-4)
            #expect(abs(Double(scores[i]) - exact) < 0.02 * Double(dimension).squareRoot() + 0.01)
        }
    }

    @Test func `a cap leaves instruction sets up to the one it names, and others are not known`() {
        var names: [String] = []
        while let name = mnk_cpu_cap_name(names.count) { names.append(String(cString: name)) }
        #expect(names.first == "portable" && names.last == "amx-emulated" && names.count == Set(names).count)
        var kept: UInt32 = 0
        #expect(mnk_cpu_capped("portable", .max, &kept) == 1 && kept == 0)
        var before: UInt32 = 0
        for name in names.dropLast() {
            #expect(mnk_cpu_capped(name, 0x3ff, &kept) == 1)
            #expect(kept & before == before, "\(name) keeps what the one before it does")
            before = kept
            #expect(mnk_cpu_capped(name, 0, &kept) == 1 && kept == 0, "nothing that is not there")
        }
        #expect(mnk_cpu_capped("amx-emulated", 0, &kept) == 1)
        #expect(ProcessorFeatures(rawValue: kept) == .amxEmulated)
        kept = 7
        for unknown in ["", "AVX2", "avx-512", "sse", "avx2 "] {
            #expect(mnk_cpu_capped(unknown, .max, &kept) == 0 && kept == 7)
        }
    }

    @Test func `a pool runs each index once, from many callers`() async {
        let pool = ThreadPool(threads: 3)
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    (0..<200).allSatisfy { _ in
                        let seen = Seen(pool.threadCount)
                        pool.run { index, _ in
                            seen.add(index)
                            pool.barrier()
                            seen.add(index)
                        }
                        return seen.counts.allSatisfy { $0 == 2 }
                    }
                }
            }
            for await each in group { #expect(each) }
        }
    }
}

/// Counts per thread; each thread writes its own slot.
private final class Seen: @unchecked Sendable {
    private let slots: AlignedBuffer<Int>
    init(_ count: Int) { slots = AlignedBuffer(count) }
    func add(_ index: Int) { slots.pointer[index] += 1 }
    var counts: [Int] { (0..<slots.count).map { slots.pointer[$0] } }
}

private func exp64(_ x: Double) -> Double {
    var term = 1.0
    var sum = 1.0
    let reduced = x / 1024
    for n in 1..<20 {
        term *= reduced / Double(n)
        sum += term
    }
    return (0..<10).reduce(sum) { s, _ in s * s }
}
