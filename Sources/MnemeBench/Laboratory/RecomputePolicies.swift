package import MnemeKV

/// Computes nothing again: what stood elsewhere is used as it is.
package struct NaiveReuse: RecomputePolicy {
    package init() {}
    package var evidence: RecomputeEvidence { .none }
    package func positions(_ chunks: [Range<Int>], recomputeRatio: Double, evidence: [Int: Float]) -> [Int] {
        []
    }
}

/// Computes the beginning of each text again, where an attention sink of its own is
/// (EPIC's LegoLink, Hu et al. 2024).
package struct ChunkStarts: RecomputePolicy {
    package init() {}
    package var evidence: RecomputeEvidence { .none }
    package func positions(_ chunks: [Range<Int>], recomputeRatio: Double, evidence: [Int: Float]) -> [Int] {
        chunks.flatMap { $0.prefix(Int((Double($0.count) * recomputeRatio).rounded(.up))) }
    }
}

/// Computes whole texts again, those that the question attends to most.
package struct QuestionChunks: RecomputePolicy {
    package init() {}
    package var evidence: RecomputeEvidence { .attention }
    package func positions(_ chunks: [Range<Int>], recomputeRatio: Double, evidence: [Int: Float]) -> [Int] {
        var left = Int((Double(chunks.reduce(0) { $0 + $1.count }) * recomputeRatio).rounded(.up))
        var result: [Int] = []
        let sums = chunks.map { chunk in (chunk, chunk.reduce(0) { $0 + (evidence[$1] ?? 0) }) }
        for (chunk, _) in sums.sorted(by: { $0.1 > $1.1 }) {
            result += chunk.prefix(left)
            left -= min(left, chunk.count)
        }
        return result
    }
}
