import Dispatch
import Foundation
import MnemeNumerics

/// Weights by layers: a window of two layers holds what is computed and, read meanwhile, what comes
/// next (Horizon-LM 2026) [0]. Their file's pages are given back at once, so that the memory for
/// weights is that of two layers, whatever the depth.
final class StreamedWeights: WeightPlacement, @unchecked Sendable {
    // Sendable: only the caller reads and writes `current` and `pending`; the queue writes to the
    // slot that is pending, which the caller reads once the group is done.
    private let layers: [FrozenLayer]
    private let window: [AlignedBuffer<UInt8>]
    private let queue = DispatchQueue(label: "mneme.train.weights", qos: .userInitiated)
    private let reading = DispatchGroup()
    /// A layer, and its slot of the window.
    private var current = (layer: -1, slot: 0)
    private var pending: (layer: Int, slot: Int)?

    init(_ layers: [FrozenLayer], _ arena: TrainingArena) {
        self.layers = layers
        let largest = layers.map(Self.bytes).max() ?? 0
        window = (0..<2).map { _ in arena.make(UInt8.self, largest, .weights) }
    }

    /// Matrices lie at multiples of 64 bytes.
    private static func bytes(_ layer: FrozenLayer) -> Int {
        layer.linears.reduce(0) { $0 + padded($1.weights.byteCount, 64) }
    }

    func layer(_ index: Int, next: Int?) -> FrozenLayer {
        if current.layer != index {
            if pending != nil { reading.wait() }
            if let pending, pending.layer == index {
                current = pending
            } else {
                current = (index, 1 - current.slot)
                read(index, into: current.slot)
            }
            pending = nil
        }
        if let next, next != index, pending == nil {
            let slot = 1 - current.slot
            pending = (next, slot)
            reading.enter()
            queue.async {
                self.read(next, into: slot)
                self.reading.leave()
            }
        }
        return placed(index, current.slot)
    }

    deinit { reading.wait() }

    private func read(_ index: Int, into slot: Int) {
        var to = UnsafeMutableRawPointer(window[slot].pointer)
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        for linear in layers[index].linears {
            let (from, bytes) = (linear.weights.source, linear.weights.byteCount)
            to.copyMemory(from: from, byteCount: bytes)
            to += padded(bytes, 64)
            // Whole pages alone: others may hold a neighbour's numbers.
            let begin = padded(Int(bitPattern: from), page)
            let end = (Int(bitPattern: from) + bytes) / page * page
            if begin < end { madvise(UnsafeMutableRawPointer(bitPattern: begin), end - begin, MADV_DONTNEED) }
        }
    }

    /// The layer with its matrices where the window has them.
    private func placed(_ index: Int, _ slot: Int) -> FrozenLayer {
        var at = UnsafeRawPointer(window[slot].pointer)
        let layer = layers[index]
        let linears = layer.linears.map { linear in
            defer { at += padded(linear.weights.byteCount, 64) }
            return FrozenLinear(
                name: linear.name, weights: linear.weights.moved(to: at), bias: linear.bias)
        }
        return FrozenLayer(
            attentionNorm: layer.attentionNorm, feedForwardNorm: layer.feedForwardNorm,
            linears: linears)
    }
}
