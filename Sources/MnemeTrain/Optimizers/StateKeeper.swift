import MnemeNumerics

/// Owns an optimizer with its state, and makes its steps.
package protocol StateKeeper: AnyObject {
    /// Changes the parameters by their gradients.
    ///
    /// - Throws: `FileError` if the state is in a file that cannot be read or written.
    func step(
        _ values: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, _ size: StepSize) throws
    /// Gives all of the state, for a checkpoint; called between two steps, from any thread.
    var snapshot: @Sendable () throws -> [UInt8] { get }
    /// Bytes of each group's part of a snapshot.
    var sizes: [Int] { get }
    /// Lets go of all groups but one, by its number: other processes have them. None is left where there
    /// is no such group.
    func keep(only group: Int)
    /// Goes on from what a snapshot gave; false if it is none of these parameters.
    func restore(_ state: [UInt8]) throws -> Bool
}

/// All of the state in memory.
final class StateInMemory: StateKeeper {
    private let kind: OptimizerKind
    private var groups: [ParameterGroups.Group]
    private var optimizers: [any TrainingOptimizer]
    private let arena: TrainingArena

    init(_ kind: OptimizerKind, _ all: ParameterGroups, _ arena: TrainingArena) {
        (self.kind, groups, self.arena) = (kind, all.groups, arena)
        optimizers = groups.map { kind.make($0.matrices) }
        arena.add(bytes, .optimizer)
    }

    private var bytes: Int { optimizers.reduce(0) { $0 + $1.stateBytes } }
    var sizes: [Int] { optimizers.map(\.state.count) }

    func keep(only group: Int) {
        arena.add(-bytes, .optimizer)
        let range = groups.indices.contains(group) ? group..<group + 1 : 0..<0
        (groups, optimizers) = (Array(groups[range]), Array(optimizers[range]))
        arena.add(bytes, .optimizer)
    }

    func step(
        _ values: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, _ size: StepSize
    ) {
        for (i, group) in groups.enumerated() {
            optimizers[i].step(
                values + group.start, gradients: gradients + group.start, scale: size.scale,
                rate: size.rate, decay: size.decay)
        }
    }

    /// Keeps a copy of the value; its arrays are copied when a step changes them before it is dropped.
    var snapshot: @Sendable () throws -> [UInt8] {
        let optimizers = optimizers
        return { optimizers.flatMap(\.state) }
    }

    func restore(_ state: [UInt8]) -> Bool {
        var (found, at): ([any TrainingOptimizer], Int) = ([], 0)
        for (group, size) in zip(groups, sizes) {
            guard at + size <= state.count,
                let one = kind.restore(group.matrices, state: Array(state[at..<at + size]))
            else { return false }
            found.append(one)
            at += size
        }
        guard at == state.count else { return false }
        optimizers = found
        return true
    }
}

extension StatePlacement {
    /// - Parameters:
    ///   - groups: parameters whose states are apart.
    ///   - idle: memory that nothing else uses between a step's passes and the next one's.
    /// - Throws: `FileError` if the file cannot be made; class `full` for a full disk.
    func make(
        _ kind: OptimizerKind, _ groups: ParameterGroups, idle: [AlignedBuffer<Float>],
        _ arena: TrainingArena
    ) throws -> any StateKeeper {
        switch self {
        case .memory: StateInMemory(kind, groups, arena)
        case .file: try StateInFile(kind, groups, idle: idle, arena)
        }
    }
}
