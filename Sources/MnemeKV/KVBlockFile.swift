import Foundation
import MnemeNumerics

/// One block on disk: an immutable file, named by its hash.
///
/// Layout, little endian: `MNEMEKV1`, bytes of the header, checksum of the header (4 × CRC-32C), the header, the rows without gaps.
/// With a codec, the rows are codes of the whole block. The header: model and parent hashes, the tokens before, layers, heads, elements of a head, bytes and checksum of
/// the rows, and lists with their lengths before them: tokens, the model's name, sources. Nothing in it is executable.
package struct KVBlockFile: Sendable, Equatable {
    package var model: KVHash
    package var parent: KVHash
    package var position: Int
    package var layers: Int
    package var heads: Int
    package var dimension: Int
    package var codec: KVCodec
    package var tokens: [Int32]
    package var modelName: String
    package var sources: [String]
    fileprivate var checksum: [UInt32] = [0, 0, 0, 0]

    private static let magic = Array("MNEMEKV1".utf8)
    private static let prefixBytes = 8 + 4 + 16
    private static let maximumHeader = 1 << 20

    package init(
        model: KVHash, parent: KVHash, position: Int, shape: KVShape, codec: KVCodec = .f16, tokens: [Int32], modelName: String, sources: [String]
    ) {
        self.model = model
        self.parent = parent
        self.position = position
        layers = shape.layers
        heads = shape.heads
        dimension = shape.dimension
        self.codec = codec
        self.tokens = tokens
        self.modelName = modelName
        self.sources = sources
    }

    /// Its own name.
    package var hash: KVHash { parent.next(tokens) }
    /// Bytes of the rows.
    package var payloadBytes: Int {
        codec == .f16 ? layers * 2 * heads * dimension * tokens.count * MemoryLayout<UInt16>.stride : codec.bytes(elements)
    }
    /// Of a whole block.
    private var elements: Int { layers * 2 * heads * dimension * KVShape.blockTokens }

    static func checksum(_ bytes: UnsafeRawBufferPointer) -> [UInt32] { Checksum.crc32c(bytes) }

    // MARK: Writing

    private var header: [UInt8] {
        var out: [UInt8] = model.bytes + parent.bytes
        func put(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { out += $0 } }
        func put(_ text: String) {
            put(UInt32(text.utf8.count))
            out += text.utf8
        }
        put(UInt32(position))
        put(UInt32(codec.bits))
        put(UInt32(layers))
        put(UInt32(heads))
        put(UInt32(dimension))
        put(UInt64(payloadBytes))
        for sum in checksum { put(sum) }
        put(UInt32(tokens.count))
        for token in tokens { put(token) }
        put(modelName)
        put(UInt32(sources.count))
        for source in sources { put(source) }
        return out
    }

    /// Writes the file whole or not at all.
    ///
    /// - Parameter block: the rows, as ``KVShape`` lays them out.
    package mutating func write(to path: String, block: UnsafeRawPointer, shape: KVShape) throws {
        let rows = UnsafeMutableRawBufferPointer.allocate(byteCount: payloadBytes, alignment: 64)
        defer { rows.deallocate() }
        if codec == .f16 {
            shape.gather(tokens.count, from: block, to: rows.baseAddress!)
        } else {
            let whole = UnsafeMutablePointer<UInt16>.allocate(capacity: elements)
            defer { whole.deallocate() }
            shape.copyFilled(tokens.count, from: block, to: whole)
            codec.encode(whole, elements: elements, into: rows.baseAddress!.assumingMemoryBound(to: UInt8.self))
        }
        checksum = Self.checksum(UnsafeRawBufferPointer(rows))
        let header = header
        var start = Self.magic
        withUnsafeBytes(of: UInt32(header.count).littleEndian) { start += $0 }
        for sum in header.withUnsafeBytes(Self.checksum) { withUnsafeBytes(of: sum.littleEndian) { start += $0 } }
        let temporary = "\(path).\(getpid())-\(UInt32.random(in: .min ... .max)).tmp"
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw KVError(.inputOutput, "\(temporary) cannot be written: \(String(cString: strerror(errno))).") }
        var failure: Int32 = 0
        func send(_ bytes: UnsafeRawBufferPointer) {
            var done = 0
            while done < bytes.count, failure == 0 {
                let count = Foundation.write(file, bytes.baseAddress! + done, bytes.count - done)
                if count > 0 { done += count } else if errno != EINTR { failure = errno == 0 ? ENOSPC : errno }
            }
        }
        (start + header).withUnsafeBytes(send)
        send(UnsafeRawBufferPointer(rows))
        if close(file) != 0, failure == 0 { failure = errno }
        if failure == 0, rename(temporary, path) != 0 { failure = errno }
        guard failure == 0 else {
            unlink(temporary)
            throw KVError(.inputOutput, "\(path) cannot be written: \(String(cString: strerror(failure))).")
        }
    }

    // MARK: Reading

    /// An opened file whose header is sound.
    private struct Opened: ~Copyable {
        let file: Int32
        let header: KVBlockFile
        let payload: Int
        deinit { close(file) }
    }

    private static func open_(_ path: String) throws -> Opened {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw KVError(errno == ENOENT ? .notFound : .inputOutput, "\(path) cannot be read: \(String(cString: strerror(errno))).")
        }
        do {
            let damaged = KVError(.damaged, "\(path) is no whole block of keys and values; it is not used.")
            var size = stat()
            guard fstat(file, &size) == 0 else { throw damaged }
            let start = try read(file, 0, prefixBytes, damaged)
            guard start.starts(with: magic) else { throw damaged }
            let length = start.withUnsafeBytes { Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt32.self))) }
            guard length <= maximumHeader else { throw damaged }
            let bytes = try read(file, prefixBytes, length, damaged), sums = bytes.withUnsafeBytes(checksum)
            let kept = start.withUnsafeBytes { start in (0..<4).map { UInt32(littleEndian: start.loadUnaligned(fromByteOffset: 12 + 4 * $0, as: UInt32.self)) }
            }
            guard sums == kept, let header = KVBlockFile(header: bytes), Int(size.st_size) == prefixBytes + length + header.payloadBytes else { throw damaged }
            return Opened(file: file, header: header, payload: prefixBytes + length)
        } catch {
            close(file)
            throw error
        }
    }

    private static func read(_ file: Int32, _ offset: Int, _ count: Int, _ damaged: KVError) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            try fill(UnsafeMutableRawBufferPointer(buffer), file, offset, damaged)
            initialized = count
        }
    }

    private static func fill(_ buffer: UnsafeMutableRawBufferPointer, _ file: Int32, _ offset: Int, _ damaged: KVError) throws {
        var done = 0
        while done < buffer.count {
            let got = pread(file, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
            if got > 0 { done += got } else if got == 0 || errno != EINTR { throw damaged }
        }
    }

    /// What stands in a file's header; the rows are not looked at.
    package static func header(_ path: String) throws -> KVBlockFile { try open_(path).header }

    /// Reads rows into a block, if the file is sound and fits.
    ///
    /// - Throws: ``KVError``. The block may have been written in part then.
    package static func read(
        _ path: String, model: KVHash, parent: KVHash, codec: KVCodec, tokens: [Int32], into block: UnsafeMutableRawPointer, shape: KVShape
    ) throws {
        let opened = try open_(path), header = opened.header
        guard header.model == model, header.parent == parent, header.tokens == tokens, header.codec == codec, header.layers == shape.layers,
            header.heads == shape.heads, header.dimension == shape.dimension
        else {
            throw KVError(.foreign, "\(path) belongs to another model or text; it is not used.")
        }
        let changed = KVError(.damaged, "\(path) has changed since it was written; it is not used.")
        if codec == .f16, tokens.count == KVShape.blockTokens {
            let rows = UnsafeMutableRawBufferPointer(start: block, count: header.payloadBytes)
            try fill(rows, opened.file, opened.payload, changed)
            guard checksum(UnsafeRawBufferPointer(rows)) == header.checksum else { throw changed }
        } else {
            let rows = UnsafeMutableRawBufferPointer.allocate(byteCount: header.payloadBytes, alignment: 64)
            defer { rows.deallocate() }
            try fill(rows, opened.file, opened.payload, changed)
            guard checksum(UnsafeRawBufferPointer(rows)) == header.checksum else { throw changed }
            if codec == .f16 {
                shape.scatter(tokens.count, from: rows.baseAddress!, to: block)
            } else {
                codec.decode(
                    UnsafePointer(rows.baseAddress!.assumingMemoryBound(to: UInt8.self)), elements: header.elements,
                    into: block.assumingMemoryBound(to: UInt16.self))
            }
        }
    }

    /// Reads a whole file and compares all checksums.
    package static func verify(_ path: String) throws -> KVBlockFile {
        let opened = try open_(path), changed = KVError(.damaged, "\(path) has changed since it was written; it is not used.")
        let rows = try read(opened.file, opened.payload, opened.header.payloadBytes, changed)
        guard rows.withUnsafeBytes(checksum) == opened.header.checksum else { throw changed }
        return opened.header
    }

    private init?(header bytes: [UInt8]) {
        var rest = bytes[...]
        func take(_ count: Int) -> ArraySlice<UInt8>? {
            guard count >= 0, rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
        func number<T: FixedWidthInteger>(_ type: T.Type) -> T? {
            take(MemoryLayout<T>.size).map { bytes in bytes.reversed().reduce(0) { $0 << 8 | T(truncatingIfNeeded: $1) } }
        }
        func text() -> String? { number(UInt32.self).flatMap { take(Int($0)) }.map { String(decoding: $0, as: UTF8.self) } }
        guard let model = take(32), let parent = take(32), let position = number(UInt32.self), let bits = number(UInt32.self),
            let codec = KVCodec.allCases.first(where: { $0.bits == Int(bits) }), let layers = number(UInt32.self),
            let heads = number(UInt32.self), let dimension = number(UInt32.self), let payload = number(UInt64.self), layers <= 1 << 16, heads <= 1 << 12,
            dimension <= 1 << 12
        else { return nil }
        self.model = KVHash(bytes: Array(model))
        self.parent = KVHash(bytes: Array(parent))
        self.position = Int(position)
        self.codec = codec
        self.layers = Int(layers)
        self.heads = Int(heads)
        self.dimension = Int(dimension)
        var sums: [UInt32] = []
        for _ in 0..<4 {
            guard let sum = number(UInt32.self) else { return nil }
            sums.append(sum)
        }
        checksum = sums
        guard let count = number(UInt32.self), (1...UInt32(KVShape.blockTokens)).contains(count) else { return nil }
        tokens = []
        for _ in 0..<count {
            guard let token = number(Int32.self) else { return nil }
            tokens.append(token)
        }
        guard let name = text(), let sourceCount = number(UInt32.self), sourceCount <= 1 << 16 else { return nil }
        modelName = name
        sources = []
        for _ in 0..<sourceCount {
            guard let source = text() else { return nil }
            sources.append(source)
        }
        guard rest.isEmpty, payload == UInt64(payloadBytes) else { return nil }
    }
}
