import CMnemeKernels
import MnemeNumerics

/// The format of KV blocks on disk: exact, or quantized to 8, 4 or 2 bits.
public enum KVCodec: String, Sendable, CaseIterable, Codable {
    /// As they are computed: what is restored is equal bit by bit.
    case f16
    /// Codes in groups of 32: one element of the keys over as many positions, as many elements of a
    /// position's values, with a scale and a least value each (KIVI, Liu et al. 2024). With two
    /// bits, the quarter of a head's key elements whose range is widest has four (Kitty, Xia et al.
    /// 2025). A text's first block, which all attend to, stays exact. What is restored differs a
    /// little.
    case int8, int4, int2

    /// Keys or values: a block holds both of each head.
    package enum Side: Sendable { case keys, values }

    /// Bits of a code.
    public var bits: Int {
        switch self {
        case .f16: 16
        case .int8: 8
        case .int4: 4
        case .int2: 2
        }
    }

    /// Names what files hold: another one where the layout of codes changes.
    var layout: String { self == .int2 ? "int2 wide" : rawValue }

    /// The codec of the block that begins behind `position` tokens: the first stays exact.
    func at(_ position: Int) -> KVCodec { position == 0 ? .f16 : self }

    /// Groups of a head's keys that have twice the bits.
    private func wideGroups(_ side: Side, _ dimension: Int) -> Int {
        self == .int2 && side == .keys ? dimension / 4 : 0
    }

    /// Bytes of a block's keys or values of one head.
    package func bytes(_ side: Side, dimension: Int) -> Int {
        self == .f16
            ? 2 * KVShape.blockTokens * dimension
            : mnk_encoded_bytes(Int32(bits), dimension, wideGroups(side, dimension))
    }

    /// Bytes of a block of one head with so many elements.
    public func bytes(dimension: Int) -> Int {
        bytes(.keys, dimension: dimension) + bytes(.values, dimension: dimension)
    }

    /// Codes of a block's keys or values of one head.
    package func encode(
        _ side: Side, _ source: UnsafePointer<UInt16>, dimension: Int,
        into target: UnsafeMutablePointer<UInt8>
    ) {
        precondition(self != .f16, "Halves need no codes.")
        mnk_encode_groups(
            ProcessorFeatures.current.rawValue, Int32(bits), source, dimension,
            wideGroups(side, dimension), target)
    }

    /// The other way.
    package func decode(
        _ side: Side, _ source: UnsafePointer<UInt8>, dimension: Int,
        into target: UnsafeMutablePointer<UInt16>
    ) {
        precondition(self != .f16, "Halves need no codes.")
        mnk_decode_groups(
            ProcessorFeatures.current.rawValue, Int32(bits), source, dimension,
            wideGroups(side, dimension), target)
    }

    /// True if attention reads its codes as they are: blocks of a live sequence are pages of codes,
    /// see ``KVPages``.
    package var isPaged: Bool { self == .int8 || self == .int4 }

    /// Bytes of a page of one head in memory.
    package func pageBytes(dimension: Int) -> Int {
        isPaged
            ? DecoderKernels.pageBytes(bits: bits, dimension: dimension)
            : bytes(dimension: dimension)
    }

    /// Encodes and decodes a page of halves.
    func round(_ page: UnsafeMutablePointer<UInt16>, dimension: Int) {
        let part = KVShape.blockTokens * dimension
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: bytes(dimension: dimension)) {
            guard let codes = $0.baseAddress else { return }
            for (side, place) in [(Side.keys, page), (.values, page + part)] {
                encode(side, place, dimension: dimension, into: codes)
                decode(side, codes, dimension: dimension, into: place)
            }
        }
    }

    /// Codes of a whole block, each head of each layer by itself, in the order of ``KVShape``.
    func encode(
        _ block: UnsafePointer<UInt16>, _ shape: KVShape, into target: UnsafeMutablePointer<UInt8>
    ) {
        each(shape) { side, rows, codes in
            encode(side, block + rows, dimension: shape.dimension, into: target + codes)
        }
    }

    /// The other way.
    func decode(
        _ codes: UnsafePointer<UInt8>, _ shape: KVShape, into block: UnsafeMutablePointer<UInt16>
    ) {
        each(shape) { side, rows, start in
            decode(side, codes + start, dimension: shape.dimension, into: block + rows)
        }
    }

    /// Calls `body` with the places of each head's rows and codes.
    private func each(_ shape: KVShape, _ body: (Side, Int, Int) -> Void) {
        var rows = 0
        var codes = 0
        for _ in 0..<shape.layers {
            for side in [Side.keys, .values] {
                for _ in 0..<shape.heads {
                    body(side, rows, codes)
                    rows += KVShape.blockTokens * shape.dimension
                    codes += bytes(side, dimension: shape.dimension)
                }
            }
        }
    }
}
