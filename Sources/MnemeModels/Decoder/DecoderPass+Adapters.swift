import MnemeNumerics

/// The output of a linear map that adapters add to.
struct AdaptedOutput {
    let linear: Linear
    let output: UnsafeMutablePointer<Float>
    /// Floats from row to row.
    let stride: Int

    init(_ linear: Linear, _ output: UnsafeMutablePointer<Float>, stride: Int) {
        (self.linear, self.output, self.stride) = (linear, output, stride)
    }
}

/// Terms of adapters, each added to the rows of its own sequences (S-LoRA, Sheng et al.
/// 2024).
extension DecoderPass {
    /// Adds the terms of each segment's adapter to the outputs of up to three maps of one input, whose
    /// rows it scales where the adapter says so.
    ///
    /// Called by all threads when the input can be read and each has written its own columns of the
    /// outputs. A·x is shared by rows of A, B by columns of the output, with a barrier in between;
    /// the caller's next barrier comes before anybody reads the outputs.
    func adapt(
        _ input: ActivationRows, _ first: AdaptedOutput, _ second: AdaptedOutput? = nil,
        _ third: AdaptedOutput? = nil
    ) {
        if scalesRows {
            scaleRows(first)
            if let second { scaleRows(second) }
            if let third { scaleRows(third) }
        }
        addTerms(input, first, second, third)
    }

    /// The same without scaling.
    private func addTerms(
        _ input: ActivationRows, _ first: AdaptedOutput, _ second: AdaptedOutput? = nil,
        _ third: AdaptedOutput? = nil
    ) {
        project(input, first, slot: 0)
        if let second { project(input, second, slot: 1) }
        if let third { project(input, third, slot: 2) }
        pool.barrier()
        add(first, slot: 0)
        if let second { add(second, slot: 1) }
        if let third { add(third, slot: 2) }
    }

    /// The term that a segment's adapter has for a map.
    private func term(_ linear: Linear, _ segment: Int) -> LowRank? {
        guard let term = linear.term, let adapter = segments[segment].adapter else { return nil }
        return adapter.terms[term]
    }

    /// Computes this thread's share of A·x.
    private func project(_ input: ActivationRows, _ map: AdaptedOutput, slot: Int) {
        var total = 0
        for i in segments.indices { total += (term(map.linear, i)?.rank ?? 0) * rows(of: i).count }
        let mine = share(of: total)
        var start = 0
        for i in segments.indices {
            guard let term = term(map.linear, i) else { continue }
            let rows = rows(of: i)
            let end = start + rows.count * term.rank
            for unit in mine.clamped(to: start..<end) {
                let row = rows.lowerBound + (unit - start) / term.rank
                let index = (unit - start) % term.rank
                workspace.projection(slot, row: row)[index] = term.project(
                    input.floats + row * term.inputs, index)
            }
            start = end
        }
    }

    /// This thread's columns of a map's output: those that it has computed.
    private func columns(_ map: AdaptedOutput) -> Range<Int> {
        let groups = share(of: map.linear.matrix.paddedOutputs / 16)
        return (groups.lowerBound * 16..<groups.upperBound * 16).clamped(to: 0..<map.linear.matrix.outputs)
    }

    /// Scales this thread's columns of W·x as the segments' adapters have it (DoRA, Liu et al. 2024).
    private func scaleRows(_ map: AdaptedOutput) {
        let columns = columns(map)
        for i in segments.indices {
            guard let term = term(map.linear, i), term.rowScales != nil else { continue }
            for row in rows(of: i) {
                term.scaleRows(map.output + row * map.stride, bias: map.linear.bias, columns: columns)
            }
        }
    }

    /// Adds a map's output to the residual stream where adapters scale rows: they scale what the map
    /// gives, not the stream. Other sequences' bits are those of the map that adds by itself.
    func addScaled(_ linear: Linear, _ input: ActivationRows) {
        let (block, hidden) = (workspace.block.pointer, workspace.hiddenStride)
        apply(linear, input, into: block, stride: hidden)
        let map = AdaptedOutput(linear, block, stride: hidden)
        scaleRows(map)
        let columns = columns(map)
        for row in 0..<rows {
            let (from, to) = (block + row * hidden, workspace.state.pointer + row * hidden)
            for i in columns { to[i] += from[i] }
        }
        addTerms(input, AdaptedOutput(linear, workspace.state.pointer, stride: hidden))
    }

    /// Adds B·(A·x) to this thread's columns.
    private func add(_ map: AdaptedOutput, slot: Int) {
        let columns = columns(map)
        guard !columns.isEmpty else { return }
        for i in segments.indices {
            guard let term = term(map.linear, i) else { continue }
            for row in rows(of: i) {
                term.add(
                    workspace.projection(slot, row: row), columns: columns, kernels,
                    to: map.output + row * map.stride)
            }
        }
    }
}
