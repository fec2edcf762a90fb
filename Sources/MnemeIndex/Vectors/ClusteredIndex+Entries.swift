import CMnemeKernels
import MnemeNumerics
import NIOConcurrencyHelpers

/// The entries of lists, as they lie in ``PostingFile``.
extension ClusteredIndex {
    // An entry: codes, scale, number of the vector (u32), residual; padded to 16 bytes.

    /// The entry of a vector.
    func entry(_ number: UInt32, _ vector: [Float]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: lists.stride)
        bytes.withUnsafeMutableBytes { bytes in
            let base = bytes.baseAddress!.assumingMemoryBound(to: UInt8.self)
            mnk_encode_record(vector, dimension, base, base + layout.codes + 8)
            bytes.storeBytes(of: number, toByteOffset: layout.codes + 4, as: UInt32.self)
        }
        return bytes
    }

    /// The number of an entry's vector.
    func number(_ entry: UnsafePointer<UInt8>) -> UInt32 {
        UnsafeRawPointer(entry).loadUnaligned(fromByteOffset: layout.codes + 4, as: UInt32.self)
    }

    /// An entry's vector, to 12 bits a component.
    func decoded(_ entry: UnsafePointer<UInt8>) -> [Float] {
        var vector = [Float](repeating: 0, count: dimension)
        mnk_add_record(
            ProcessorFeatures.current.rawValue, entry, entry + layout.codes + 8, dimension, &vector)
        return vector
    }

    /// Reads a list; one that has moved meanwhile is read again.
    ///
    /// - Parameter body: gets the first entry and how many there are; they are gone when it
    ///   returns.
    /// - Throws: ``IndexError`` if the list is not what the table says, and what `body` throws.
    func withList<R>(_ list: Int, _ body: (UnsafePointer<UInt8>, Int) throws -> R) throws
        -> R
    {
        try withUnsafeTemporaryAllocation(byteCount: lists.slotBytes, alignment: 64) { buffer in
            var place = table.withLockedValue { $0.places[list] }
            while try place.count > 0 && !lists.read(place, into: buffer) {
                let now = table.withLockedValue { $0.places[list] }
                guard now != place else {
                    throw IndexError(
                        .corrupt, "\(lists.path) is damaged. Delete it; it is made again.")
                }
                place = now
            }
            return try body(
                buffer.baseAddress!.assumingMemoryBound(to: UInt8.self), Int(place.count))
        }
    }

    /// The vector of a number that a list holds; nil if it does not.
    func vector(_ number: UInt32, in list: Int) throws -> [Float]? {
        try withList(list) { base, count in
            (0..<count).first { self.number(base + $0 * lists.stride) == number }.map {
                decoded(base + $0 * lists.stride)
            }
        }
    }
}
