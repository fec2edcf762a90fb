import MnemeModels

/// Pages that a ``KVCoder`` codes.
extension CompressedSequence {
    /// Codes a head's page, which holds halves, by the policy's coder.
    func code(_ i: Int, page: Int, by coder: any KVCoder) {
        let c = configuration
        let encoder =
            encoders[i]
            ?? {
                let encoder = coder.encoder(rows(i, positions[i], budget: budget))
                encoders[i] = encoder
                return encoder
            }()
        let before = coded(i, page)
        var after = before
        let layer = i / c.kvHeads
        let bytes = encoder.code(&after) {
            let lower = max(0, layer - 1) * c.kvHeads..<layer * c.kvHeads
            let end = (page + 1) * KVShape.blockTokens
            let isAlike = lower.allSatisfy { positions[$0].prefix(end) == positions[i].prefix(end) }
            return isAlike ? lower.map { coded($0, page) } : []
        }
        keyChanges.add(before.keys, after.keys)
        valueChanges.add(before.values, after.values)
        for row in before.positions.indices {
            set(i, page * KVShape.blockTokens + row, .keys, after.keys[row])
            set(i, page * KVShape.blockTokens + row, .values, after.values[row])
        }
        savedBytes[i] += 4 * c.headDimension * KVShape.blockTokens - bytes
        loaded = nil
    }

    /// A page's rows as they lie in memory.
    private func coded(_ i: Int, _ page: Int) -> KVCodedPage {
        let rows = page * KVShape.blockTokens..<(page + 1) * KVShape.blockTokens
        return KVCodedPage(
            positions: Array(positions[i][rows]), keys: rows.map { vector(i, $0, .keys) },
            values: rows.map { vector(i, $0, .values) })
    }

    /// What the policy's parts say of themselves, by name; see ``CompressedCache/readings``.
    package var readings: [String: Double] {
        var readings = selection?.audit?.readings ?? [:]
        readings["key error"] = keyChanges.relative
        readings["value error"] = valueChanges.relative
        let rows = positions.reduce(0) { $0 + $1.count }
        let room = given.reduce(0, +) * KVShape.blockTokens
        if case .every = policy.trigger, room > 0 {
            readings["pool waste"] = 1 - Double(rows) / Double(room)
            readings["rows moved"] = Double(movedRows) / Double(positions.count)
        }
        if persistence.count > 0 { readings["persistence"] = persistence.sum / Double(persistence.count) }
        return readings
    }
}
