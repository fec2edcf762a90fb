/// Where the frozen layers' weights are while a layer is computed.
protocol WeightPlacement: AnyObject {
    /// A layer's weights, in memory until those of another layer are asked for.
    ///
    /// - Parameter next: the layer that will be asked for behind it; nil if that is not known.
    func layer(_ index: Int, next: Int?) -> FrozenLayer
}

/// In their file's pages: the system keeps what it has room for.
final class MappedWeights: WeightPlacement {
    private let layers: [FrozenLayer]

    init(_ layers: [FrozenLayer]) { self.layers = layers }

    func layer(_ index: Int, next: Int?) -> FrozenLayer { layers[index] }
}

/// The placements, by the names that commands use.
public enum BasePlacement: String, Sendable, Codable, CaseIterable {
    /// In their file's pages.
    case mapped
    /// Two layers at a time, the next one read while one is computed.
    case streamed

    /// All names, as a sentence has them.
    public static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    func make(_ layers: [FrozenLayer], _ arena: TrainingArena) -> any WeightPlacement {
        switch self {
        case .mapped: MappedWeights(layers)
        case .streamed: StreamedWeights(layers, arena)
        }
    }
}
