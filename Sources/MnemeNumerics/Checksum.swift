import CMnemeKernels

/// Checksums of large blocks.
package enum Checksum {
    /// CRC-32C (RFC 3720) of each quarter of the bytes: four at once are as fast as memory. The
    /// last quarter takes what is left over.
    package static func crc32c(
        _ bytes: UnsafeRawBufferPointer, features: ProcessorFeatures = .current
    ) -> [UInt32] {
        var sums: [UInt32] = [0, 0, 0, 0]
        mnk_checksum(features.rawValue, bytes.baseAddress, bytes.count, &sums)
        return sums
    }

    /// As above.
    package static func crc32c(_ bytes: [UInt8], features: ProcessorFeatures = .current) -> [UInt32] {
        bytes.withUnsafeBytes { crc32c($0, features: features) }
    }
}
