import Foundation
public import MnemeKV

/// Requirements of every `KVCodec` of MnemeKV, as checks that a test runs on each case.
public typealias KVCodecConformance = Conformance<KVCodec>

extension Conformance where Subject == KVCodec {
    /// Every check. They may run at the same time.
    public static var all: [Self] {
        [
            Self("codes take no more room than halves, and that of keys and values together") { codec in
                for dimension in stride(from: 8, through: 256, by: 8) {
                    let bytes = codec.bytes(dimension: dimension)
                    try expect(
                        bytes
                            == codec.bytes(.keys, dimension: dimension)
                            + codec.bytes(.values, dimension: dimension))
                    try expect(0 < bytes && bytes <= KVCodec.f16.bytes(dimension: dimension))
                }
            },
            // Each group of 32 has a scale and a least value of its own: half a step is the most
            // that rounding can cost, and a little more for halves that hold both.
            Self("what is decoded is as near as the bits allow") { codec in
                guard codec != .f16 else { return }
                for side in [KVCodec.Side.keys, .values] { try requireNear(codec, side) }
            },
            Self("the same rows have the same codes") { codec in
                guard codec != .f16 else { return }
                let rows = samples(dimension: 64)
                for side in [KVCodec.Side.keys, .values] {
                    try expect(encoded(rows, codec, side, 64) == encoded(rows, codec, side, 64))
                }
            },
            // Codes come from disks and servers, and rows from models that overflow.
            Self("codes of anything are read and written within their bounds") { codec in
                guard codec != .f16 else { return }
                for dimension in [8, 64, 104] {
                    for side in [KVCodec.Side.keys, .values] {
                        try requireBounds(codec, side, dimension)
                    }
                }
            },
            // A whole block, as a tier holds it, of a text that ends within it too.
            Self("a block is read back from the bytes that a tier holds") { codec in
                for tokens in [32, 5] {
                    let blocks = SampleBlocks(tokens, codec: codec)
                    let rows = SampleBlocks.rows(0)
                    var file = blocks.file(0)
                    let bytes = try SampleBlocks.withBlock(rows) {
                        try file.bytes(of: UnsafeRawPointer($0), shape: SampleBlocks.shape, key: nil)
                    }
                    let found = try SampleBlocks.withBlock(rows.map { _ in 0 }) { block in
                        try bytes.withUnsafeBytes {
                            try KVBlockFile.read(
                                $0, name: "bytes", key: nil, blocks.request(0), into: block)
                        }
                        return Array(
                            UnsafeRawBufferPointer(start: block, count: SampleBlocks.shape.blockBytes)
                                .bindMemory(to: UInt16.self))
                    }
                    for place in blocks.filled(0) {
                        let distance = abs(
                            Float(Float16(bitPattern: found[place]))
                                - Float(Float16(bitPattern: rows[place])))
                        try expect(distance <= codec.roundTripBound, "\(distance) at \(place)")
                    }
                }
            },
        ]
    }

    /// Rows of which every seventh group is forty times as wide, and the last holds equal values:
    /// what outliers in keys look like.
    private static func samples(dimension: Int) -> [UInt16] {
        (0..<32 * dimension).map { i in
            guard i / 32 != dimension - 1 else { return Float16(3.25).bitPattern }
            let spread = Float((i * 7919) % 2001 - 1000) / 500
            return Float16(spread * (i / 32 % 7 == 0 ? 40 : 1)).bitPattern
        }
    }

    private static func encoded(
        _ rows: [UInt16], _ codec: KVCodec, _ side: KVCodec.Side, _ dimension: Int
    ) -> [UInt8] {
        var codes = [UInt8](repeating: 0, count: codec.bytes(side, dimension: dimension))
        codec.encode(side, rows, dimension: dimension, into: &codes)
        return codes
    }

    private static func requireNear(_ codec: KVCodec, _ side: KVCodec.Side) throws {
        let dimension = 104
        let rows = samples(dimension: dimension)
        var back = [UInt16](repeating: 0, count: rows.count)
        codec.decode(
            side, encoded(rows, codec, side, dimension), dimension: dimension, into: &back)
        for group in 0..<dimension {
            // With two bits, the quarter of the keys' elements with the widest range has four.
            let bits = codec == .int2 && side == .keys && group % 7 == 0 ? 4 : codec.bits
            let part = rows[group * 32..<(group + 1) * 32].map { Float(Float16(bitPattern: $0)) }
            let step = (part.max()! - part.min()!) / Float((1 << bits) - 1)
            for i in 0..<32 {
                let distance = abs(Float(Float16(bitPattern: back[group * 32 + i])) - part[i])
                try expect(
                    distance <= step * 0.56 + abs(part[i]) * 0.002,
                    "\(distance) of \(step) in group \(group)")
            }
        }
    }

    private static func requireBounds(_ codec: KVCodec, _ side: KVCodec.Side, _ dimension: Int) throws {
        let count = codec.bytes(side, dimension: dimension)
        for seed in 0..<20 {
            // Exactly as many bytes as codes have: what is read behind them the address sanitizer
            // finds.
            let codes = UnsafeMutablePointer<UInt8>.allocate(capacity: count)
            defer { codes.deallocate() }
            for i in 0..<count { codes[i] = UInt8(truncatingIfNeeded: (i &* 2_654_435_761 &+ seed) >> 7) }
            var back = [UInt16](repeating: 0, count: 32 * dimension + 32)
            back.replaceSubrange((32 * dimension)..., with: repeatElement(0xa5a5, count: 32))
            codec.decode(side, codes, dimension: dimension, into: &back)
            try expect(back[(32 * dimension)...].allSatisfy { $0 == 0xa5a5 })
            // Infinities and what is no number.
            for i in stride(from: seed, to: 32 * dimension, by: 5) {
                back[i] = [0x7c00, 0xfc00, 0x7e00][i % 3]
            }
            var again = [UInt8](repeating: 0xa5, count: count + 64)
            codec.encode(side, back, dimension: dimension, into: &again)
            try expect(again[count...].allSatisfy { $0 == 0xa5 })
        }
    }
}

extension KVCodec {
    /// The most by which rows between 1 and 2 differ once they were encoded: half a step, and a
    /// little for the halves that hold scale and least value.
    var roundTripBound: Float { self == .f16 ? 0 : 0.56 / Float((1 << bits) - 1) + 0.004 }
}
