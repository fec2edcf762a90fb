package import MnemeEngine
import MnemeKV
import MnemeModels

/// How long steps of a model take on this machine, as `mneme serve replay` counts them: steps of
/// several kinds are timed, and ``StepCost`` is fitted to them by least squares of relative errors.
package struct StepCostBenchmark {
    /// A kind of step, and the seconds that it took at best.
    package struct Row: Sendable, Codable {
        /// Sequences, tokens of each, and the tokens before these.
        package var sequences: Int, tokens: Int, position: Int
        /// Measured, and by the fitted cost.
        package var seconds: Double, fitted: Double

        /// A step that took so long.
        package init(sequences: Int, tokens: Int, position: Int, seconds: Double) {
            (self.sequences, self.tokens, self.position) = (sequences, tokens, position)
            (self.seconds, fitted) = (seconds, 0)
        }
    }

    /// The coefficients, and what they were fitted to.
    package struct Report: Sendable, Codable {
        /// The coefficients.
        package var cost: StepCost
        /// The steps.
        package var rows: [Row]
        /// The mean of |fitted - measured| / measured.
        package var error: Double
    }

    /// Times the steps.
    ///
    /// - Parameter repetitions: of each; the best counts.
    /// - Throws: `KVError` without memory.
    package static func run(_ model: LanguageModel, repetitions: Int) throws -> Report {
        let decoder = model.decoder
        let c = decoder.configuration
        let chunk = min(decoder.stepTokens, c.contextLength / 4)
        let far = min(1024, c.contextLength / 2)
        var kinds: [(sequences: Int, tokens: Int, position: Int)] = []
        for position in [0, far / 2, far] {
            for tokens in [chunk / 4, chunk / 2, chunk] where tokens > 1 { kinds.append((1, tokens, position)) }
            for sequences in [1, 2, 4, 8] where sequences <= min(decoder.stepLogits, decoder.stepTokens) {
                kinds.append((sequences, 1, position))
            }
        }
        let logits = UnsafeMutablePointer<Float>.allocate(capacity: decoder.stepLogits * c.vocabularySize)
        defer { logits.deallocate() }
        let most = kinds.map(\.sequences).max() ?? 1
        let caches = try (0..<most).map { _ in try KVBuffer(c, positions: far + chunk) }
        defer { withExtendedLifetime(caches) {} }
        let tokens = (0..<max(chunk, most)).map { Int32($0 * 7 % c.vocabularySize) }
        func step(_ segments: [DecoderSegment], tokens count: Int) {
            tokens.withUnsafeBufferPointer { tokens in
                segments.withUnsafeBufferPointer {
                    decoder.step(
                        tokens: UnsafeBufferPointer(rebasing: tokens[..<count]), segments: $0, logits: logits)
                }
            }
        }
        // Rows that are attended to are in memory: pages that nobody wrote would all be one.
        for cache in caches {
            for start in stride(from: 0, to: far, by: chunk) {
                let count = min(chunk, far - start)
                step(
                    [DecoderSegment(tokens: 0..<count, position: start, view: cache.view, logits: 0)],
                    tokens: count)
            }
        }
        let clock = ContinuousClock()
        var rows: [Row] = []
        for kind in kinds {
            let segments = (0..<kind.sequences).map {
                DecoderSegment(
                    tokens: $0 * kind.tokens..<($0 + 1) * kind.tokens, position: kind.position,
                    view: caches[$0].view, logits: 1)
            }
            var best = Double.infinity
            for _ in 0..<max(1, repetitions) {
                let start = clock.now
                step(segments, tokens: kind.sequences * kind.tokens)
                best = min(best, (clock.now - start) / .seconds(1))
            }
            rows.append(
                Row(sequences: kind.sequences, tokens: kind.tokens, position: kind.position, seconds: best))
        }
        return fit(rows)
    }

    /// The cost that fits steps best, none of whose coefficients is negative.
    package static func fit(_ rows: [Row]) -> Report {
        let loads = rows.map { row in
            var load = StepLoad()
            for _ in 0..<row.sequences {
                load.add(row.tokens, at: row.position, isAnswer: row.tokens == 1)
                load.samples += 1
            }
            return load
        }
        // Columns: step, token, promptRow, answerRow, sample, each divided by the measured time.
        var matrix: [[Double]] = []
        for (load, row) in zip(loads, rows) {
            let tokens = Double(load.promptTokens + load.answerTokens)
            let columns: [Double] = [
                1, tokens, Double(load.promptRows), Double(load.answerRows), Double(load.samples),
            ]
            matrix.append(columns.map { $0 / row.seconds })
        }
        var free = Set(0..<5)
        var solution = [Double](repeating: 0, count: 5)
        // What comes out negative is taken for nothing, until all others are not.
        while !free.isEmpty {
            let columns = free.sorted()
            let part = leastSquares(matrix.map { row in columns.map { row[$0] } })
            guard let worst = part.indices.min(by: { part[$0] < part[$1] }) else { break }
            if part[worst] >= 0 {
                for (column, value) in zip(columns, part) { solution[column] = value }
                break
            }
            free.remove(columns[worst])
        }
        var cost = StepCost()
        (cost.step, cost.token, cost.promptRow) = (solution[0], solution[1], solution[2])
        (cost.answerRow, cost.sample) = (solution[3], solution[4])
        var rows = rows
        for i in rows.indices { rows[i].fitted = cost.seconds(loads[i]) }
        var error = 0.0
        for row in rows { error += abs(row.fitted - row.seconds) / row.seconds / Double(rows.count) }
        return Report(cost: cost, rows: rows, error: error)
    }

    /// The x that makes rows·x closest to 1 everywhere: normal equations by Gauss' elimination.
    private static func leastSquares(_ rows: [[Double]]) -> [Double] {
        let n = rows.first?.count ?? 0
        func product(_ i: Int, _ j: Int) -> Double {
            var sum = 0.0
            for row in rows { sum += row[i] * row[j] }
            return sum
        }
        // Columns are scaled to a length of 1, as rows and tokens differ by millions.
        let scales: [Double] = (0..<n).map { max(1e-300, product($0, $0).squareRoot()) }
        var system: [[Double]] = []
        for i in 0..<n {
            var equation: [Double] = (0..<n).map { product(i, $0) / scales[i] / scales[$0] }
            var sum = 0.0
            for row in rows { sum += row[i] }
            equation.append(sum / scales[i])
            system.append(equation)
        }
        for i in 0..<n {
            let pivot = (i..<n).max { abs(system[$0][i]) < abs(system[$1][i]) } ?? i
            system.swapAt(i, pivot)
            // Columns that say the same: one of them is enough.
            guard abs(system[i][i]) > 1e-12 else { continue }
            for j in 0..<n where j != i {
                let factor = system[j][i] / system[i][i]
                for k in i...n { system[j][k] -= factor * system[i][k] }
            }
        }
        var solution: [Double] = []
        for i in 0..<n {
            let isThere = abs(system[i][i]) > 1e-12
            solution.append(isThere ? system[i][n] / system[i][i] / scales[i] : 0)
        }
        return solution
    }
}
