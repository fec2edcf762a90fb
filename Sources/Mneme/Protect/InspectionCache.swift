import MnemeStore
import NIOConcurrencyHelpers

/// What ``InjectionGuard`` found in memories that were recalled: a fifth of the time of a recall
/// went into looking at the same ones again.
///
/// Holds no text. Of two generations the older goes when the younger is full. Safe for use from
/// several threads.
final class InspectionCache: Sendable {
    private struct Key: Hashable { var id: CubeID, version: Int }
    private typealias Finding = (signals: Set<GuardSignal>, score: Double)
    private static let capacity = 16_384
    private let generations = NIOLockedValueBox<(young: [Key: Finding], old: [Key: Finding])>(
        ([:], [:]))

    /// The signs of a cube's text.
    func inspect(_ cube: MemCube) -> (signals: Set<GuardSignal>, score: Double) {
        let key = Key(id: cube.id, version: cube.version),
            known = generations.withLockedValue { $0.young[key] ?? $0.old[key] }
        let finding = known ?? InjectionGuard.inspect(cube.text)
        generations.withLockedValue { generations in
            if generations.young.count == Self.capacity { generations = ([:], generations.young) }
            generations.young[key] = finding
        }
        return finding
    }
}
