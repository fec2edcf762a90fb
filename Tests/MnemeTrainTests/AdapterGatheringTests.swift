import Foundation
import MnemeBase
import MnemeBench
import MnemeModels
import Testing

@Suite struct AdapterGatheringTests {
    /// Adapters of a small model's gates, and the model's shape.
    private static func parts(_ count: Int) throws -> (adapters: [Adapter], shape: DecoderConfiguration) {
        let folder = NSTemporaryDirectory() + "mneme-gather-model-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try RandomDecoder().write(to: folder)
        let adapters = (0..<count).map { seed in
            var generator = SplitMix64(seed: UInt64(seed))
            func numbers(_ count: Int) -> [Float] { (0..<count).map { _ in Float(generator.unit() - 0.5) } }
            return Adapter([
                Adapter.Place(0, .gate): Adapter.Term(rank: 2, scale: 0.5, a: numbers(2 * 64), b: numbers(160 * 2))
            ])
        }
        return (adapters, try ModelSource(path: folder).configuration())
    }

    /// scale·B·A.
    private static func product(_ adapter: Adapter) throws -> [Double] {
        let term = try #require(adapter.terms[Adapter.Place(0, .gate)])
        return (0..<160 * 64).map { at in
            (0..<term.rank).reduce(0.0) {
                $0 + Double(term.scale) * Double(term.b[at / 64 * term.rank + $1]) * Double(term.a[$1 * 64 + at % 64])
            }
        }
    }

    private static func withFolder(_ body: (String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "mneme-gather-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    @Test(arguments: [(2, 2), (5, 2), (7, 3), (8, 2), (9, 3), (4, 10)])
    func `what is gathered is the mean of all, whoever comes last`(count: Int, group: Int) throws {
        let (adapters, shape) = try Self.parts(count)
        try Self.withFolder { folder in
            var last: AdapterGathering.Progress?
            for (i, adapter) in adapters.enumerated() {
                // A value of its own each time, as processes have.
                let gathering = try AdapterGathering(folder, expected: count, group: group)
                last = try gathering.put(adapter, weight: Double(i + 1), base: ("base", shape))
                #expect(last?.come == i + 1 && last?.isDone == (i + 1 == count))
                #expect(gathering.mean.holdsAdapter == (i + 1 == count))
            }
            let mean = try AdapterGathering(folder, expected: count, group: group).mean.read(for: shape)
            let flat = try Adapter.mean(of: adapters.enumerated().map { ($1, Double($0 + 1)) })
            #expect(zip(try Self.product(mean), try Self.product(flat)).allSatisfy { abs($0 - $1) < 1e-6 })
            #expect(mean.parameters == flat.parameters)
            #expect(last?.weight == Double(count * (count + 1) / 2))
            // Nothing but the mean is left, and each weight was written and read once a level at most.
            let left = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.contains("-") }
            #expect(left.isEmpty)
            let one = 4 * adapters[0].parameters
            let copied = try #require(last?.copiedBytes)
            #expect(copied >= one * (2 * count - 1))
            #expect(copied < 6 * one * count + 4096 * count)
        }
    }

    @Test func `what does not belong is refused, and nothing is lost by it`() throws {
        let (adapters, shape) = try Self.parts(2)
        #expect(throws: AdapterError.self) { try AdapterGathering("x", expected: 1, group: 2) }
        try Self.withFolder { folder in
            let gathering = try AdapterGathering(folder, expected: 2, group: 2)
            #expect(throws: AdapterError.self) { try gathering.put(adapters[0], weight: 0, base: ("b", shape)) }
            _ = try gathering.put(adapters[0], weight: 1, base: ("b", shape))
            let other = try AdapterGathering(folder, expected: 3, group: 2)
            #expect(throws: AdapterError.self) { try other.put(adapters[1], weight: 1, base: ("b", shape)) }
            #expect(try gathering.put(adapters[1], weight: 1, base: ("b", shape)).isDone)
            #expect(throws: AdapterError.self) { try gathering.put(adapters[1], weight: 1, base: ("b", shape)) }
            #expect(gathering.mean.holdsAdapter)
        }
    }
}
