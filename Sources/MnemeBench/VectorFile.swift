import Foundation
import Mneme
public import MnemeBase

/// Vectors in NumPy's format (`.npy`, version 1.0, little-endian f32 in rows), so that peers in
/// Python read the same.
public struct VectorFile: Sendable {
    /// Elements of a vector.
    public let dimension: Int
    /// Vectors.
    public let count: Int
    /// The mapped file, and where the elements begin in it.
    private let data: Data
    private let offset: Int

    /// Maps a file.
    ///
    /// - Throws: `InputError` if it is not a two-dimensional array of f32 in rows.
    public init(path: String) throws {
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        else {
            throw InputError("\(path) cannot be read.")
        }
        // Nothing in the header is believed before it was compared with the file's size.
        let wrong = InputError(
            "\(path) is not a NumPy file of f32 in rows (version 1.0, little-endian, C order).")
        guard data.count > 10, data.prefix(8) == Self.magic else { throw wrong }
        let length = Int(data[8]) | Int(data[9]) << 8
        guard data.count >= 10 + length,
            let header = String(validating: data[10..<10 + length], as: UTF8.self)
        else {
            throw wrong
        }
        guard header.contains("'<f4'"), header.contains("'fortran_order': False"),
            let match = header.firstMatch(of: /'shape': \((\d+), (\d+)\)/),
            let count = Int(match.1), let dimension = Int(match.2), count > 0,
            (1...65_536).contains(dimension)
        else { throw wrong }
        guard count <= (data.count - 10 - length) / 4 / dimension else {
            throw InputError("\(path) is cut off.")
        }
        (self.data, self.count, self.dimension, offset) = (data, count, dimension, 10 + length)
    }

    /// All elements, row after row.
    public func withValues<R>(_ body: (UnsafeBufferPointer<Float>) throws -> R) rethrows -> R {
        try data.withUnsafeBytes {
            try body(
                UnsafeRawBufferPointer(rebasing: $0[offset...].prefix(count * dimension * 4))
                    .assumingMemoryBound(
                        to: Float.self))
        }
    }

    /// The magic bytes of such a file, and version 1.0.
    private static let magic = Data([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0])

    /// The first 128 bytes: the mark, the length of the description, and the description.
    private static func header(count: Int, dimension: Int) -> Data {
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(count), \(dimension)), }"
        return magic + [118, 0]
            + Data(text.padding(toLength: 117, withPad: " ", startingAt: 0).utf8) + Data("\n".utf8)
    }

    /// Embeds the lines of a text file into `path`; goes on where an earlier run was cut off, as a
    /// million texts take hours.
    ///
    /// - Parameters:
    ///   - file: a text a line; blank lines are left out.
    ///   - path: the file of vectors. It has this name when it is whole; until then `.part` is behind
    ///     it.
    ///   - embedder: makes the vectors.
    ///   - progress: called with done and total.
    /// - Throws: `InputError` for a file that cannot be read, `FileError` if there is no room,
    ///   `ModelError`.
    public static func embed(
        lines file: String, to path: String, embedder: any TextEmbedder,
        progress: (Int, Int) -> Void
    ) throws {
        guard let content = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw InputError("\(file) cannot be read.")
        }
        let texts = content.split(separator: "\n").filter { $0.contains { !$0.isWhitespace } }
        guard !texts.isEmpty else { throw InputError("\(file) holds no text.") }
        let part = path + ".part"
        let row = embedder.dimension * 4
        let start = header(count: texts.count, dimension: embedder.dimension)
        do {
            try append(texts, to: part, behind: start, row: row, embedder: embedder, progress)
        } catch let error as any MnemeError {
            throw error
        } catch {
            throw FileError(part).adding("What is in it is kept; run it again to go on.")
        }
        try AtomicFile.place(part, at: path, .replacing)
    }

    /// Appends the vectors that are missing.
    ///
    /// - Parameters:
    ///   - start: the header that the file has to begin with; it names the number of texts.
    ///   - row: bytes of a vector.
    private static func append(
        _ texts: [Substring], to part: String, behind start: Data, row: Int,
        embedder: any TextEmbedder, _ progress: (Int, Int) -> Void
    ) throws {
        if !FileManager.default.fileExists(atPath: part) {
            try AtomicFile.write(start, to: part, durability: .cache)
        }
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: part))
        defer { try? handle.close() }
        guard try handle.read(upToCount: start.count) == start else {
            throw InputError("\(part) was made of another file. Remove it.")
        }
        var done = min(texts.count, max(0, (Int(try handle.seekToEnd()) - start.count) / row))
        try handle.truncate(atOffset: UInt64(start.count + done * row))
        try handle.seekToEnd()
        // Batches that are whole in the file are not made again.
        while done < texts.count {
            let batch = texts[done..<min(texts.count, done + 2048)]
            try embedder.embed(batch.map(String.init)).values.withUnsafeBytes {
                try handle.write(contentsOf: Data($0))
            }
            done += batch.count
            progress(done, texts.count)
        }
        try handle.synchronize()
    }
}
