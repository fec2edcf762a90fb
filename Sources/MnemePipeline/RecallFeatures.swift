/// A feature of a memory as an answer to a question. The cases, in their order, are the columns of
/// `bench locomo --features`.
public enum RecallFeature: Int, Sendable, CaseIterable {
    /// BM25 of the memory.
    case words
    /// BM25 of the memory and its neighbours in the conversation.
    case wordsNearby
    /// BM25 of the whole conversation.
    case wordsInSession
    /// Dense similarity (cosine) of the memory.
    case meaning
    /// Dense similarity of the mean over the nearest neighbours in the conversation.
    case meaningNearby
    /// Dense similarity of the mean over more neighbours.
    case meaningAround
    /// 1 if the speaker that the question names said it, −1 if somebody else did.
    case speaker
    /// Weight of the question's words that the memory or a neighbour holds.
    case coverage
    /// Length of the memory, on a logarithmic scale.
    case detail
    /// The question asks when, and the memory holds a time.
    case timeAsked
    /// The question asks for a number, and the memory holds one.
    case numberAsked
    /// The question asks for a name, and the memory holds some.
    case nameAsked
    /// Nearness to the times that the question names.
    case date
    /// Recency, if the question asks for what is so now.
    case latest
    /// Nearness in the graph to the best candidates.
    case related

    /// The feature's name in explanations, and as a column.
    public var name: String { Self.names[rawValue] }

    /// The names of all, in order.
    package static let names = allCases.map { "\($0)" }
}

/// One value for each ``RecallFeature``, 0 where nothing is said.
public struct RecallFeatures: Sendable, Equatable {
    // Sixteen lanes: one is left over.
    private var values: SIMD16<Float>

    /// Features that are all zero.
    public init() { values = .zero }

    /// Features with the given values; all others are zero.
    public init(_ given: [RecallFeature: Float]) {
        self.init()
        for (feature, value) in given { self[feature] = value }
    }

    private init(values: SIMD16<Float>) { self.values = values }

    /// The value of a feature.
    public subscript(feature: RecallFeature) -> Float {
        get { values[feature.rawValue] }
        set { values[feature.rawValue] = newValue }
    }

    /// The sum of all values, added in the order of the cases.
    public var sum: Float { RecallFeature.allCases.reduce(0) { $0 + self[$1] } }

    /// Products, feature by feature.
    public static func * (a: RecallFeatures, b: RecallFeatures) -> RecallFeatures {
        RecallFeatures(values: a.values * b.values)
    }
}
