import Foundation
import MnemeIndex
import MnemeStore

/// Ranks one owner's memories for one question.
struct Ranker {
    let index: OwnerIndex
    let request: RecallRequest
    let plan: QuestionPlan
    /// The question's vector, and that of the former embedder; nil ranks by words alone.
    let query: [Float]?
    let formerQuery: [Float]?

    struct Candidate {
        var document: Int
        var features: RecallFeatures
        var score: Float
        var matches: UInt64
        /// What it loses for not holding any more, or gains from what it holds in place of.
        var validity: Float = 0

        /// Adds what the graph says, see ``Ranker/related(to:)``.
        mutating func relate(_ value: Float) {
            features.values.append(value)
            score = features.score(FusionWeights.standard) + validity
        }
    }

    /// Puts what does not hold any more behind what does, without losing it where nothing else answers.
    private static let superseded: Float = -6

    /// Memories taken from each source before the full features are computed.
    private static let perSource = 150
    /// Ranks that reciprocal rank fusion looks at.
    private static let fusedRanks = 1_000
    /// Memories from which the graph is walked, and those taken from where the walk comes.
    private static let seeds = 10, perWalk = 100
    /// Below this size every memory is a candidate.
    private static let smallIndex = 2_000

    /// The best candidates, best first.
    ///
    /// - Complexity: one pass over vectors and postings of all memories; features for at most a few thousand.
    /// - Throws: ``MnemeIndex/IndexError``.
    func ranked(limit: Int) throws -> [Candidate] {
        let n = index.documents.count
        let lexical = index.lexical.score(plan.terms, threads: index.threads)
        switch request.mode {
        case .words: return simple(lexical.document, limit, lexical)
        case .vectors:
            return try nearest(limit).map { simple($0.key, $0.score, lexical) }
        case .rrf:
            var fused = [Float](repeating: 0, count: n)
            for documents in [
                highest(Self.fusedRanks, of: lexical.document, where: allowed), try nearest(Self.fusedRanks).map(\.key),
            ] {
                for (rank, document) in documents.enumerated() { fused[document] += 1 / Float(61 + rank) }
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
            let sources = [
                highest(Self.perSource, of: lexical.document, where: allowed),
                highest(Self.perSource, of: lexical.window, where: allowed),
                try nearest(Self.perSource).map(\.key),
            ]
            for document in sources.joined() { index.threads.forEachNeighbour(of: document, reach: 1, add) }
            if !plan.times.isEmpty {
                let near = (0..<n).map { document in
                    Float(plan.times.map { $0.proximity(to: index.documents[document].eventTime) }.max() ?? 0)
                        * (0.1 + lexical.thread[document])
                }
                for document in highest(Self.perSource, of: near, where: allowed) { add(document) }
            }
        }
        var result = candidates.map { candidate($0, lexical) }
        let around = related(to: result)
        for document in around.keys where !seen[document] && allowed(document) {
            result.append(candidate(document, lexical))
        }
        for i in result.indices { result[i].relate(around[result[i].document] ?? 0) }
        prefer(&result, lexical)
        return Self.best(limit, of: result)
    }

    /// What holds now takes the rank of what it ended: "moved to Berlin" is the answer where "lives in Paris" would have been.
    private func prefer(_ candidates: inout [Candidate], _ lexical: LexicalIndex.Scores) {
        var places: [Int: Int] = [:]
        for (place, candidate) in candidates.enumerated() { places[candidate.document] = place }
        for old in candidates.indices where candidates[old].validity < 0 {
            guard let next = index.successor(of: candidates[old].document), allowed(next) else { continue }
            if places[next] == nil {
                places[next] = candidates.count
                var added = candidate(next, lexical)
                added.relate(0)
                candidates.append(added)
            }
            let place = places[next]!, wanted = candidates[old].score - candidates[old].validity
            if candidates[place].score < wanted {
                candidates[place].validity += wanted - candidates[place].score
                candidates[place].score = wanted
            }
        }
    }

    /// The highest scores first, and of equal ones the latest memory.
    private static func best(_ count: Int, of candidates: [Candidate]) -> [Candidate] {
        // Places are moved about, not thousands of candidates.
        let places = candidates.indices.sorted { a, b in
            candidates[a].score != candidates[b].score
                ? candidates[a].score > candidates[b].score : candidates[a].document > candidates[b].document
        }
        return places.prefix(count).map { candidates[$0] }
    }

    /// Memories around the best ones in the graph, the closest with 1.
    private func related(to candidates: [Candidate]) -> [Int: Float] {
        let best = Self.best(Self.seeds, of: candidates)
        guard let top = best.first?.score else { return [:] }
        let reached = index.around(best.map { ($0.document, Float(exp(Double($0.score - top)))) }, asOf: request.asOf)
        let closest = highest(Self.perWalk, of: reached.map { ($0.document, $0.score) })
        guard let most = closest.first?.score, most > 0 else { return [:] }
        return Dictionary(uniqueKeysWithValues: closest.map { ($0.item, $0.score / most) })
    }

    private func simple(_ scores: [Float], _ limit: Int, _ lexical: LexicalIndex.Scores) -> [Candidate] {
        highest(limit, of: scores, where: allowed).map { simple($0, scores[$0], lexical) }
    }

    private func simple(_ document: Int, _ score: Float, _ lexical: LexicalIndex.Scores) -> Candidate {
        Candidate(
            document: document, features: RecallFeatures(values: []), score: score, matches: lexical.matches[document])
    }

    /// Documents whose vectors are nearest to the question's, of those allowed.
    private func nearest(_ limit: Int) throws -> [VectorMatch] {
        guard let query else { return [] }
        var search = VectorSearch(limit)
        if request.isFiltered || index.hidden.count > Self.perSource {
            search.filter = KeySet(index.documents.indices.lazy.filter(allowed))
        } else {
            // The few that may not be shown are looked past.
            search.count += index.hidden.count
        }
        var found = try index.vectors.search(query, search)
        if let formerQuery, let former = index.formerVectors {
            // Cosines of two models do not mean quite the same; for the time of a change that is good enough.
            found = (found + (try former.search(formerQuery, search))).sorted { $0.score > $1.score }
        }
        return Array(found.lazy.filter { allowed($0.key) }.prefix(limit))
    }

    /// Filters of the request, and what lifecycle forbids.
    private func allowed(_ number: Int) -> Bool {
        // Nearly always there is nothing to ask for.
        if index.isShown[number], !request.isFiltered { return true }
        let document = index.documents[number]
        guard document.state.isRecallable else { return false }
        if let expires = document.expires, expires <= request.now { return false }
        if let agent = request.agent, document.agent != agent { return false }
        if let session = request.session, document.session != session { return false }
        if let type = request.type, document.type != type { return false }
        if let tag = request.tag, !document.tags.contains(tag) { return false }
        if let from = request.from, document.eventTime < from { return false }
        if let before = request.before, document.eventTime >= before { return false }
        if let at = request.at, document.eventTime > at || document.validUntil ?? .distantFuture <= at { return false }
        return true
    }

    /// What a memory loses for not holding at the time that is asked about: now, unless the question says otherwise.
    private func validity(_ document: OwnerIndex.Document) -> Float {
        guard let end = document.validUntil, request.at == nil, end <= request.now else { return 0 }
        if let asked = plan.times.map(\.start).min(), asked < end { return 0 }
        return plan.asksPast && plan.times.isEmpty && !plan.asksLatest ? 0 : Self.superseded
    }

    private func candidate(_ number: Int, _ lexical: LexicalIndex.Scores) -> Candidate {
        let document = index.documents[number], analysis = document.analysis
        let similarities = similarities(around: number)
        var covered: UInt64 = 0
        index.threads.forEachNeighbour(of: number, reach: 1) { covered |= lexical.matches[$0] }
        var coverage: Float = 0
        for (i, weight) in lexical.weights.enumerated() where covered & (1 << UInt64(i)) != 0 { coverage += weight }
        var speaker: Float = 0
        if let asked = plan.speaker { speaker = document.speaker?.lowercased() == asked ? 1 : -1 }
        let date = plan.times.map { Float($0.proximity(to: document.eventTime)) }.max() ?? 0
        let age = max(0, request.now.timeIntervalSince(document.eventTime)) / 86_400
        let features = RecallFeatures(values: [
            lexical.document[number], lexical.window[number], lexical.thread[number],
            similarities.own, similarities.near, similarities.around,
            speaker, coverage,
            min(1, Float(log1p(Double(index.lexical.length(of: number)))) / 4),
            plan.asksWhen && analysis.hasTime ? 1 : 0,
            plan.asksNumber && analysis.hasNumber ? 1 : 0,
            plan.asksName ? Float(analysis.names) / 2 : 0,
            date,
            plan.asksLatest ? Float(exp(-age / 90)) : 0,
        ])
        let validity = validity(document)
        return Candidate(
            document: number, features: features, score: features.score(FusionWeights.standard) + validity,
            matches: lexical.matches[number], validity: validity
        )
    }

    /// Inner products of the question and the normalised mean of vectors: of a document, with its neighbours, and with theirs.
    private func similarities(around number: Int) -> (own: Float, near: Float, around: Float) {
        guard let query else { return (0, 0, 0) }
        let present = sums(query, around: number, in: index.vectors)
        guard let formerQuery, let former = index.formerVectors, present.contains(where: { $0.members < $0.documents })
        else {
            return (present[0].mean, present[1].mean, present[2].mean)
        }
        // Each model's part counts by how many of the vectors are its own.
        let means = zip(present, sums(formerQuery, around: number, in: former)).map { present, past -> Float in
            guard present.members < present.documents, present.members + past.members > 0 else { return present.mean }
            return (present.mean * Float(present.members) + past.mean * Float(past.members))
                / Float(present.members + past.members)
        }
        return (means[0], means[1], means[2])
    }

    private func sums(_ query: [Float], around number: Int, in vectors: any VectorIndex) -> [(
        mean: Float, members: Int, documents: Int
    )] {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: query.count) { sum in
            let sum = sum.baseAddress!
            sum.initialize(repeating: 0, count: query.count)
            var members = 0, documents = 0
            // Each ring of neighbours is added to what is there.
            return (0...2).map { distance in
                index.threads.forEachNeighbour(of: number, at: distance) { document in
                    documents += 1
                    if vectors.add(document, to: sum) { members += 1 }
                }
                let mean = members > 0 ? Vector.cosine(unit: query, sum: sum) : 0
                return (mean, members, documents)
            }
        }
    }
}
