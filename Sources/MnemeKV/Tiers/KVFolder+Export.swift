import Foundation
import MnemeBase
import NIOConcurrencyHelpers

/// Texts on their way between folders. Layout of an export: `MNEMEKVS`, then for each block from the
/// first on its bytes as a u64 (little endian) and the file as ``KVBlockFile`` writes it, not
/// encrypted.
extension KVFolder {
    /// Writes a chain into one file: its block files, each with its length before it.
    public func export(_ hash: KVHash, to target: String) throws {
        let chain = try chain(hash)
        do {
            let out = try AtomicFile(target)
            try out.write(Self.packageMagic)
            for hash in chain {
                _ = try KVBlockFile.verify(file(hash), key: key)
                let data = Data(try KVBlockFile.contents(file(hash), key: key))
                try out.write(withUnsafeBytes(of: UInt64(data.count).littleEndian) { Data($0) })
                try out.write(data)
            }
            try out.finish()
        } catch let error as FileError { throw KVError(.inputOutput, error.description) }
    }

    private static let packageMagic = Array("MNEMEKVS".utf8)

    /// Takes over the blocks of an exported file. Each is checked; whether a model can use them
    /// shows by their names.
    ///
    /// - Returns: how many blocks.
    /// - Throws: ``KVError`` at the first that is damaged; those before it are kept.
    @discardableResult
    public func `import`(_ source: String) throws -> Int {
        let damaged = KVError(.damaged, "\(source) is no whole export of keys and values.")
        guard let input = FileHandle(forReadingAtPath: source) else {
            throw KVError(.inputOutput, "\(source) cannot be read.")
        }
        defer { try? input.close() }
        guard let magic = try? input.read(upToCount: 8), Array(magic) == Self.packageMagic else {
            throw damaged
        }
        let size = (try? FileManager.default.attributesOfItem(atPath: source)[.size] as? Int) ?? 0
        var count = 0
        while let start = try? input.read(upToCount: 8), !start.isEmpty {
            guard start.count == 8 else { throw damaged }
            let length = start.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard length <= UInt64(size), let data = try? input.read(upToCount: Int(length)),
                data.count == Int(length)
            else { throw damaged }
            let header = try Array(data).withUnsafeBytes {
                try KVBlockFile.verify($0, name: source)
            }
            let target = file(header.hash)
            do { try Privacy.makeFolder(parent(of: target)) } catch let error as FileError {
                throw KVError(.inputOutput, error.description)
            }
            try KVBlockFile.write(contents: Array(data), to: target, key: key)
            count += 1
        }
        self.size.withLockedValue { $0 = nil }
        return count
    }
}
