import CMnemeKernels
import MnemeNumerics

/// How keys and values are kept on disk.
public enum KVCodec: String, Sendable, CaseIterable {
    /// As they are computed: what is restored is equal bit by bit.
    case f16
    /// Codes in groups of 32 (16 for two bits): one element of the keys over as many positions, as many elements of a position's values, with
    /// a scale and a least value each (KIVI, Liu et al. 2024). So three bits take no more room than two, a quarter of that of halves. A text's first block, which all attend to, stays exact. What is restored
    /// differs a little.
    case int8, int4, int3, int2

    /// Bits of a code.
    public var bits: Int {
        switch self {
        case .f16: 16
        case .int8: 8
        case .int4: 4
        case .int3: 3
        case .int2: 2
        }
    }

    /// How the block behind `position` tokens is kept.
    func at(_ position: Int) -> KVCodec { position == 0 ? .f16 : self }

    /// Bytes of so many elements, whole groups of 32.
    public func bytes(_ elements: Int) -> Int { self == .f16 ? 2 * elements : mnk_encoded_bytes(Int32(bits), elements) }

    /// Codes of a block, whose elements are whole groups.
    package func encode(_ source: UnsafePointer<UInt16>, elements: Int, into target: UnsafeMutablePointer<UInt8>) {
        precondition(self != .f16 && elements % 32 == 0, "Whole groups are encoded.")
        mnk_encode_groups(ProcessorFeatures.current.rawValue, Int32(bits), source, elements, target)
    }

    /// The other way.
    package func decode(_ source: UnsafePointer<UInt8>, elements: Int, into target: UnsafeMutablePointer<UInt16>) {
        precondition(self != .f16 && elements % 32 == 0, "Whole groups are decoded.")
        mnk_decode_groups(ProcessorFeatures.current.rawValue, Int32(bits), source, elements, target)
    }
}
