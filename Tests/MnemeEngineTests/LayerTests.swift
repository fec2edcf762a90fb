import Foundation
import MnemeBase
import MnemeModels
import MnemeNumerics
import Testing

/// Additions to the forward pass: low-rank terms of linear maps, and hooks behind layers.
@Suite struct LayerTests {
    typealias Tiny = DecoderTests.Tiny
    static let models = DecoderTests.models

    // MARK: Low-rank terms

    /// scale·B·A for each linear map of a tiny model, with the same values each time.
    struct Terms {
        static let rank = 3, scale: Float = 0.5
        let configuration: DecoderConfiguration

        func factors(_ layer: Int, _ linear: LayerLinear) -> (a: [Float], b: [Float]) {
            let (outputs, inputs) = configuration.size(of: linear)
            var random = SplitMix64(
                seed: UInt64(layer * 16 + LayerLinear.allCases.firstIndex(of: linear)!))
            func values(_ count: Int) -> [Float] {
                (0..<count).map { _ in Float(random.unit() * 0.2 - 0.1) }
            }
            return (values(Self.rank * inputs), values(outputs * Self.rank))
        }

        /// The adapter of all of them.
        var adapter: Adapter {
            var terms: [Adapter.Place: Adapter.Term] = [:]
            for layer in 0..<configuration.layers {
                for linear in LayerLinear.allCases {
                    let (a, b) = factors(layer, linear)
                    terms[Adapter.Place(layer, linear)] = Adapter.Term(
                        rank: Self.rank, scale: Self.scale, a: a, b: b)
                }
            }
            return Adapter(terms)
        }

        /// Where a map's rows lie in the model's folder: in a tensor of its own, or in one of
        /// several maps.
        private func places(_ linear: LayerLinear) -> [(tensor: String, row: Int)] {
            let queries = configuration.heads * configuration.headDimension
            return switch linear {
            case .query: [("self_attn.q_proj", 0), ("self_attn.qkv_proj", 0)]
            case .key: [("self_attn.k_proj", 0), ("self_attn.qkv_proj", queries)]
            case .value:
                [("self_attn.v_proj", 0), ("self_attn.qkv_proj", queries + configuration.kvSize)]
            case .attentionOutput: [("self_attn.o_proj", 0)]
            case .gate: [("mlp.gate_proj", 0), ("mlp.gate_up_proj", 0)]
            case .up: [("mlp.up_proj", 0), ("mlp.gate_up_proj", configuration.intermediateSize)]
            case .down: [("mlp.down_proj", 0)]
            }
        }

        /// Adds the dense products to a tensor of the folder; returns how many.
        func add(to name: String, _ values: inout [Float]) -> Int {
            var count = 0
            for layer in 0..<configuration.layers {
                for linear in LayerLinear.allCases {
                    for place in places(linear)
                    where name.hasSuffix("layers.\(layer).\(place.tensor).weight") {
                        let (a, b) = factors(layer, linear)
                        let (outputs, inputs) = configuration.size(of: linear)
                        for row in 0..<outputs {
                            for column in 0..<inputs {
                                let sum = (0..<Self.rank).reduce(Float(0)) {
                                    $0 + b[row * Self.rank + $1] * a[$1 * inputs + column]
                                }
                                values[(place.row + row) * inputs + column] += Self.scale * sum
                            }
                        }
                        count += 1
                    }
                }
            }
            return count
        }
    }

    private static func decoder(_ path: String, _ model: Tiny) throws -> TransformerDecoder {
        try TransformerDecoder(
            ModelFolder(path: path, context: model.context), stepTokens: 128, stepLogits: 128)
    }

