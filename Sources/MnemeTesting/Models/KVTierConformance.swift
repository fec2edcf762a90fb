import Foundation
public import MnemeKV

/// Requirements of every `KVTier` of MnemeKV, as checks that a test runs on an empty tier with room
/// for some dozen blocks of 4 KiB.
public typealias KVTierConformance = Conformance<any KVTier>

extension Conformance where Subject == any KVTier {
    /// Every check. Each needs an empty tier of its own.
    public static var all: [Self] { keeping + refusing + forgetting }

    private static func write(
        _ blocks: SampleBlocks, _ number: Int, sources: [String] = [], to tier: any KVTier
    ) throws {
        try SampleBlocks.withBlock(SampleBlocks.rows(number)) {
            try tier.write(
                blocks.file(number, sources: sources), from: UnsafeRawPointer($0),
                shape: SampleBlocks.shape)
        }
    }

    /// What memory holds once a block was read into it.
    private static func read(_ request: KVBlockRequest, _ tier: any KVTier) throws -> [UInt16] {
        // Room for a block of more layers than the samples have.
        try SampleBlocks.withBlock([UInt16](repeating: 0, count: 2 * SampleBlocks.elements)) {
            try tier.read(request, into: $0)
            return Array(
                UnsafeRawBufferPointer(start: $0, count: SampleBlocks.shape.blockBytes)
                    .bindMemory(to: UInt16.self))
        }
    }

    /// Fails unless the block is there, with the rows that were written.
    private static func requireRead(_ blocks: SampleBlocks, _ number: Int, _ tier: any KVTier) throws {
        let found = try read(blocks.request(number), tier)
        let expected = SampleBlocks.rows(number)
        try expect(
            blocks.filled(number).allSatisfy { found[$0] == expected[$0] },
            "block \(number) has other rows")
    }

    /// Fails unless reading is refused with a `KVError`.
    private static func requireRefusal(_ request: KVBlockRequest, _ about: String, _ tier: any KVTier)
        throws
    {
        do { _ = try read(request, tier) } catch is KVError { return }
        try expect(false, about)
    }

    // MARK: Checks

