import MnemeNumerics

extension DecoderPass {
    /// Takes a layer's states of the rows that get logits to the side networks of their adapters; behind the last
    /// layer, adds what these come to.
    ///
    /// Called behind a layer's barrier. A row is one thread's from the first layer to its logits.
    func takeSides(_ layer: Int, isLast: Bool) {
        let (hidden, first) = (workspace.hiddenStride, workspace.plan.pointee.lastRows)
        var number = 0
        for (i, segment) in segments.enumerated() {
            for k in 0..<segment.logits {
                defer { number += 1 }
                guard let side = segment.adapter?.side, number % threads == thread else { continue }
                let place = isLast ? first[i] + k : segment.tokens.upperBound - segment.logits + k
                let state = workspace.state.pointer + place * hidden
                let row = SideStep.Row(workspace.side(number), side.sizes)
                side.take(layer, state, before: layer == 0 ? nil : UnsafePointer(row.output), into: row)
                if isLast { side.add(row.output, to: state) }
            }
        }
    }
}
