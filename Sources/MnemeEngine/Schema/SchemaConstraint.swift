import MnemeModels
import NIOConcurrencyHelpers

/// Holds an answer to a schema: says which tokens may come next.
package struct SchemaConstraint: Sendable {
    private let vocabulary: SchemaVocabulary
    private let masks: SchemaMasks
    private var matcher: JSONMatcher

    /// A constraint at the beginning of an answer.
    package init(_ schema: JSONSchema, _ vocabulary: SchemaVocabulary) {
        self.vocabulary = vocabulary
        masks = vocabulary.masks(of: schema)
        matcher = JSONMatcher(masks.schema)
    }

    /// A bit for each token: set if the token may come next. All clear if the vocabulary cannot go
    /// on.
    package mutating func allowed() -> [UInt64] { masks.mask(at: matcher.configuration) }

    package var bytesToEnd: Int? { matcher.bytesToEnd }
    package var shortestEnd: [UInt8]? { matcher.shortestEnd }

    /// Takes a token that was allowed.
    package mutating func advance(_ token: Int32) {
        if !vocabulary.tokenizer.endTokens.contains(token) {
            _ = matcher.advance(vocabulary.tokenizer.bytes(token))
        }
    }
}

/// The tokens that fit each configuration of a schema's machine, found once and kept for later
/// answers.
final class SchemaMasks: Sendable {
    /// The schema whose machine they belong to.
    let schema: JSONSchema
    /// The vocabulary's tokens, walked once for each new configuration.
    private let tokens: TokenSets
    /// Tokens that end an answer, allowed where the text is complete.
    private let endTokens: Set<Int32>
    /// Masks by configuration. When ``maximumKnown`` are kept, all are dropped: the ones still
    /// needed are soon computed again.
    private let known = NIOLockedValueBox<[Int32: [UInt64]]>([:])

    /// Masks that are kept.
    private static let maximumKnown = 2048
    /// Configurations of one machine, after which later answers begin with a new one.
    private static let maximumConfigurations = 50_000

    init(_ schema: JSONSchema, _ tokens: TokenSets, _ tokenizer: any Tokenizer) {
        self.schema = schema
        self.tokens = tokens
        endTokens = tokenizer.endTokens
    }

    /// True once the machine has met so many configurations that a new one should replace it.
    var isFull: Bool {
        schema.machine.box.withLockedValue { $0.count > Self.maximumConfigurations }
    }

    /// A bit for each token that may come at a configuration.
    func mask(at configuration: Int32) -> [UInt64] {
        if let mask = known.withLockedValue({ $0[configuration] }) { return mask }
        let mask = schema.machine.box.withLockedValue { machine in
            guard configuration >= 0 else { return [UInt64](repeating: 0, count: tokens.all.words) }
            var mask = tokens.mask(&machine, at: configuration)
            if machine.isComplete(configuration) {
                for id in endTokens { mask[Int(id) >> 6] |= 1 << UInt64(id & 63) }
            }
            return mask
        }
        known.withLockedValue { known in
            if known.count == Self.maximumKnown { known = [:] }
            known[configuration] = mask
        }
        return mask
    }
}
