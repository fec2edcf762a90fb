import CMnemeKernels
import Foundation
import MnemeModels
import MnemeNumerics

/// Attention over sequences whose tokens lie on several ranks, each of which has a part of every sequence
/// (BurstAttention, Sun et al. 2024) [157].
///
/// Forward, keys and values go from rank to rank, and what a rank's queries find in each part is merged by the
/// logarithms of the parts' sums. Backward, what goes around are queries, gradients of outputs, and two numbers a
/// row, as the paper has it: three rows of queries in place of the four of keys, values and their gradients that
/// plain ring attention sends. Within a part it is the trainer's tiled attention. Since a token sees those before
/// it, keys go to higher ranks only, and queries to lower ones; nothing goes round the whole ring.
final class RingAttention {
    private let mesh: RankMesh
    private let c: DecoderConfiguration
    /// Notes what fails in a pass, which cannot throw.
    private let attempt: (() throws -> Void) -> Void
    /// What goes from rank to rank: the part that is here, and the one that comes.
    private var held: [Float] = [], coming: [Float] = []
    /// What queries find in a part, and the logarithms of its sums; or their gradient of a part.
    private var partial: [Float] = [], partialSums: [Float] = []
    /// Each row's Σ dout·out, a run for each head.
    private var delta: [Float] = []

    init(_ mesh: RankMesh, _ c: DecoderConfiguration, attempt: @escaping (() throws -> Void) -> Void) {
        (self.mesh, self.c, self.attempt) = (mesh, c, attempt)
    }

    private var queries: Int { c.heads * c.headDimension }

    // MARK: Forward

    /// Merges what the queries of this rank find in the parts of lower ranks into what they found in their own.
    func attend(_ pass: LayerPass, _ v: LayerValues, _ parts: SequenceParts) {
        let rows = pass.rows
        let stride = padded(rows, 32)
        grow(&partial, rows * queries)
        grow(&partialSums, c.heads * stride)
        grow(&held, 2 * rows * c.kvSize)
        held.withUnsafeMutableBufferPointer {
            guard let to = $0.baseAddress, rows > 0 else { return }
            to.update(from: v[.key].pointer, count: rows * c.kvSize)
            (to + rows * c.kvSize).update(from: v[.value].pointer, count: rows * c.kvSize)
        }
        for step in 1..<max(1, mesh.count) {
            // Going up: what is here came from `step - 1` ranks below.
            let (here, next) = (mesh.rank - step + 1, mesh.rank - step)
            let sends = here >= 0 && mesh.rank + 1 < mesh.count
            move(
                sends ? 2 * parts.rows(here) * c.kvSize : 0, to: mesh.rank + 1,
                and: next >= 0 ? 2 * parts.rows(next) * c.kvSize : 0, from: mesh.rank - 1)
            guard next >= 0 else { continue }
            swap(&held, &coming)
            attend(pass, v, parts, to: next)
            merge(pass, v)
        }
    }

    /// What this rank's queries find in another's part, which is here.
    private func attend(_ pass: LayerPass, _ v: LayerValues, _ parts: SequenceParts, to other: Int) {
        let (dimension, stride) = (c.headDimension, padded(pass.rows, 32))
        let theirs = parts.rows(other)
        // Rows that see nothing there add nothing.
        for i in partialSums.indices { partialSums[i] = -.infinity }
        held.withUnsafeBufferPointer { held in
            partial.withUnsafeMutableBufferPointer { partial in
                partialSums.withUnsafeMutableBufferPointer { sums in
                    guard let held = held.baseAddress, let out = partial.baseAddress, let lse = sums.baseAddress
                    else { return }
                    pass.eachUnit { unit, head, scratch in
                        let (mine, keys) = (pass.batch.sequences[unit], parts.place(unit, on: other))
                        guard !mine.isEmpty, !keys.isEmpty else { return }
                        let at = mine.lowerBound * queries + head * dimension
                        let kv = keys.lowerBound * c.kvSize + head / (c.heads / c.kvHeads) * dimension
                        var a = attention(v[.query].pointer + at, mine.count, held + kv, held + theirs * c.kvSize + kv)
                        a.keys = keys.count
                        a.out = out + at
                        a.lse = lse + head * stride + mine.lowerBound
                        mnk_training_attend(pass.kernels.features, &a, scratch)
                    }
                }
            }
        }
    }

