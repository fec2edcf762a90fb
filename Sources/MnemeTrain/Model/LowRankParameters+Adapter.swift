package import MnemeModels
import MnemeNumerics

extension AdapterShape {
    /// The shape of an adapter whose terms all have one rank and one scale.
    ///
    /// - Throws: ``TrainingError`` for others.
    init(of adapter: Adapter) throws {
        guard adapter.procedures == nil, adapter.side == nil else {
            throw TrainingError(
                .invalidSetting,
                "The adapter to start from has procedures as tokens. Add others to it with --route tokens.")
        }
        let scales = Set(adapter.terms.values.map(\.scale))
        guard let scale = scales.first, scales.count == 1,
            adapter.ranks.lowerBound == adapter.ranks.upperBound
        else {
            throw TrainingError(
                .invalidSetting,
                "The adapter to start from has terms of several ranks or scales, which are not trained further.")
        }
        rank = adapter.ranks.lowerBound
        alpha = Double(scale) * Double(rank)
        targets = adapter.linears.map(\.peftName)
        learnsMagnitudes = adapter.hasMagnitudes ? true : nil
    }
}

extension LowRankParameters {
    /// The adapter that has been learned so far.
    package func adapter(_ shape: AdapterShape, _ c: DecoderConfiguration) -> Adapter {
        var terms: [Adapter.Place: Adapter.Term] = [:]
        for slot in slots {
            var b = [Float](repeating: 0, count: slot.outputs * slot.rank)
            for r in 0..<slot.rank {
                for o in 0..<slot.outputs {
                    b[o * slot.rank + r] = values.pointer[slot.b + r * slot.outputs + o]
                }
            }
            var magnitudes = slot.magnitudes.map {
                Array(UnsafeBufferPointer(start: values.pointer + $0, count: slot.outputs))
            }
            if isPaired(slot, c) {
                b = RotaryRows.unpaired(b, dimension: c.headDimension, width: slot.rank)
                magnitudes = magnitudes.map { RotaryRows.unpaired($0, dimension: c.headDimension, width: 1) }
            }
            var term = Adapter.Term(
                rank: slot.rank, scale: shape.scale,
                a: Array(
                    UnsafeBufferPointer(
                        start: values.pointer + slot.a, count: slot.rank * slot.inputs)), b: b)
            term.magnitudes = magnitudes
            terms[Adapter.Place(slot.layer, slot.linear)] = term
        }
        return Adapter(terms)
    }

    /// Goes on from an adapter of the same shape.
    ///
    /// - Throws: ``TrainingError`` if it has another.
    package func load(_ adapter: Adapter, _ c: DecoderConfiguration) throws {
        for slot in slots {
            guard let term = adapter.terms[Adapter.Place(slot.layer, slot.linear)],
                term.rank == slot.rank, term.a.count == slot.rank * slot.inputs,
                term.b.count == slot.rank * slot.outputs,
                term.magnitudes?.count == slot.magnitudes.map({ _ in slot.outputs })
            else {
                throw TrainingError(
                    .wrongBase, "The adapter has other terms than the ones that are trained.")
            }
            var (b, magnitudes) = (term.b, term.magnitudes ?? [])
            if isPaired(slot, c) {
                b = RotaryRows.paired(b, dimension: c.headDimension, width: slot.rank)
                magnitudes = RotaryRows.paired(magnitudes, dimension: c.headDimension, width: 1)
            }
            for (o, length) in magnitudes.enumerated() {
                values.pointer[(slot.magnitudes ?? 0) + o] = length
            }
            for (i, value) in term.a.enumerated() { values.pointer[slot.a + i] = value }
            for r in 0..<slot.rank {
                for o in 0..<slot.outputs {
                    values.pointer[slot.b + r * slot.outputs + o] = b[o * slot.rank + r]
                }
            }
        }
    }

    /// True if the base has the rows of this map pair after pair, as GGUF files of llama do.
    private func isPaired(_ slot: LowRankSlot, _ c: DecoderConfiguration) -> Bool {
        c.rope.interleaved && (slot.linear == .query || slot.linear == .key)
    }
}
