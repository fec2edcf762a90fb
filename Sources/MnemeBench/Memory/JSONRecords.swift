import Foundation
public import Mneme
import MnemeBase

/// The records of a benchmark's file, one by one: the elements of a JSON list, lines of JSON, or the
/// one object that the file is. One record at a time is in memory, so that files of gigabytes can be
/// read.
///
/// Each record is read strictly (RFC 8259). A file that ends within a record, holds something else
/// between records, or has a record beyond the bound is refused.
public struct JSONRecords {
    /// Bytes of the longest record.
    public static let longest = 128 << 20
    /// Bytes read at once.
    private static let piece = 1 << 20

    /// The file's name in messages.
    private let name: String
    /// Hands out the next bytes; none at the end.
    private let source: () throws -> Data?
    /// Bytes that are read and not yet handed out, from `offset` on.
    private var buffer: [UInt8] = []
    private var offset = 0
    private var isList = false, isOver = false
    /// Records handed out so far.
    public private(set) var count = 0

    /// - Throws: `InputError` if the file cannot be opened.
    public init(path: String) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue,
            let handle = FileHandle(forReadingAtPath: path)
        else { throw InputError("\(path) cannot be read. Is it there, and a file?") }
        name = (path as NSString).lastPathComponent
        source = { try handle.read(upToCount: Self.piece) }
    }

    /// Reads a text that is in memory.
    public init(_ text: String, name: String) {
        var rest: Data? = Data(text.utf8)
        self.name = name
        source = {
            defer { rest = nil }
            return rest
        }
    }

    /// The next record; nil at the end.
    ///
    /// - Complexity: O(*n*) in the length of the record.
    /// - Throws: `InputError` that names the record and says what is wrong with it.
    public mutating func next() throws -> JSONValue? {
        guard !isOver else { return nil }
        guard var byte = try peek() else {
            guard !isList else { throw broken("the file ends before its list does; is it whole?") }
            isOver = true
            guard count > 0 else { throw InputError("\(name) is empty.") }
            return nil
        }
        if count == 0, !isList, byte == UInt8(ascii: "[") {
            isList = true
            offset += 1
            byte = try needed()
            if byte == UInt8(ascii: "]") { return try ended() }
        } else if isList {
            if byte == UInt8(ascii: "]") { return try ended() }
            guard byte == UInt8(ascii: ",") else { throw broken("a comma is missing before it") }
            offset += 1
            byte = try needed()
        }
        guard byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") else {
            throw broken("it is no JSON object; a list of objects, or an object a line, is expected")
        }
        let bytes = try record()
        do {
            let value = try JSONValue(parsing: bytes)
            count += 1
            return value
        } catch let error as InputError { throw broken(error.message) }
    }

    /// An error about the record that is being read.
    private func broken(_ what: String) -> InputError {
        InputError("\(name), record \(count + 1): \(what)")
    }

    /// The list's end: nothing may follow.
    private mutating func ended() throws -> JSONValue? {
        offset += 1
        guard try peek() == nil else { throw broken("something follows the list") }
        isOver = true
        return nil
    }

    /// The next byte that is no blank; nil at the end of the file.
    private mutating func peek() throws -> UInt8? {
        while true {
            while offset < buffer.count {
                switch buffer[offset] {
                case 9, 10, 13, 32: offset += 1
                // A byte order mark before all else.
                case 0xEF where count == 0 && !isList && buffer[offset...].starts(with: [0xEF, 0xBB, 0xBF]):
                    offset += 3
                default: return buffer[offset]
                }
            }
            guard try fill() else { return nil }
        }
    }

    /// As ``peek()``, where the file may not end.
    private mutating func needed() throws -> UInt8 {
        guard let byte = try peek() else { throw broken("the file ends there; is it whole?") }
        return byte
    }

    /// Reads more; false at the end.
    private mutating func fill() throws -> Bool {
        buffer.removeSubrange(..<offset)
        offset = 0
        let more: Data?
        do { more = try source() } catch {
            throw InputError("\(name) cannot be read further: \(error.localizedDescription)")
        }
        guard let more, !more.isEmpty else { return false }
        buffer.append(contentsOf: more)
        return true
    }

    /// The bytes of the record that begins here: up to the bracket that closes it.
    private mutating func record() throws -> [UInt8] {
        var depth = 0
        var place = offset
        var isText = false
        var isEscaped = false
        while true {
            while place < buffer.count {
                let byte = buffer[place]
                place += 1
                if isText {
                    if isEscaped {
                        isEscaped = false
                    } else if byte == UInt8(ascii: "\\") {
                        isEscaped = true
                    } else if byte == UInt8(ascii: "\"") {
                        isText = false
                    }
                    continue
                }
                switch byte {
                case UInt8(ascii: "\""): isText = true
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                default: continue
                }
                guard depth == 0, !isText else { continue }
                defer { offset = place }
                return Array(buffer[offset..<place])
            }
            guard buffer.count - offset <= Self.longest else {
                throw broken("it is longer than \(Self.longest >> 20) MiB")
            }
            place -= offset
            guard try fill() else { throw broken("the file ends within it; is it whole?") }
        }
    }
}