    /// Outputs of two parts by the logarithms of their sums.
    private func merge(_ pass: LayerPass, _ v: LayerValues) {
        let (dimension, stride) = (c.headDimension, padded(pass.rows, 32))
        partial.withUnsafeBufferPointer { partial in
            partialSums.withUnsafeBufferPointer { sums in
                pass.kernels.share(pass.rows) { mine in
                    for row in mine {
                        for head in 0..<c.heads {
                            let (own, other) = (v[.lse].pointer + head * stride + row, sums[head * stride + row])
                            guard other > -.infinity else { continue }
                            let highest = max(own.pointee, other)
                            let sum = highest + log(exp(own.pointee - highest) + exp(other - highest))
                            let (a, b) = (exp(own.pointee - sum), exp(other - sum))
                            let at = row * queries + head * dimension
                            let out = v[.attended].pointer + at
                            for i in 0..<dimension { out[i] = a * out[i] + b * partial[at + i] }
                            own.pointee = sum
                        }
                    }
                }
            }
        }
    }

    // MARK: Backward

    /// Adds to the gradients of this rank's own part what the parts of others have to do with it: of keys and
    /// values by the queries of higher ranks, of queries by the keys of lower ones.
    func attendBackward(_ pass: LayerPass, _ v: LayerValues, _ parts: SequenceParts) {
        let w = pass.workspace
        let rows = pass.rows
        fill(pass, v)
        // Going down: first comes the part of the rank above.
        let count = mesh.count
        func floats(_ rank: Int) -> Int { rank < count ? parts.rows(rank) * (2 * queries + 2 * c.heads) : 0 }
        move(
            mesh.rank > 0 ? floats(mesh.rank) : 0, to: mesh.rank - 1, and: floats(mesh.rank + 1),
            from: mesh.rank + 1)
        for step in 1..<max(1, count) {
            let (other, next, from) = (mesh.rank + step, mesh.rank + step + 1, mesh.rank - step)
            let isHere = other < count
            if isHere {
                swap(&held, &coming)
                gradient(pass, v, parts, of: other)
            }
            grow(&coming, max(floats(next), 1))
            attempt {
                try held.withUnsafeBytes { held in
                    try partial.withUnsafeBytes { partial in
                        let none = UnsafeRawBufferPointer(start: nil, count: 0)
                        try mesh.exchange(
                            { to in
                                guard isHere else { return none }
                                if to == other {
                                    let bytes = 4 * parts.rows(other) * queries
                                    return UnsafeRawBufferPointer(rebasing: partial[..<bytes])
                                }
                                return to == mesh.rank - 1
                                    ? UnsafeRawBufferPointer(rebasing: held[..<(4 * floats(other))]) : none
                            },
                            bytes: { sender in
                                sender == from ? 4 * rows * queries : sender == mesh.rank + 1 ? 4 * floats(next) : 0
                            }
                        ) { sender, found in
                            if sender == from {
                                let gradient = found.bindMemory(to: Float.self)
                                for i in gradient.indices { w.queryGradient.pointer[i] += gradient[i] }
                            } else {
                                coming.withUnsafeMutableBytes { $0.copyMemory(from: found) }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Puts this rank's queries, gradients of outputs, logarithms of sums and Σ dout·out one behind the other.
    private func fill(_ pass: LayerPass, _ v: LayerValues) {
        let (rows, dimension, stride) = (pass.rows, c.headDimension, padded(pass.rows, 32))
        grow(&held, max(1, rows * (2 * queries + 2 * c.heads)))
        let dout = pass.workspace.attendedGradient.pointer
        held.withUnsafeMutableBufferPointer {
            guard let to = $0.baseAddress else { return }
            to.update(from: v[.query].pointer, count: rows * queries)
            (to + rows * queries).update(from: dout, count: rows * queries)
            let sums = to + 2 * rows * queries
            for head in 0..<c.heads {
                for row in 0..<rows {
                    let at = row * queries + head * dimension
                    sums[head * rows + row] = v[.lse].pointer[head * stride + row]
                    sums[(c.heads + head) * rows + row] = mnk_dot_f32(
                        pass.kernels.features, dout + at, v[.attended].pointer + at, dimension)
                }
            }
        }
    }

    /// The gradient that another rank's queries, which are here, have by this rank's keys and values, into the
    /// partial one; and the gradients of these by them, which are added.
    private func gradient(_ pass: LayerPass, _ v: LayerValues, _ parts: SequenceParts, of other: Int) {
        let (dimension, rows) = (c.headDimension, parts.rows(other))
        let w = pass.workspace
        grow(&partial, max(1, rows * queries))
        for i in 0..<rows * queries { partial[i] = 0 }
        held.withUnsafeMutableBufferPointer { held in
            partial.withUnsafeMutableBufferPointer { partial in
                guard let q = held.baseAddress, let dq = partial.baseAddress else { return }
                let sums = q + 2 * rows * queries
                pass.eachUnit { unit, head, scratch in
                    let (theirs, keys) = (parts.place(unit, on: other), pass.batch.sequences[unit])
                    guard !theirs.isEmpty, !keys.isEmpty else { return }
                    let at = theirs.lowerBound * queries + head * dimension
                    let kv = keys.lowerBound * c.kvSize + head / (c.heads / c.kvHeads) * dimension
                    let to = keys.lowerBound * queries + head * dimension
                    var a = attention(q + at, theirs.count, v[.key].pointer + kv, v[.value].pointer + kv)
                    (a.keys, a.adds) = (keys.count, 1)
                    a.lse = sums + head * rows + theirs.lowerBound
                    a.delta = UnsafePointer(sums + (c.heads + head) * rows + theirs.lowerBound)
                    mnk_training_attend_backward(
                        pass.kernels.features, &a, q + rows * queries + at, dq + at, w.keyHeads.pointer + to,
                        w.valueHeads.pointer + to, queries, scratch)
                }
            }
        }
    }

    // MARK: Parts on their way

    /// A head's queries, keys and values, at the trainer's strides.
    private func attention(
        _ q: UnsafePointer<Float>, _ tokens: Int, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>
    ) -> mnk_training_attention {
        var a = mnk_training_attention()
        (a.q, a.ldq, a.k, a.v, a.ldk) = (q, queries, k, v, c.kvSize)
        (a.tokens, a.dim, a.ldo) = (tokens, c.headDimension, queries)
        a.scale = c.attentionScale ?? 1 / Float(c.headDimension).squareRoot()
        return a
    }

    /// Sends floats of what is held to one rank, and takes what comes from another.
    private func move(_ count: Int, to: Int, and floats: Int, from: Int) {
        grow(&coming, max(1, floats))
        attempt {
            try held.withUnsafeBytes { held in
                let none = UnsafeRawBufferPointer(start: nil, count: 0)
                try mesh.exchange(
                    { $0 == to && count > 0 ? UnsafeRawBufferPointer(rebasing: held[..<(4 * count)]) : none },
                    bytes: { $0 == from ? 4 * floats : 0 }
                ) { _, found in coming.withUnsafeMutableBytes { $0.copyMemory(from: found) } }
            }
        }
    }

    private func grow(_ buffer: inout [Float], _ count: Int) {
        if buffer.count < count { buffer = Array(repeating: 0, count: count) }
    }
}
