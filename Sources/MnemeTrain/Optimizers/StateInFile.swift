import Dispatch
import MnemeBase
import MnemeNumerics

/// The optimizer's state in a file, a group of parameters in memory while its step is made (ZeRO-Infinity's
/// way, with MemAscend's buffers: Liaw and Chen 2025 [16]).
///
/// Two buffers of a group's exact size hold what is stepped and what is read or written meanwhile. They
/// lie in memory that is idle between a step's passes and the next one's where that is large enough (Deep
/// Optimizer States, Maurya et al. 2024 [181]). So memory for state is that of a group, whatever the depth;
/// values are those of state in memory, to the bit.
final class StateInFile: StateKeeper, @unchecked Sendable {
    // Sendable: between two steps nothing changes the file, which a snapshot reads; in a step the queue
    // has a buffer from a read's or write's beginning to its end.
    private let kind: OptimizerKind
    private var groups: [ParameterGroups.Group]
    private let file: StateFile
    /// A group's place in the file, bytes of its state, and of whole pages.
    private var places: [(offset: Int, state: Int, pages: Int)]
    private let buffers: [PageBuffer]
    private let queue = DispatchQueue(label: "mneme.train.state", qos: .userInitiated)
    private let reading = DispatchSemaphore(value: 0)
    private var failure: (any Error)?

    init(
        _ kind: OptimizerKind, _ all: ParameterGroups, idle: [AlignedBuffer<Float>], _ arena: TrainingArena
    ) throws {
        (self.kind, groups) = (kind, all.groups)
        var (end, largest) = (0, 0)
        let states = groups.map { kind.make($0.matrices).state.count }
        places = states.map { bytes in
            let pages = padded(bytes, StateFile.page)
            defer { (end, largest) = (end + pages, max(largest, bytes)) }
            return (end, bytes, pages)
        }
        file = try StateFile(bytes: end)
        arena.add(end, .swapped)
        // A group's state as numbers, and as bytes on their way back.
        arena.add(2 * largest, .optimizer)
        let large = idle.sorted { $0.count > $1.count }.prefix(2).compactMap {
            PageBuffer(largest, in: $0.pointer, of: 4 * $0.count, $0)
        }
        buffers = large.count == 2 ? large : (0..<2).map { _ in PageBuffer(largest, arena) }
        for (i, group) in groups.enumerated() { try put(kind.make(group.matrices).state, i) }
    }

    func step(
        _ values: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, _ size: StepSize
    ) throws {
        guard !groups.isEmpty else { return }
        read(0)
        for (i, group) in groups.enumerated() {
            reading.wait()
            if let failure = queue.sync(execute: { failure }) { throw failure }
            // The buffer of the group before is free when that is written, for which the queue waits.
            if i + 1 < groups.count { read(i + 1) }
            let bytes = UnsafeRawBufferPointer(start: buffers[i % 2].pointer, count: places[i].state)
            guard var optimizer = kind.restore(group.matrices, state: Array(bytes)) else {
                preconditionFailure("A group's state has the size that its optimizer gave it.")
            }
            optimizer.step(
                values + group.start, gradients: gradients + group.start, scale: size.scale,
                rate: size.rate, decay: size.decay)
            optimizer.state.withUnsafeBytes {
                buffers[i % 2].pointer.copyMemory(from: $0.baseAddress!, byteCount: $0.count)
            }
            let (place, from) = (places[i], buffers[i % 2])
            queue.async { [self] in
                attempt { try file.write(place.offset, place.pages, from: from.pointer) }
            }
        }
        if let failure = queue.sync(execute: { failure }) { throw failure }
    }

    var sizes: [Int] { places.map(\.state) }

    func keep(only group: Int) {
        let range = groups.indices.contains(group) ? group..<group + 1 : 0..<0
        (groups, places) = (Array(groups[range]), Array(places[range]))
    }

    private func read(_ group: Int) {
        let (place, to) = (places[group], buffers[group % 2])
        queue.async { [self] in
            attempt { try file.read(place.offset, place.pages, into: to.pointer) }
            reading.signal()
        }
    }

    /// On the queue: what fails first is kept.
    private func attempt(_ body: () throws -> Void) {
        guard failure == nil else { return }
        do { try body() } catch { failure = error }
    }

    private func put(_ state: [UInt8], _ group: Int) throws {
        state.withUnsafeBytes { buffers[0].pointer.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        try file.write(places[group].offset, places[group].pages, from: buffers[0].pointer)
    }

    var snapshot: @Sendable () throws -> [UInt8] {
        { [self] in
            // Memory of its own: the buffers may lie where the next step's passes compute.
            let pages = UnsafeMutableRawBufferPointer.allocate(
                byteCount: places.map(\.pages).max() ?? 0, alignment: StateFile.page)
            defer { pages.deallocate() }
            var all: [UInt8] = []
            for place in places {
                try file.read(place.offset, place.pages, into: pages.baseAddress!)
                all += pages[..<place.state]
            }
            return all
        }
    }

    func restore(_ state: [UInt8]) throws -> Bool {
        guard state.count == places.reduce(0, { $0 + $1.state }) else { return false }
        var at = 0
        for (i, group) in groups.enumerated() {
            let mine = Array(state[at..<at + places[i].state])
            guard kind.restore(group.matrices, state: mine) != nil else { return false }
            try put(mine, i)
            at += mine.count
        }
        return true
    }
}
