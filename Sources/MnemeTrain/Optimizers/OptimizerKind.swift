/// The optimizers, by the names that commands use.
public enum OptimizerKind: String, Sendable, Codable, CaseIterable {
    /// Eight bytes of state a parameter.
    case adamw
    /// About two bytes of state a parameter.
    case adamw8bit
    /// GaLore [210]: half of AdamW's state, in the space of the largest singular vectors.
    case galore
    /// 8-bit GaLore [210]: the same with moments in eight bits.
    case galore8bit
    /// Natural GaLore [168]: GaLore with the inverse Fisher matrix of the last gradients.
    case naturalgalore
    /// FRUGAL [169]: AdamW on a quarter of the columns, signs on the others.
    case frugal
    /// APOLLO [202]: a quarter of AdamW's state; one scale a column.
    case apollo
    /// APOLLO-Mini [202]: rank 1; one scale a matrix.
    case apollomini

    /// All names, as a sentence has them.
    public static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    /// A learning rate for it by one for AdamW: GaLore takes a quarter of Adam's steps.
    public var rateFactor: Double {
        switch self {
        case .galore, .galore8bit, .naturalgalore: 4
        default: 1
        }
    }

    package func make(_ matrices: [TrainingMatrix]) -> any TrainingOptimizer {
        switch self {
        case .adamw: AdamW(matrices)
        case .adamw8bit: AdamW8Bit(matrices)
        case .galore: GaLore(matrices)
        case .galore8bit: GaLore8Bit(matrices)
        case .naturalgalore: NaturalGaLore(matrices)
        case .frugal: Frugal(matrices)
        case .apollo: Apollo(matrices)
        case .apollomini: Apollo(matrices, isMini: true)
        }
    }

    package func restore(_ matrices: [TrainingMatrix], state: [UInt8]) -> (any TrainingOptimizer)? {
        switch self {
        case .adamw: AdamW(matrices, state: state)
        case .adamw8bit: AdamW8Bit(matrices, state: state)
        case .galore: GaLore(matrices, state: state)
        case .galore8bit: GaLore8Bit(matrices, state: state)
        case .naturalgalore: NaturalGaLore(matrices, state: state)
        case .frugal: Frugal(matrices, state: state)
        case .apollo: Apollo(matrices, state: state)
        case .apollomini: Apollo(matrices, isMini: true, state: state)
        }
    }
}
