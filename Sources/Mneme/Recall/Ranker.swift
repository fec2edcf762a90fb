import Foundation
import MnemeIndex
import MnemeStore

/// Ranks one owner's memories for one question.
struct Ranker {
    let index: OwnerIndex
    let request: RecallRequest
    let plan: QuestionPlan
    /// The question's vector; nil ranks by words alone.
    let query: [Float]?

    struct Candidate {
        var document: Int
        var features: RecallFeatures
        var score: Float
        var matches: UInt64
    }

    /// Memories taken from each source before the full features are computed.
    private static let perSource = 150
    /// Below this size every memory is a candidate.
    private static let smallIndex = 2_000

    /// The best candidates, best first.
    ///
    /// - Complexity: one pass over vectors and postings of all memories; features for at most a few thousand.
    func ranked(limit: Int) -> [Candidate] {
        let n = index.documents.count
        let lexical = index.lexical.score(plan.terms, threads: index.threads)
        let vectors = query.map { index.vectors.scan($0, documentCount: n) } ?? [Float](repeating: 0, count: n)
        switch request.mode {
        case .words: return simple(lexical.document, limit, lexical)
        case .vectors: return simple(vectors, limit, lexical)
        case .rrf:
            var fused = [Float](repeating: 0, count: n)
            for scores in [lexical.document, vectors] {
                for (rank, document) in highest(n, of: scores, where: allowed).enumerated() { fused[document] += 1 / Float(61 + rank) }
            }
            return simple(fused, limit, lexical)
        case .fused: break
        }
        var seen = [Bool](repeating: false, count: n), candidates: [Int] = []
        func add(_ document: Int) {
            if !seen[document] {
                seen[document] = true
                if allowed(document) { candidates.append(document) }
            }
        }
        if n <= Self.smallIndex {
            for document in 0..<n { add(document) }
        } else {
            for scores in [lexical.document, lexical.window, vectors] {
                for document in highest(Self.perSource, of: scores, where: allowed) {
                    index.threads.forEachNeighbour(of: document, reach: 1, add)
                }
            }
            if !plan.times.isEmpty {
                let near = (0..<n).map { document in
                    Float(plan.times.map { $0.proximity(to: index.documents[document].eventTime) }.max() ?? 0) * (0.1 + lexical.thread[document])
                }
                for document in highest(Self.perSource, of: near, where: allowed) { add(document) }
            }
        }
        var result = candidates.map { candidate($0, lexical) }
        result.sort { $0.score != $1.score ? $0.score > $1.score : $0.document > $1.document }
        if result.count > limit { result.removeLast(result.count - limit) }
        return result
    }

    private func simple(_ scores: [Float], _ limit: Int, _ lexical: LexicalIndex.Scores) -> [Candidate] {
        highest(limit, of: scores, where: allowed).map {
            Candidate(document: $0, features: RecallFeatures(values: []), score: scores[$0], matches: lexical.matches[$0])
        }
    }

    /// Filters of the request, and what lifecycle forbids.
    private func allowed(_ number: Int) -> Bool {
        let document = index.documents[number]
        guard document.state.isRecallable else { return false }
        if let expires = document.expires, expires <= request.now { return false }
        if let agent = request.agent, document.agent != agent { return false }
        if let session = request.session, document.session != session { return false }
        if let type = request.type, document.type != type { return false }
        if let tag = request.tag, !document.tags.contains(tag) { return false }
        if let from = request.from, document.eventTime < from { return false }
        if let before = request.before, document.eventTime >= before { return false }
        return true
    }

    private func candidate(_ number: Int, _ lexical: LexicalIndex.Scores) -> Candidate {
        let document = index.documents[number], analysis = document.analysis
        var near: [Int] = [], around: [Int] = []
        index.threads.forEachNeighbour(of: number, reach: 1) { near.append($0) }
        index.threads.forEachNeighbour(of: number, reach: 2) { around.append($0) }
        let covered = near.reduce(0) { $0 | lexical.matches[$1] }
        var coverage: Float = 0
        for (i, weight) in lexical.weights.enumerated() where covered & (1 << UInt64(i)) != 0 { coverage += weight }
        var speaker: Float = 0
        if let asked = plan.speaker { speaker = document.speaker?.lowercased() == asked ? 1 : -1 }
        let date = plan.times.map { Float($0.proximity(to: document.eventTime)) }.max() ?? 0
        let age = max(0, request.now.timeIntervalSince(document.eventTime)) / 86_400
        let features = RecallFeatures(values: [
            lexical.document[number], lexical.window[number], lexical.thread[number],
            query.map { index.vectors.similarity($0, toMeanOf: [number]) } ?? 0,
            query.map { index.vectors.similarity($0, toMeanOf: near) } ?? 0,
            query.map { index.vectors.similarity($0, toMeanOf: around) } ?? 0,
            speaker, coverage,
            min(1, Float(log1p(Double(index.lexical.length(of: number)))) / 4),
            plan.asksWhen && analysis.hasTime ? 1 : 0,
            plan.asksNumber && analysis.hasNumber ? 1 : 0,
            plan.asksName ? Float(analysis.names) / 2 : 0,
            date,
            plan.asksLatest ? Float(exp(-age / 90)) : 0,
        ])
        return Candidate(document: number, features: features, score: features.score(FusionWeights.standard), matches: lexical.matches[number])
    }
}
