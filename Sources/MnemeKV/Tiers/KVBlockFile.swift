import Foundation
import MnemeBase
import MnemeNumerics
package import MnemeSeal

/// One block on disk: an immutable file, named by its hash.
///
/// Layout, little endian: `MNEMEKV1`, bytes of the header, checksum of the header (4 × CRC-32C),
/// the header, the rows without gaps. With a codec, the rows are codes of the whole block. The
/// header: model and parent hashes, the tokens before, layers, heads, elements of a head, bytes and
/// checksum of the rows, and lists with their lengths before them: tokens, the model's name,
/// sources. Nothing in it is executable.
public struct KVBlockFile: Sendable, Equatable {
    /// The hash of all that the block depends on besides tokens, see ``KVHash/model(_:_:codec:)``,
    /// and the block before it.
    public let model: KVHash, parent: KVHash
    /// Tokens before it.
    public let position: Int
    /// Its layers, heads of keys and values, and elements of each.
    public let layers: Int, heads: Int, dimension: Int
    /// The format of its rows.
    public let codec: KVCodec
    /// Its tokens.
    public private(set) var tokens: [Int32]
    /// The model's name, for people.
    public let modelName: String
    /// Names of memories that its text or what stands before holds.
    public private(set) var sources: [String]
    private(set) var checksum: [UInt32] = [0, 0, 0, 0]

    private static let magic = Array("MNEMEKV1".utf8)
    private static let prefixBytes = 8 + 4 + 16
    private static let maximumHeader = 1 << 20