    private static var keeping: [Self] {
        [
            // A text goes on as if it had never been away: not a bit may differ.
            Self("what was written is read back, bit for bit, and ends of texts too") { tier in
                let blocks = SampleBlocks(69)
                for number in 0..<3 { try write(blocks, number, to: tier) }
                for number in 0..<3 { try requireRead(blocks, number, tier) }
            },
            // Computing begins with the first layers, before the rest is there.
            Self("blocks come layer by layer, bit for bit, up to the first that is missing") { tier in
                let blocks = SampleBlocks(69)
                for number in 0..<3 { try write(blocks, number, to: tier) }
                let size = SampleBlocks.shape.blockBytes
                let memory = UnsafeMutableRawPointer.allocate(byteCount: 3 * size, alignment: 64)
                defer { memory.deallocate() }
                memory.initializeMemory(as: UInt8.self, repeating: 0, count: 3 * size)
                let places = (0..<3).map { KVBlockPlace(blocks.request($0), memory + $0 * size) }
                nonisolated(unsafe) var came: [Int] = []
                let parts = KVLayerParts(2, of: SampleBlocks.shape.layers) { came.append($0) }
                try expect(tier.read(places, by: parts) == 3)
                try expect(came == [1, 2] || came == [2], "layers came as \(came)")
                for number in 0..<3 {
                    let found = (memory + number * size).assumingMemoryBound(to: UInt16.self)
                    let expected = SampleBlocks.rows(number)
                    try expect(
                        blocks.filled(number).allSatisfy { found[$0] == expected[$0] },
                        "block \(number) has other rows")
                }
                try tier.remove(blocks.names[1])
                try expect(tier.read(places, by: parts) == 1)
            },
            // A block counts for nothing without what stands before it.
            Self("blocks are counted from the first on, up to the first that is missing") { tier in
                let blocks = SampleBlocks(96)
                try expect(tier.count(of: []) == 0 && tier.count(of: blocks.names) == 0)
                try write(blocks, 0, to: tier)
                try write(blocks, 2, to: tier)
                try expect(tier.count(of: blocks.names) == 1)
                try write(blocks, 1, to: tier)
                try expect(tier.count(of: blocks.names) == 3)
                try expect(tier.count(of: SampleBlocks(96, seed: 2).names) == 0)
            },
            // Two processes compute the same prompt, and both write it.
            Self("a block that is written again is there once") { tier in
                let blocks = SampleBlocks(32)
                for _ in 0..<3 { try write(blocks, 0, to: tier) }
                try requireRead(blocks, 0, tier)
                try tier.remove(blocks.names[0])
                try expect(tier.count(of: blocks.names) == 0)
            },
            Self("many write and read at once") { tier in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for seed in 0..<4 {
                        group.addTask {
                            let blocks = SampleBlocks(96, seed: Int32(seed))
                            for number in 0..<3 { try write(blocks, number, to: tier) }
                            for number in 0..<3 { try requireRead(blocks, number, tier) }
                        }
                    }
                    try await group.waitForAll()
                }
            },
            // Quantized rows are what the model goes on with: they must be those that were written.
            Self("blocks of every codec are kept beside each other") { tier in
                for codec in KVCodec.allCases {
                    let blocks = SampleBlocks(64, codec: codec, model: codec)
                    for number in 0..<2 { try write(blocks, number, to: tier) }
                }
                for codec in KVCodec.allCases {
                    let blocks = SampleBlocks(64, codec: codec, model: codec)
                    let found = try read(blocks.request(1), tier)
                    let expected = SampleBlocks.rows(1)
                    let bound = codec.roundTripBound
                    try expect(
                        blocks.filled(1).allSatisfy {
                            abs(Float(Float16(bitPattern: found[$0])) - Float(Float16(bitPattern: expected[$0])))
                                <= bound
                        }, "\(codec.rawValue)")
                }
            },
        ]
    }

    private static var refusing: [Self] {
        [
            Self("a block that is not there is an error") { tier in
                try requireRefusal(SampleBlocks(32).request(0), "nothing was read", tier)
            },
            // A block of other weights or another layout would be read as noise, and the model
            // would talk on.
            Self("a block is read for its own model, text, codec and layout alone") { tier in
                let blocks = SampleBlocks(64)
                for number in 0..<2 { try write(blocks, number, to: tier) }
                var other = blocks.request(1)
                other.model = SampleBlocks(32, model: "b").model
                try requireRefusal(other, "another model's block was read", tier)
                other = blocks.request(1)
                other.tokens[31] += 1
                try requireRefusal(other, "a block of other tokens was read", tier)
                other = blocks.request(1)
                other.parent = blocks.parents[0]
                try requireRefusal(other, "a block of another beginning was read", tier)
                other = blocks.request(1)
                other.codec = .int8
                try requireRefusal(other, "a block of another codec was read", tier)
                other = blocks.request(1)
                other.shape = KVShape(layers: 3, heads: 2, dimension: 8)
                try requireRefusal(other, "a block of another layout was read", tier)
                try requireRead(blocks, 1, tier)
            },
        ]
    }

    private static var forgetting: [Self] {
        [
            Self("removing forgets one block, and again does nothing") { tier in
                let blocks = SampleBlocks(96)
                for number in 0..<3 { try write(blocks, number, to: tier) }
                for _ in 0..<2 { try tier.remove(blocks.names[1]) }
                try tier.remove(SampleBlocks(32, seed: 9).names[0])
                try expect(tier.count(of: blocks.names) == 1)
                try requireRefusal(blocks.request(1), "a removed block was read", tier)
                try requireRead(blocks, 2, tier)
            },
            // What was forgotten on request must not come back from a cache of computed text.
            Self("erasing a source forgets every block made with it, and no other") { tier in
                let first = SampleBlocks(64)
                let second = SampleBlocks(64, seed: 2)
                let third = SampleBlocks(64, seed: 3)
                for number in 0..<2 {
                    try write(first, number, sources: number == 1 ? ["a", "b"] : [], to: tier)
                    try write(second, number, sources: ["b"], to: tier)
                    try write(third, number, to: tier)
                }
                try tier.erase(sources: [])
                try tier.erase(sources: ["nobody", ""])
                try expect(tier.count(of: first.names) == 2)
                try tier.erase(sources: ["a"])
                try expect(tier.count(of: first.names) == 1)
                try requireRefusal(first.request(1), "an erased block was read", tier)
                try expect(tier.count(of: second.names) == 2)
                try tier.erase(sources: ["b"])
                try expect(tier.count(of: second.names) == 0)
                for number in 0..<2 { try requireRead(third, number, tier) }
            },
        ]
    }
}

extension SampleBlocks {
    /// Blocks of a codec under a model of its own, as a cache names them.
    fileprivate init(_ count: Int, codec: KVCodec, model: KVCodec) {
        self.init(
            count, model: Character(String(KVCodec.allCases.firstIndex(of: model)! + 1)), codec: codec)
    }
}
