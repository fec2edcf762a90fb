import Crypto
import Foundation
import MnemeBase

/// A training between two steps: all that the next step needs, in one file that is written whole or
/// not at all.
///
///     "MNTRAIN1"  length of the head (UInt64)  head (JSON)  parameters  optimizer's state  SHA-256
///
/// Numbers are little-endian; parameters are floats in the order of ``LowRankParameters``.
struct TrainingCheckpoint {
    struct Head: Codable, Equatable {
        var settings: TrainingSettings
        /// Of the examples as tokens: a training goes on with the same ones only.
        var examples: String
        /// Of the base model's files.
        var base: String
        var step: Int
        var heldOutLoss: Double?
        var firstHeldOutLoss: Double?
        /// Tokens and seconds of all steps so far; nil in checkpoints of before they were counted.
        var tokens: Int?
        var seconds: Double?
        var parameters: Int
        var stateBytes: Int
        /// Texts of the base that the training is held to; nil in checkpoints of before there were any.
        var kept: [ExampleEncoder.Sequence]?
    }

    var head: Head
    var parameters: [Float]
    var state: [UInt8]

    private static let magic = Array("MNTRAIN1".utf8)

    /// - Throws: ``FileError``; class `full` for a full disk. A checkpoint that was there stays.
    func write(to path: String) throws {
        let json = try JSONEncoder().encode(head)
        let file = try AtomicFile(path)
        var hash = SHA256()
        func put(_ data: UnsafeRawBufferPointer) throws {
            hash.update(bufferPointer: data)
            try file.write(data)
        }
        try Self.magic.withUnsafeBytes(put)
        try withUnsafeBytes(of: UInt64(json.count).littleEndian, put)
        try json.withUnsafeBytes(put)
        try parameters.withUnsafeBytes(put)
        try state.withUnsafeBytes(put)
        try file.write(Array(hash.finalize()))
        try file.finish()
    }

    /// - Throws: ``TrainingError`` if there is none, or it is damaged.
    init(path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw TrainingError(
                .invalidFile, "There is no checkpoint at \(path). Train without --resume.")
        }
        let bytes = [UInt8](data)
        func damaged() -> TrainingError {
            TrainingError(.invalidFile, "\(path) is damaged. Train without --resume.")
        }
        guard bytes.count > 48, Array(bytes[..<8]) == Self.magic,
            Array(SHA256.hash(data: bytes.dropLast(32))) == Array(bytes.suffix(32))
        else { throw damaged() }
        let length = bytes[8..<16].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(bytes.count - 48),
            let head = try? JSONDecoder().decode(
                Head.self, from: Data(bytes[16..<16 + Int(length)]))
        else { throw damaged() }
        let start = 16 + Int(length)
        let end = bytes.count - 32
        guard head.parameters >= 0, head.parameters <= (end - start) / 4,
            head.stateBytes == end - start - 4 * head.parameters
        else { throw damaged() }
        self.head = head
        let middle = start + 4 * head.parameters
        parameters = numbers(Float.self, count: head.parameters, from: bytes[start..<middle])
        state = Array(bytes[middle..<end])
    }

    init(head: Head, parameters: [Float], state: [UInt8]) {
        (self.head, self.parameters, self.state) = (head, parameters, state)
    }
}