    package init(
        model: KVHash, parent: KVHash, position: Int, shape: KVShape, codec: KVCodec = .f16,
        tokens: [Int32],
        modelName: String, sources: [String]
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
    public var hash: KVHash { parent.next(tokens) }
    /// Bytes of the rows.
    package var payloadBytes: Int {
        codec == .f16
            ? layers * 2 * heads * dimension * tokens.count * MemoryLayout<UInt16>.stride
            : layers * heads * codec.bytes(dimension: dimension)
    }

    static func checksum(_ bytes: UnsafeRawBufferPointer) -> [UInt32] { Checksum.crc32c(bytes) }

    // MARK: Writing

    private var header: [UInt8] {
        var out: [UInt8] = model.bytes + parent.bytes
        func put(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { out += $0 }
        }
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

    /// The bytes before the rows, and the rows, which the caller frees.
    private mutating func encode(_ block: UnsafeRawPointer, _ shape: KVShape) -> (
        start: [UInt8], rows: UnsafeMutableRawBufferPointer
    ) {
        let rows = UnsafeMutableRawBufferPointer.allocate(byteCount: payloadBytes, alignment: 64)
        if codec == .f16 {
            shape.gather(tokens.count, from: block, to: rows.baseAddress!)
        } else {
            let whole = UnsafeMutablePointer<UInt16>.allocate(
                capacity: layers * 2 * heads * dimension * KVShape.blockTokens)
            defer { whole.deallocate() }
            shape.copyFilled(tokens.count, from: block, to: whole)
            codec.encode(whole, shape, into: rows.baseAddress!.assumingMemoryBound(to: UInt8.self))
        }
        checksum = Self.checksum(UnsafeRawBufferPointer(rows))
        let header = header
        var start = Self.magic
        withUnsafeBytes(of: UInt32(header.count).littleEndian) { start += $0 }
        for sum in header.withUnsafeBytes(Self.checksum) {
            withUnsafeBytes(of: sum.littleEndian) { start += $0 }
        }
        return (start + header, rows)
    }

    /// All that a file would hold: for tiers that keep no files.
    ///
    /// - Parameters:
    ///   - block: the rows, as ``KVShape`` lays them out.
    ///   - key: encrypts it.
    package mutating func bytes(of block: UnsafeRawPointer, shape: KVShape, key: DataKey?) throws
        -> [UInt8]
    {
        let (start, rows) = encode(block, shape)
        defer { rows.deallocate() }
        return try Array(Self.sealed(start, UnsafeRawBufferPointer(rows), key))
    }

    private static func sealed(_ start: [UInt8], _ rows: UnsafeRawBufferPointer, _ key: DataKey?)
        throws -> Data
    {
        guard let key else { return start + Data(rows) }
        return try start.withUnsafeBytes { try SealedBytes.seal([$0, rows], with: key) }
    }

    /// Writes the file whole or not at all.
    ///
    /// - Parameters:
    ///   - block: the rows, as ``KVShape`` lays them out.
    ///   - key: encrypts it.
    package mutating func write(
        to path: String, block: UnsafeRawPointer, shape: KVShape, key: DataKey?
    ) throws {
        let (start, rows) = encode(block, shape)
        defer { rows.deallocate() }
        if key == nil {
            try start.withUnsafeBytes {
                try Self.write([$0, UnsafeRawBufferPointer(rows)], to: path)
            }
        } else {
            try Self.sealed(start, UnsafeRawBufferPointer(rows), key).withUnsafeBytes {
                try Self.write([$0], to: path)
            }
        }
    }

    private static func write(_ parts: [UnsafeRawBufferPointer], to path: String) throws {
        do {
            // A block that a loss of power takes is computed again.
            let file = try AtomicFile(path, durability: .cache)
            for part in parts { try file.write(part) }
            try file.finish()
        } catch let error as FileError { throw KVError(.inputOutput, error.description) }
    }

    // MARK: Reading

    /// The bytes of a block, in a file or in memory.
    struct Source {
        var name: String, size: Int
        /// Fills a buffer from an offset on; false if that is not possible.
        var fill: (UnsafeMutableRawBufferPointer, Int) -> Bool

        var damaged: KVError {
            KVError(
                .damaged,
                "\(name) is no whole block of keys and values, or has changed since it was written; it is not used."
            )
        }

        func bytes(_ offset: Int, _ count: Int) throws -> [UInt8] {
            try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
                guard fill(UnsafeMutableRawBufferPointer(buffer), offset) else { throw damaged }
                initialized = count
            }
        }

        /// The header, if it is sound, and where the rows begin.
        func header() throws -> (KVBlockFile, rows: Int) {
            guard size >= prefixBytes else { throw damaged }
            let start = try bytes(0, prefixBytes)
            func number(_ offset: Int) -> UInt32 {
                start.withUnsafeBytes {
                    UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
                }
            }
            let length = Int(number(8))
            guard start.starts(with: magic), length <= maximumHeader, length <= size - prefixBytes
            else {
                throw damaged
            }
            let bytes = try bytes(prefixBytes, length)
            guard bytes.withUnsafeBytes(checksum) == (0..<4).map({ number(12 + 4 * $0) }),
                let header = KVBlockFile(header: bytes),
                size == prefixBytes + length + header.payloadBytes
            else { throw damaged }
            return (header, prefixBytes + length)
        }
    }

    /// The decrypted bytes of a source, if there is a key; else the source.
    static func opened(_ source: Source, _ key: DataKey?) throws -> Source {
        guard let key else { return source }
        do {
            let sealed = try SealedBytes(
                name: source.name, size: source.size, key: key, fill: source.fill)
            return Source(name: source.name, size: sealed.count, fill: sealed.read)
        } catch let error as SealError {
            throw KVError(error.code == .wrongKey ? .foreign : .damaged, error.description)
        }
    }

    /// The header of a block, wherever it lies; the rows are not looked at.
    ///
    /// - Throws: ``KVError`` if the header is unsound, or of another key.
    static func header(_ source: Source, key: DataKey?) throws -> KVBlockFile {
        try opened(source, key).header().0
    }

    private static func with<Result>(
        _ path: String, _ key: DataKey?, _ body: (Source) throws -> Result
    ) throws
        -> Result
    {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw KVError(
                errno == ENOENT ? .notFound : .inputOutput,
                "\(path) cannot be read: \(errnoText()).")
        }
        defer { close(file) }
        var info = stat()
        guard fstat(file, &info) == 0 else {
            throw KVError(.inputOutput, "\(path) cannot be read: \(errnoText()).")
        }
        let raw = Source(name: path, size: Int(info.st_size)) { fill($0, from: file, at: $1) }
        return try body(opened(raw, key))
    }

