import Dispatch
import Foundation
import MnemeBase

/// Writes a line for each request that an engine has answered, in the format of `TraceFile`: when
/// it came, its tokens' numbers, and which blocks of its prompt equal others'. No text, no token, no
/// name can be read from it.
///
/// A block's name is a hash with a secret that ends with the process, so that nobody can try words
/// against it; owners are numbers in the order in which they came. Lines are written on a queue of
/// its own, so that no step waits for the disk; a line that cannot be written is left out.
public final class RequestRecorder: Sendable {
    private let file: FileHandle
    private let queue = DispatchQueue(label: "mneme.engine.recorder", qos: .utility)
    private let start = ContinuousClock().now
    private let secret = UInt64.random(in: .min ... .max)
    /// Numbers of owners; used on the queue alone.
    private nonisolated(unsafe) var owners: [String: Int] = [:]

    /// Tokens of a named block.
    private static let blockTokens = 32

    /// What a line is made of.
    struct Request: Sendable {
        var prompt: [Int32], completionTokens: Int, maxTokens: Int
        var key: String, scope: String
        var arrival: ContinuousClock.Instant
    }

    /// A line.
    private struct Line: Encodable {
        var at: Double, prompt: Int, output: Int, max: Int, owner: String
        var blocks: [UInt64], block_tokens: Int
    }

    /// Begins a new file, which its owner alone can read; one that is there stays.
    ///
    /// - Throws: `FileError` if the file is there already, or cannot be made.
    public init(_ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError(path, "cannot be made") }
        file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    /// Writes a request's line, later.
    func record(_ request: Request) {
        queue.async { [self] in
            let owner = owners[request.key, default: owners.count]
            owners[request.key] = owner
            // Scopes find nothing of each other: their blocks have other names.
            var name = request.scope.utf8.reduce(secret) { SplitMix64.mixed($0 ^ UInt64($1)) }
            var blocks: [UInt64] = []
            for (i, token) in request.prompt.enumerated() {
                name = SplitMix64.mixed(name ^ UInt64(UInt32(bitPattern: token)))
                // 53 bits, which every reader of JSON can hold.
                if i % Self.blockTokens == Self.blockTokens - 1 { blocks.append(name >> 11) }
            }
            let line = Line(
                at: (request.arrival - start) / .seconds(1), prompt: request.prompt.count,
                output: request.completionTokens, max: request.maxTokens, owner: "\(owner)", blocks: blocks,
                block_tokens: Self.blockTokens)
            guard var data = try? JSONEncoder().encode(line) else { return }
            data.append(UInt8(ascii: "\n"))
            try? file.write(contentsOf: data)
        }
    }

    /// Waits until all lines are written.
    public func flush() { queue.sync {} }
}