    @Test(arguments: models)
    func `a low-rank term gives what the dense sum of both matrices gives`(model: Tiny) throws {
        let path = try DecoderTests.folder(model)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let plain = try Self.decoder(path, model)
        let terms = Terms(configuration: plain.configuration)
        let adapter = try plain.bind(terms.adapter)
        var added = 0
        let mergedPath = try DecoderTests.folder(model) { added += terms.add(to: $0, &$1) }
        defer { try? FileManager.default.removeItem(atPath: mergedPath) }
        #expect(added == plain.configuration.layers * LayerLinear.allCases.count)
        let merged = try Self.decoder(mergedPath, model)
        let tokens = Array(model.tokens.prefix(40))
        func logits(_ decoder: TransformerDecoder, _ adapter: DecoderAdapter? = nil) -> [[Float]] {
            decoder.logits(
                tokens, at: 0, in: Cache(decoder.configuration, positions: 40), rows: 40,
                adapter: adapter)
        }
        let (before, low, dense) = (logits(plain), logits(plain, adapter), logits(merged))
        func worst(_ a: [[Float]], _ b: [[Float]]) -> Float {
            zip(a.joined(), b.joined()).map { abs($0 - $1) }.max() ?? .infinity
        }
        let difference = worst(low, dense)
        let effect = worst(low, before)
        #expect(difference < 1e-3, "\(difference) from the dense product")
        #expect(effect > 20 * difference, "the term changes logits by \(effect) only")

        // The same bits in chunks and token by token.
        let cache = Cache(plain.configuration, positions: 40)
        var position = 0
        for size in [1, 7, 1, 31] {
            let rows = plain.logits(
                Array(tokens[position..<position + size]), at: position, in: cache, rows: size,
                adapter: adapter)
            #expect(rows == Array(low[position..<position + size]), "chunk at \(position)")
            position += size
        }
    }

    // MARK: Hooks

    /// Hidden states by layer and token.
    private final class Recorder: @unchecked Sendable {
        // Sendable: all access holds the lock.
        private let lock = NSLock()
        private var states: [[Int: [Float]]]
        private var repeated = 0

        init(layers: Int) { states = [[Int: [Float]]](repeating: [:], count: layers) }

        var hook: LayerHook {
            LayerHook { [self] states in
                lock.withLock {
                    for row in states.rows {
                        let token = states.token(row: row)
                        if self.states[states.layer].updateValue(Array(states[row]), forKey: token)
                            != nil
                        {
                            repeated += 1
                        }
                    }
                }
            }
        }

        func tokens(layer: Int) -> Set<Int> { lock.withLock { Set(states[layer].keys) } }
        func state(layer: Int, token: Int) -> [Float] {
            lock.withLock { states[layer][token] ?? [] }
        }
        var hasRepetitions: Bool { lock.withLock { repeated > 0 } }
    }

    @Test(arguments: models)
    func `a hook sees the output of each layer, and changes nothing by looking`(model: Tiny) throws {
        let path = try DecoderTests.folder(model)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let decoder = try Self.decoder(path, model)
        let c = decoder.configuration
        let tokens = Array(model.tokens.prefix(24))
        let others = Array(tokens.reversed())
        func logits(_ tokens: [Int32], rows: Int, hook: LayerHook? = nil) -> [[Float]] {
            decoder.logits(tokens, at: 0, in: Cache(c, positions: 24), rows: rows, hook: hook)
        }
        let expected = logits(tokens, rows: 24)
        let recorder = Recorder(layers: c.layers)
        #expect(logits(tokens, rows: 24, hook: recorder.hook) == expected)
        #expect(!recorder.hasRepetitions)
        #expect(logits(others, rows: 24) != expected)
        for layer in 0..<c.layers {
            #expect(recorder.tokens(layer: layer) == Set(0..<24))
            // Other tokens whose states are exchanged for these behind a layer end in the logits of
            // these.
            let exchange = LayerHook { states in
                guard states.layer == layer else { return }
                for row in states.rows {
                    for (i, value) in recorder.state(layer: layer, token: states.token(row: row))
                        .enumerated()
                    {
                        states[row][i] = value
                    }
                }
            }
            #expect(logits(others, rows: 24, hook: exchange) == expected, "layer \(layer)")
        }

        // Behind the last layer only tokens that get logits are left, and keep their numbers.
        let few = Recorder(layers: c.layers)
        #expect(logits(tokens, rows: 3, hook: few.hook) == Array(expected.suffix(3)))
        #expect(few.tokens(layer: 0) == Set(0..<24))
        #expect(few.tokens(layer: c.layers - 1) == [21, 22, 23])
        for token in 21..<24 {
            #expect(
                few.state(layer: c.layers - 1, token: token)
                    == recorder.state(layer: c.layers - 1, token: token))
        }
    }
}
