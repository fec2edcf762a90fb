import Foundation

/// Reads a file line by line in constant memory.
///
/// At most a line and one piece of the source are in memory; a line that is too long is read to its
/// end and dropped, so that the next begins where it should.
struct LineReader {
    /// A longer line is reported, not read.
    static let maximumLine = 4 << 20
    /// Bytes of the longest line that is read.
    private let longest: Int

    /// A line, or that there was one which is not kept: it is counted, so that numbers of lines
    /// stay right.
    enum Line {
        case text([UInt8])
        case tooLong
    }

    /// The source of the next bytes.
    private let source: () throws -> Data?
    /// Bytes that are read and not yet handed out, from ``start`` on.
    private var buffer: [UInt8] = []
    /// The offset in the buffer of the next line's first byte.
    private var start = 0
    /// True when the source has no more bytes.
    private var atEnd = false
    /// Bytes read so far.
    private(set) var bytes = 0

    /// - Throws: `InputError` if the file cannot be opened.
    init(path: String) throws {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw InputError("\(path) cannot be read. Does it exist?")
        }
        source = {
            do { return try handle.read(upToCount: 256 << 10) } catch {
                throw InputError("The file cannot be read further: \(error.localizedDescription)")
            }
        }
        longest = Self.maximumLine
    }

    /// - Parameter source: hands out bytes, and nil or none at the end.
    init(source: @escaping () throws -> Data?, maximumLine: Int) throws {
        (self.source, longest) = (source, maximumLine)
    }

    /// The next line without its end, or nil at the end of the file.
    ///
    /// - Complexity: O(*n*) in the length of the line; each byte is searched once.
    /// - Throws: what the source throws.
    mutating func next() throws -> Line? {
        var searched = start
        var dropped = false
        while true {
            if let end = buffer[searched...].firstIndex(of: 10) {
                let line = Array(buffer[start..<end])
                start = end + 1
                return dropped ? .tooLong : .text(line)
            }
            if atEnd {
                guard start < buffer.count || dropped else { return nil }
                let line = Array(buffer[start...])
                start = buffer.count
                return dropped ? .tooLong : .text(line)
            }
            buffer.removeSubrange(..<start)
            start = 0
            searched = buffer.count
            if buffer.count > longest {
                buffer.removeAll(keepingCapacity: true)
                searched = 0
                dropped = true
            }
            if let more = try source(), !more.isEmpty {
                bytes += more.count
                buffer.append(contentsOf: more)
            } else {
                atEnd = true
            }
        }
    }
}
