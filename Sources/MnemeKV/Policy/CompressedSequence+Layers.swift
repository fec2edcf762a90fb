import MnemeModels

/// Rows that neighbouring layers share.
extension CompressedSequence {
    /// Merges a head's rows with those of the layer before it, if the policy has it so.
    func mergeLayers(_ i: Int) {
        let heads = configuration.kvHeads
        let layer = i / heads
        guard let merger = policy.layers, layer > 0, savedBytes[i] == 0,
            merger.upper(of: layer - 1, layers: configuration.layers) == layer,
            (layer - 1...layer).allSatisfy({ configuration.window(layer: $0) == nil })
        else { return }
        let (lower, d) = (i - heads, configuration.headDimension)
        let keys = positions[i].indices.map {
            MiniCache.merged(vector(lower, $0, .keys), vector(i, $0, .keys))
        }
        let kept = Int((1 - merger.retained) * Double(keys.count))
        let rows = keys.indices.sorted { (keys[$0].angle, $0) < (keys[$1].angle, $1) }.prefix(kept)
        for row in rows {
            keyChanges.add(
                [vector(lower, row, .keys), vector(i, row, .keys)], [keys[row].lower, keys[row].upper])
            set(lower, row, .keys, keys[row].lower)
            set(i, row, .keys, keys[row].upper)
            let before = (vector(lower, row, .values), vector(i, row, .values))
            let values = MiniCache.merged(before.0, before.1)
            valueChanges.add([before.0, before.1], [values.lower, values.upper])
            set(lower, row, .values, values.lower)
            set(i, row, .values, values.upper)
        }
        // Of both sides, a length instead of a direction.
        savedBytes[i] = rows.count * (4 * d - 4)
        loaded = nil
        encode(lower)
    }

    /// Where a row's elements lie in its page, which holds halves, and how far apart.
    private func place(_ i: Int, _ row: Int, _ side: KVCodec.Side) -> (UnsafeMutablePointer<UInt16>, step: Int) {
        let (block, d) = (KVShape.blockTokens, configuration.headDimension)
        let page = pages.pointer(heads[i].pages[row / block])
        return side == .keys ? (page + row % block, block) : (page + (block + row % block) * d, 1)
    }

    func vector(_ i: Int, _ row: Int, _ side: KVCodec.Side) -> [Float] {
        let (start, step) = place(i, row, side)
        return (0..<configuration.headDimension).map { Float(half: start[$0 * step]) }
    }

    func set(_ i: Int, _ row: Int, _ side: KVCodec.Side, _ vector: [Float]) {
        let (start, step) = place(i, row, side)
        for (e, x) in vector.enumerated() { start[e * step] = Float16(x).bitPattern }
    }
}
