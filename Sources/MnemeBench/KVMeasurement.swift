import Foundation
import MnemeBase
import MnemeEngine

extension KVPolicyBenchmark {
    /// A subject with a budget: a row of the table.
    struct Run: Sendable, Hashable, Codable {
        var subject: Subject
        var budget: Double
    }
}

/// What was measured of one subject with one prompt: sums, so that a table is made of any number.
struct KVMeasurement: Sendable, Codable {
    /// The kinds of prompts: what follows is predicted, one number is to be found, or one of four; a summary is
    /// written, and a number is found that was told in a conversation.
    enum Task: String, Sendable, Codable { case text, needle, passkey, summary, chat }

    var run: KVPolicyBenchmark.Run
    var task: Task
    /// The prompt's number among those of its kind.
    var number: Int
    /// Sums over predicted tokens: −ln p, nats of divergence, and tokens with the same likeliest one.
    var loss = 0.0, divergence = 0.0, agreed = 0, tokens = 0
    /// Seconds of the predicted tokens; bytes behind the prompt, the most, and those a token reads.
    var seconds = 0.0, bytes = 0, peakBytes = 0, readBytes = 0
    /// True if the number was found.
    var found = false
    /// What a summary has in common with that from all rows, see ``SummaryOverlap``.
    var overlap: Double?
    /// What the policy's parts say of themselves behind a text, and the rows that each head kept behind its prompt, one
    /// head behind the other; not in files of earlier versions.
    var readings: [String: Double]?, headRows: [Int]?

    init(_ run: KVPolicyBenchmark.Run, _ task: Task, _ number: Int) {
        (self.run, self.task, self.number) = (run, task, number)
    }

    /// Compares logits with those of a whole cache.
    mutating func add(_ row: UnsafeBufferPointer<Float>, _ expected: [Float], target: Int) {
        // The likeliest token of both, then both as probabilities.
        var top = 0
        var best = 0
        for i in row.indices {
            if row[i] > row[top] { top = i }
            if expected[i] > expected[best] { best = i }
        }
        let highest = row[top]
        let most = expected[best]
        var total: Float = 0
        var whole: Float = 0
        for i in row.indices {
            total += exp(row[i] - highest)
            whole += exp(expected[i] - most)
        }
        let norm = highest + log(total)
        let expectedNorm = most + log(whole)
        loss -= Double(row[target] - norm)
        agreed += top == best ? 1 : 0
        tokens += 1
        for i in row.indices where expected[i] - expectedNorm > -20 {
            divergence += Double(
                exp(expected[i] - expectedNorm) * (expected[i] - expectedNorm - row[i] + norm))
        }
    }
}

/// A file of measurements, a line of JSON each behind one that says what was measured: a later run
/// with the same text, model and settings goes on from it.
final class KVMeasurementFile {
    private struct Header: Codable, Equatable {
        /// The layout of lines, and what they are of.
        var format = "mneme kv eval 2", of: String, settings: KVPolicyBenchmark.Settings
    }

    /// What it holds.
    private(set) var measurements: [KVMeasurement] = []
    private let handle: FileHandle?
    private let encoder = JSONEncoder()

    /// - Parameters:
    ///   - path: nil keeps nothing.
    ///   - of: names the text and the model.
    /// - Throws: ``MnemeEngine/EngineError`` if the file holds anything else, or cannot be written.
    init(_ path: String?, of: String, _ settings: KVPolicyBenchmark.Settings) throws {
        guard let path else {
            handle = nil
            return
        }
        let header = Header(of: of, settings: settings)
        encoder.outputFormatting = .sortedKeys
        let old = FileManager.default.contents(atPath: path) ?? Data()
        // A line that a killed run left unfinished is measured again.
        let lines = old.split(separator: 10, omittingEmptySubsequences: false).dropLast()
        let decoder = JSONDecoder()
        if let first = lines.first {
            guard (try? decoder.decode(Header.self, from: first)) == header else {
                throw EngineError(
                    .invalidRequest,
                    "\(path) holds other measurements: of another text, model or setting. Name another file."
                )
            }
        } else if !old.isEmpty {
            throw EngineError(.invalidRequest, "\(path) holds no measurements. Name another file.")
        }
        measurements = try lines.dropFirst().map { line in
            guard let read = try? decoder.decode(KVMeasurement.self, from: line) else {
                throw EngineError(
                    .invalidRequest,
                    "\(path) has a line that is no measurement. Remove it, or name another file.")
            }
            return read
        }
        let kept = lines.reduce(0) { $0 + $1.count + 1 }
        if old.isEmpty, !FileManager.default.createFile(atPath: path, contents: nil) {
            throw EngineError(.invalidRequest, "\(path) cannot be written.")
        }
        guard let handle = FileHandle(forUpdatingAtPath: path) else {
            throw EngineError(.invalidRequest, "\(path) cannot be written.")
        }
        self.handle = handle
        try handle.truncate(atOffset: UInt64(kept))
        if lines.isEmpty { try handle.write(contentsOf: encoder.encode(header) + [10]) }
    }

    /// Keeps a measurement.
    func add(_ measurement: KVMeasurement) throws {
        measurements.append(measurement)
        try handle?.write(contentsOf: encoder.encode(measurement) + [10])
    }

    /// True if this was measured already.
    func has(_ run: KVPolicyBenchmark.Run, _ task: KVMeasurement.Task, _ number: Int) -> Bool {
        measurements.contains { $0.run == run && $0.task == task && $0.number == number }
    }
}
