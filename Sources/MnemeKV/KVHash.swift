import Crypto
import Foundation
import MnemeBase
public import MnemeModels

/// The name of a KV block: a SHA-256 over all that it depends on, the model and every token up to
/// its last.
///
/// Names form a chain, name = SHA-256(name before, tokens), from the model's hash on. So equal
/// names mean equal contents, whoever computed them, and a prompt's blocks are found by hashing it
/// once.
public struct KVHash: Sendable, Hashable, CustomStringConvertible {
    let bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// A hash from 64 hexadecimal digits.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 64, let bytes = Hexadecimal.bytes(text.lowercased()) else {
            return nil
        }
        self.bytes = Array(bytes)
    }

    /// 64 hexadecimal digits.
    public var description: String { Hexadecimal.string(bytes) }

    /// The first link of the chain: what the KV cache depends on besides the tokens, which is
    /// weights, positions, layout, and what the kernels round (the number behind the name). All
    /// processors compute the same bits, so that machines of any kind can share blocks.
    ///
    /// - Parameters:
    ///   - configuration: gives the rotary embeddings that keys were rotated by.
    ///   - codec: how the rows are encoded: other codes are other blocks.
    ///   - weights: names the model's files, see ``ModelIdentity``.
    public static func model(
        _ weights: String, _ configuration: DecoderConfiguration, codec: KVCodec = .f16
    ) -> KVHash {
        let rope = [configuration.rope, configuration.localRope].compactMap { $0 }.map {
            "\($0.frequencies) \($0.magnitude) \($0.interleaved)"
        }
        let text = "mneme-kv 7 \(codec.layout) \(KVShape.blockTokens) \(weights) \(rope)"
        return KVHash(bytes: Array(SHA256.hash(data: Data(text.utf8))))
    }

    /// The first link of a scope's texts: other scopes never lead to its blocks.
    func scoped(_ scope: String) -> KVHash {
        KVHash(bytes: Array(SHA256.hash(data: Data(bytes + Array(("scope " + scope).utf8)))))
    }

    /// The name of the block that follows with these tokens. Complexity: one SHA-256 of 160 bytes.
    func next(_ tokens: some Collection<Int32>) -> KVHash {
        var hash = SHA256()
        hash.update(data: bytes)
        Array(tokens).withUnsafeBytes { hash.update(bufferPointer: $0) }
        return KVHash(bytes: Array(hash.finalize()))
    }
}
