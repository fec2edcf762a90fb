import MnemeBase
import NIOConcurrencyHelpers

/// An embedder that makes each vector once and keeps it: for measurements that store the same texts
/// again and again.
final class RememberedEmbedder: TextEmbedder {
    /// Makes the vectors.
    private let base: any TextEmbedder
    /// Vectors by role and text.
    private let known = NIOLockedValueBox<[Key: [Float]]>([:])

    private struct Key: Hashable { var isQuery: Bool, text: String }

    /// Keeps what `base` makes.
    init(_ base: any TextEmbedder) { self.base = base }

    var identifier: String { base.identifier }
    var dimension: Int { base.dimension }
    var maximumTokens: Int { base.maximumTokens }
    func tokenCount(_ text: String) -> Int { base.tokenCount(text) }

    func embed(_ texts: [String]) throws -> Embeddings { try embed(texts, as: .document) }

    func embed(_ texts: [String], as role: TextRole) throws -> Embeddings {
        let keys = texts.map { Key(isQuery: role == .query, text: $0) }
        let missing = known.withLockedValue { known in
            Array(Set(keys.filter { known[$0] == nil }.map(\.text)))
        }
        if !missing.isEmpty {
            let made = try base.embed(missing, as: role)
            known.withLockedValue { known in
                for (i, text) in missing.enumerated() {
                    known[Key(isQuery: role == .query, text: text)] = made[i]
                }
            }
        }
        return Embeddings(
            dimension: dimension,
            values: known.withLockedValue { known in keys.flatMap { known[$0] ?? [] } })
    }
}
