import Foundation
import MnemeEngine
import MnemeModels
import Testing

/// Golden values made by `scripts/make_golden_llm.py`.
enum Golden {
    static func read<T: Decodable>(_ type: T.Type, _ name: String) throws -> T {
        let url = try #require(
            Bundle.module.url(forResource: "Golden/\(name)", withExtension: "json"))
        return try JSONDecoder().decode(type, from: Data(contentsOf: url))
    }

    static func bytes(_ base64: String) -> [UInt8] { Array(Data(base64Encoded: base64) ?? Data()) }

    static func floats(_ base64: String) -> [Float] {
        bytes(base64).withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map {
                bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self)
            }
        }
    }
}

/// The real model, which `make language-model` fetches; tests that need it are skipped without it.
enum RealModel {
    static let path: String? = {
        let home =
            ProcessInfo.processInfo.environment["MNEME_HOME"] ?? NSHomeDirectory() + "/.mneme"
        let folder = home + "/models/smollm2"
        return (try? FileManager.default.contentsOfDirectory(atPath: folder))?.first {
            $0.hasSuffix(".gguf")
        }.map {
            folder + "/" + $0
        }
    }()
    static let loaded = Result { try LanguageModel(path: path ?? "", stepTokens: 256) }
    static var isThere: Bool { path != nil }
}

/// Memory for one sequence.
final class Cache {
    let view: KVView
    private let memory: UnsafeMutablePointer<UInt16>

    init(_ c: DecoderConfiguration, positions: Int) {
        let blocks = (positions + KVView.blockTokens - 1) / KVView.blockTokens
        let side = KVView.blockTokens * c.kvSize
        let elements = 2 * c.layers * blocks * side
        memory = .allocate(capacity: elements)
        memory.initialize(repeating: 0, count: elements)
        view = KVView(
            keys: memory, values: memory + side, layerStride: 2 * side * blocks,
            blockStride: 2 * side,
            capacity: positions)
    }

    deinit { memory.deallocate() }
}

extension TransformerDecoder {
    /// Logits of the last `rows` of `tokens`, which stand at `position`.
    func logits(
        _ tokens: [Int32], at position: Int, in cache: Cache, rows: Int, hook: LayerHook? = nil,
        adapter: DecoderAdapter? = nil
    ) -> [[Float]] {
        let size = configuration.vocabularySize
        var out = [Float](repeating: 0, count: rows * size)
        var segment = DecoderSegment(
            tokens: 0..<tokens.count, position: position, view: cache.view, logits: rows)
        segment.adapter = adapter
        tokens.withUnsafeBufferPointer { tokens in
            withUnsafePointer(to: segment) { segment in
                out.withUnsafeMutableBufferPointer {
                    step(
                        tokens: tokens, segments: UnsafeBufferPointer(start: segment, count: 1),
                        logits: $0.baseAddress!, hook: hook)
                }
            }
        }
        return (0..<rows).map { Array(out[$0 * size..<($0 + 1) * size]) }
    }
}
