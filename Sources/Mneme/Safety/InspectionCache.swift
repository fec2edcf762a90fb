import Foundation
import MnemeIndex
import MnemeStore
import NIOConcurrencyHelpers

/// A cache of what ``InjectionGuard`` found in recalled memories: recall inspects each memory that
/// it hands out, and a fifth of its time went into inspecting the same ones again.
///
/// Holds identities and findings, and of some the words that they imply. Eviction is by two generations: a hit moves the finding
/// to the younger one, and when that is full the older one is dropped, which approximates LRU
/// without a list. Safe for use from several threads; a finding that two threads miss at once is
/// computed twice.
final class InspectionCache: Sendable {
    /// A version of a memory: a changed text is another version, so that nothing is ever
    /// invalidated. Its time tells it from one of the same number that a fail-over lost.
    private struct Key: Hashable {
        var id: CubeID, version: Int, time: Date
        init(_ cube: MemCube) { (id, version, time) = (cube.id, cube.version, cube.updatedTime) }
    }
    /// Signals and score, as ``InjectionGuard/inspect(_:)`` returns them.
    private typealias Finding = (signals: Set<GuardSignal>, score: Double)
    /// Findings of one generation; the cache holds twice as many at most.
    private static let capacity = 16_384
    /// The younger generation, which is written, and the older, which is only read.
    private let generations = NIOLockedValueBox<(young: [Key: Finding], old: [Key: Finding])>(
        ([:], [:]))

    /// Implications of one generation: they hold words, and take some kilobytes each.
    private static let implicationCapacity = 2_048
    /// As ``generations``.
    private let implications = NIOLockedValueBox<(young: [Key: Implication], old: [Key: Implication])>(
        ([:], [:]))

    /// What a cube's text implies.
    func implication(of cube: MemCube, _ analyzer: TextAnalyzer) -> Implication {
        let key = Key(cube)
        let known = implications.withLockedValue { $0.young[key] ?? $0.old[key] }
        let implication = known ?? Implication(cube, analyzer: analyzer)
        implications.withLockedValue { implications in
            if implications.young.count == Self.implicationCapacity {
                implications = ([:], implications.young)
            }
            implications.young[key] = implication
        }
        return implication
    }

    /// The signs of a cube's text.
    func inspect(_ cube: MemCube) -> (signals: Set<GuardSignal>, score: Double) {
        let key = Key(cube)
        let known = generations.withLockedValue { $0.young[key] ?? $0.old[key] }
        let finding = known ?? InjectionGuard.inspect(cube.text)
        generations.withLockedValue { generations in
            if generations.young.count == Self.capacity { generations = ([:], generations.young) }
            generations.young[key] = finding
        }
        return finding
    }
}
