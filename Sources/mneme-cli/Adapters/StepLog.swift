import Foundation
import MnemeBase
import MnemeTrain

/// A file with a line of JSON for each step of a training.
struct StepLog {
    private let path: String
    private let handle: FileHandle
    private let tokens: Bool

    private struct Line: Encodable {
        var step: Int
        var loss: Double
        var heldOutLoss: Double?
        /// Of the base's predictions in its own texts, in nats a token.
        var divergence: Double?
        /// Computed in this step.
        var tokens: Int
        /// That this step took, with measuring what is held out.
        var seconds: Double
        /// Of each sequence, its tokens and how many stand before the first that is learned.
        var sequences: [Sequence]?
    }

    private struct Sequence: Encodable {
        var tokens: [Int32]
        var prompt: Int
    }

    /// - Parameters:
    ///   - appends: whether lines that are there stay.
    ///   - tokens: whether each line has the tokens that were learned.
    /// - Throws: `FileError` if it cannot be written.
    init(path: String, appends: Bool, tokens: Bool) throws {
        let there = appends && FileManager.default.fileExists(atPath: path)
        guard there || FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw FileError(path, "cannot be written") }
        (self.path, self.handle, self.tokens) = (path, handle, tokens)
        do { try handle.seekToEnd() } catch { throw FileError(path, "cannot be written") }
    }

    /// Writes the line of the step that was just done.
    ///
    /// - Parameters:
    ///   - batch: what was learned; an embedder's pairs are not written.
    ///   - before: where the training stood before it.
    /// - Throws: `FileError`.
    func write(_ progress: TrainingProgress, _ batch: TrainingBatch?, before: TrainingProgress) throws {
        let sequences = batch?.sequences.map { range in
            let first = range.firstIndex { (batch?.targets[$0] ?? -1) >= 0 }
            return Sequence(
                tokens: batch.map { Array($0.tokens[range]) } ?? [],
                prompt: first.map { $0 - range.lowerBound + 1 } ?? range.count)
        }
        let line = Line(
            step: progress.step, loss: progress.loss, heldOutLoss: progress.heldOutLoss,
            divergence: progress.divergence, tokens: progress.tokens - before.tokens,
            seconds: progress.seconds - before.seconds,
            sequences: tokens ? sequences : nil)
        do { try handle.write(contentsOf: try JSONEncoder().encode(line) + Data("\n".utf8)) } catch {
            throw FileError(path)
        }
    }
}