    /// Fills a buffer from an open file; false if it ends before.
    static func fill(_ buffer: UnsafeMutableRawBufferPointer, from file: Int32, at offset: Int) -> Bool {
        var done = 0
        while done < buffer.count {
            let got = pread(file, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
            if got > 0 { done += got } else if got == 0 || errno != EINTR { return false }
        }
        return true
    }

    /// The header of a file; the rows are not looked at.
    ///
    /// - Throws: ``KVError`` if the header is unsound, or the file cannot be read.
    package static func header(_ path: String, key: DataKey?) throws -> KVBlockFile {
        try with(path, key) { try $0.header().0 }
    }

    /// Reads a file's rows into a block, if the file is sound and fits.
    ///
    /// - Throws: ``KVError``. The block may have been written in part then.
    package static func read(
        _ path: String, key: DataKey?, _ request: KVBlockRequest,
        into block: UnsafeMutableRawPointer
    ) throws {
        try with(path, key) { try read($0, request, into: block) }
    }

    /// Reads rows from what ``bytes(of:shape:key:)`` gave into a block, if it is sound and fits.
    ///
    /// - Parameter name: what errors call it.
    /// - Throws: ``KVError``. The block may have been written in part then.
    package static func read(
        _ bytes: UnsafeRawBufferPointer, name: String, key: DataKey?, _ request: KVBlockRequest,
        into block: UnsafeMutableRawPointer
    ) throws {
        try read(opened(source(bytes, name), key), request, into: block)
    }

    private static func source(_ bytes: UnsafeRawBufferPointer, _ name: String) -> Source {
        Source(name: name, size: bytes.count) { buffer, offset in
            guard offset + buffer.count <= bytes.count else { return false }
            buffer.copyMemory(
                from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + buffer.count]))
            return true
        }
    }

    private static func read(
        _ source: Source, _ request: KVBlockRequest, into block: UnsafeMutableRawPointer
    ) throws {
        let reader = try KVBlockReader(source, request, into: block)
        // Rows that need decoding are checked before.
        try reader.load(0..<request.shape.layers)
        try reader.check()
        reader.place(0..<request.shape.layers)
    }

    /// Reads a whole file and compares all checksums.
    package static func verify(_ path: String, key: DataKey?) throws -> KVBlockFile {
        try with(path, key) { try verify($0) }
    }

    /// As ``verify(_:key:)``, of what is in memory and not encrypted.
    static func verify(_ bytes: UnsafeRawBufferPointer, name: String) throws -> KVBlockFile {
        try verify(source(bytes, name))
    }

    private static func verify(_ source: Source) throws -> KVBlockFile {
        let (header, offset) = try source.header()
        guard
            try source.bytes(offset, header.payloadBytes).withUnsafeBytes(checksum)
                == header.checksum
        else {
            throw source.damaged
        }
        return header
    }

    /// A file's bytes as they are without encryption.
    package static func contents(_ path: String, key: DataKey?) throws -> [UInt8] {
        try with(path, key) { try $0.bytes(0, $0.size) }
    }

    /// Writes what ``contents(_:key:)`` gave, whole or not at all.
    package static func write(contents: [UInt8], to path: String, key: DataKey?) throws {
        try contents.withUnsafeBytes { bytes in
            guard let key else { return try write([bytes], to: path) }
            try SealedBytes.seal([bytes], with: key).withUnsafeBytes { try write([$0], to: path) }
        }
    }

    private init?(header bytes: [UInt8]) {
        var rest = bytes[...]
        func take(_ count: Int) -> ArraySlice<UInt8>? {
            guard count >= 0, rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
        func number<T: FixedWidthInteger>(_ type: T.Type) -> T? {
            take(MemoryLayout<T>.size).map { bytes in
                bytes.reversed().reduce(0) { $0 << 8 | T(truncatingIfNeeded: $1) }
            }
        }
        func text() -> String? {
            number(UInt32.self).flatMap { take(Int($0)) }.map {
                String(decoding: $0, as: UTF8.self)
            }
        }
        guard let model = take(32), let parent = take(32), let position = number(UInt32.self),
            let bits = number(UInt32.self),
            let codec = KVCodec.allCases.first(where: { $0.bits == Int(bits) }),
            let layers = number(UInt32.self),
            let heads = number(UInt32.self), let dimension = number(UInt32.self),
            let payload = number(UInt64.self),
            layers <= 1 << 16, heads <= 1 << 12,
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
        guard let count = number(UInt32.self), (1...UInt32(KVShape.blockTokens)).contains(count)
        else { return nil }
        tokens = []
        for _ in 0..<count {
            guard let token = number(Int32.self) else { return nil }
            tokens.append(token)
        }
        guard let name = text(), let sourceCount = number(UInt32.self), sourceCount <= 1 << 16
        else { return nil }
        modelName = name
        sources = []
        for _ in 0..<sourceCount {
            guard let source = text() else { return nil }
            sources.append(source)
        }
        guard rest.isEmpty, payload == UInt64(payloadBytes) else { return nil }
    }
}
