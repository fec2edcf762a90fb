import Foundation
import MnemeIndex
import MnemeStore

/// Runs a ``RetrievalPlan`` on an owner's index: finds candidates, computes their features, and has
/// them ranked.
struct Retriever {
    /// The index that is searched.
    let index: OwnerIndex
    /// The request, with its filters and mode.
    let request: RecallRequest
    /// The question's terms, times and kind of answer.
    let plan: QuestionPlan
    /// The question's vector, and that of the former embedder; nil ranks by words alone.
    let query: [Float]?
    let formerQuery: [Float]?
    /// The recipe's stages: probes to run, and how features become one score.
    let retrieval: any RetrievalPlan
    let ranker: any RecallRanker
    /// The one that made the index.
    let analyzer: TextAnalyzer
    /// The documents that may be answers, where the index holds others that only stand around them;
    /// nil lets all be.
    var answers: KeySet?

    /// The memories that pass the request's filters, found when they are first asked for.
    private let passing = PassingMemories()

    /// A set that is made once.
    private final class PassingMemories {
        var keys: KeySet?
    }

    /// A document that may be the answer, with its score.
    struct Candidate {
        /// Its number in the index.
        var document: Int
        /// nil where recall is by one score alone.
        var features: RecallFeatures?
        /// The ranker's score of the features, plus `validity`; higher is better.
        var score: Float
        /// Bit i is set if the document holds the i-th term of the question.
        var matches: UInt64
        /// The loss for being superseded (negative), or the gain from what it supersedes.
        var validity: Float = 0
        /// The plan's score less the ranker's.
        var adjustment: Float = 0
        /// The round of probes that found it first, and its share of the best in a probing search.
        var round = 0, probed: Float = 0
    }

    /// Puts what does not hold any more behind what does, without losing it where nothing else
    /// answers.
    private static let superseded: Float = -6
    /// Ranks that reciprocal rank fusion looks at.
    private static let fusedRanks = 1_000
    /// Documents that recall passes over, up to which a search for vectors looks past them instead
    /// of filtering.
    private static let hiddenLimit = 150

    /// The best candidates, best first.
    ///
    /// - Complexity: see `WordSearch.best` and `VectorIndex.search`; features for at most a few
    ///   thousand.
    /// - Throws: `IndexError`.
    func ranked(limit: Int) throws -> [Candidate] {
        let words = WordSearch(index.lexical, plan.terms, sessions: index.threads)
        switch request.mode {
        case .words:
            return words.best(limit, among: passingKeys(), where: allowed).map { simple($0, words.score($0), words) }
        case .vectors:
            return try nearest(limit).map { simple($0.key, $0.score, words) }
        case .rrf:
            var fused: [Int: Float] = [:]
            for documents in [
                words.best(Self.fusedRanks, among: passingKeys(), where: allowed),
                try nearest(Self.fusedRanks).map(\.key),
            ] {
                for (rank, document) in documents.enumerated() {
                    fused[document, default: 0] += 1 / Float(61 + rank)
                }
            }
            return highest(limit, of: fused.map { ($0.key, $0.value) }).map {
                simple($0.item, $0.score, words)
            }
        case .fused:
            var result = try candidates(words)
            prefer(&result, words)
            return Self.best(limit, of: result)
        }
    }

    /// Every candidate that the plan finds, scored.
    private func candidates(_ words: WordSearch) throws -> [Candidate] {
        var query = RetrievalQuery(request: request, memories: answers?.count ?? index.documents.count, round: 0)
        (query.words, query.weights, query.speaker) = (plan.words, words.weights, plan.speaker)
        (query.asksWhen, query.namesTime) = (plan.asksWhen, !plan.times.isEmpty)
        query.hasVector = self.query != nil
        var seen = Set<Int>()
        var result: [Candidate] = []
        var probes = retrieval.first(query)
        while true {
            for probe in probes { try run(probe, words, query.round, &seen, &result) }
            query.round += 1
            guard query.round < retrieval.roundLimit else { return result }
            switch retrieval.next(query, after: Self.best(retrieval.hitLimit, of: result).map(hit)) {
            case .answer: return result
            case .ranked(let hits): return Self.ordered(result, by: hits)
            case .probe(let next): probes = next
            }
        }
    }

    /// A candidate as a plan sees it.
    private func hit(_ candidate: Candidate) -> RetrievalHit {
        var hit = RetrievalHit(
            number: candidate.document, score: candidate.score,
            features: candidate.features ?? RecallFeatures())
        let document = index.documents[candidate.document]
        (hit.round, hit.probed, hit.matches) = (
            candidate.round, candidate.probed, candidate.matches
        )
        (hit.type, hit.speaker, hit.session) = (document.type, document.speaker, document.session)
        (hit.eventTime, hit.tags) = (document.eventTime, document.tags)
        return hit
    }

    /// The candidates that a plan chose, with its scores; a score that is no number chooses
    /// nothing.
    private static func ordered(_ candidates: [Candidate], by hits: [RetrievalHit]) -> [Candidate] {
        let scores = Dictionary(hits.map { ($0.number, $0.score) }) { first, _ in first }
        return candidates.compactMap { candidate in
            guard let score = scores[candidate.document], score.isFinite else { return nil }
            var candidate = candidate
            candidate.adjustment = score - candidate.score
            candidate.score = score
            return candidate
        }
    }

    /// Adds what one probe finds to the candidates.
    private func run(
        _ probe: Probe, _ words: WordSearch, _ round: Int, _ seen: inout Set<Int>,
        _ result: inout [Candidate]
    ) throws {
        /// Adds a document once, if filters and lifecycle let it through.
        func add(_ document: Int) {
            guard seen.insert(document).inserted, allowed(document) else { return }
            result.append(candidate(document, words))
            result[result.count - 1].round = round
        }
        /// Adds documents and the conversation neighbours beside each: an answer often stands
        /// beside the message that repeats the question's words.
        func addWithNeighbours(_ documents: [Int]) {
            for document in documents {
                index.threads.forEachNeighbour(of: document, reach: 1, add)
            }
        }
        /// Adds what a probing search found, and notes its share of the best.
        func addProbed(_ found: [(document: Int, score: Float)]) {
            guard let most = found.map(\.score).max(), most > 0 else { return }
            for item in found { add(item.document) }
            let shares = Dictionary(found.map { ($0.document, $0.score / most) }) { $1 }
            for i in result.indices {
                result[i].probed = max(result[i].probed, shares[result[i].document] ?? 0)
            }
        }
        switch probe {
        case .everything: for document in index.documents.indices { add(document) }
        case .words(let limit, nil):
            addWithNeighbours(words.best(limit, among: passingKeys(), where: allowed))
        case .words(let limit, let filter?):
            for document in words.best(
                limit, among: passingKeys(), where: { allowed($0) && passes($0, filter) })
            {
                add(document)
            }
        case .wordsNearby(let limit):
            addWithNeighbours(words.best(limit, by: .window, among: passingKeys(), where: allowed))
        case .dense(let limit, nil): addWithNeighbours(try nearest(limit).map(\.key))
        case .dense(let limit, let filter?):
            for match in try nearest(limit, filter) { add(match.key) }
        case .text(let text, let limit):
            let other = WordSearch(index.lexical, terms(of: text), sessions: index.threads)
            addProbed(other.best(limit, among: passingKeys(), where: allowed).map { ($0, other.score($0)) })
        case .like(let numbers, let limit):
            guard let mean = mean(of: numbers) else { return }
            let found = try index.vectors.search(
                mean, VectorSearch(limit + index.hidden.count + numbers.count))
            addProbed(
                found.lazy.filter { allowed($0.key) && !numbers.contains($0.key) }.prefix(limit)
                    .map { ($0.key, $0.score) })
        case .linked(let numbers, let limit):
            addProbed(Array(index.linked(with: numbers, asOf: request.asOf).prefix(limit)))
        case .dates(let limit):
            for document in nearInTime(limit, words) { add(document) }
        case .walk(let seeds, let limit):
            let nearness = nearness(to: seeds, limit)
            for document in nearness.keys { add(document) }
            for i in result.indices {
                guard var features = result[i].features else { continue }
                features[.related] = nearness[result[i].document] ?? 0
                result[i].features = features
                result[i].score = ranker.score(features) + result[i].validity
            }
        }
    }

    /// Gives a successor the rank of the memory that it superseded: "moved to Berlin" is the answer
    /// where "lives in Paris" would have been, though the question may share no word with it. A
    /// successor that no probe found is added.
    private func prefer(_ candidates: inout [Candidate], _ words: WordSearch) {
        var places: [Int: Int] = [:]
        for (place, candidate) in candidates.enumerated() { places[candidate.document] = place }
        for old in candidates.indices where candidates[old].validity < 0 {
            guard let next = index.successor(of: candidates[old].document), allowed(next) else {
                continue
            }
            if places[next] == nil {
                places[next] = candidates.count
                candidates.append(candidate(next, words))
            }
            let place = places[next]!
            let wanted = candidates[old].score - candidates[old].validity
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
                ? candidates[a].score > candidates[b].score
                : candidates[a].document > candidates[b].document
        }
        return places.prefix(count).map { candidates[$0] }
    }

    /// Memories around others in the graph, the closest with 1.
    private func nearness(to seeds: [WalkSeed], _ limit: Int) -> [Int: Float] {
        let known = seeds.filter { index.documents.indices.contains($0.number) }
        let reached = index.around(known.map { ($0.number, $0.weight) }, asOf: request.asOf)
        let closest = highest(limit, of: reached.map { ($0.document, $0.score) })
        guard let most = closest.first?.score, most > 0 else { return [:] }
        return Dictionary(uniqueKeysWithValues: closest.map { ($0.item, $0.score / most) })
    }

    /// A candidate with one score and no features.
    private func simple(_ document: Int, _ score: Float, _ words: WordSearch)
        -> Candidate
    {
        Candidate(
            document: document, features: nil, score: score, matches: words.matches(document))
    }

    /// Tells whether a document passes a probe's filter.
    private func passes(_ number: Int, _ filter: ProbeFilter) -> Bool {
        let document = index.documents[number]
        if let types = filter.types, !types.contains(document.type) { return false }
        if let sessions = filter.sessions {
            guard let session = document.session, sessions.contains(session) else { return false }
        }
        guard filter.tag != nil || filter.withoutTag != nil else { return true }
        let tags = document.tags
        return (filter.tag.map(tags.contains) ?? true)
            && !(filter.withoutTag.map(tags.contains) ?? false)
    }

    /// The terms of a probing text: its stems but for stop words.
    private func terms(of text: String) -> [TermCounts.Term] {
        var seen = Set<TermCounts.Term>()
        return TextAnalyzer.words(text).lazy.filter { !TextAnalyzer.stopWords.contains($0) }
            .map { TermCounts.hash(analyzer.stem($0)) }.filter { seen.insert($0).inserted }
    }

    /// The mean of the question's vector and those of documents, of unit length; nil without.
    private func mean(of numbers: [Int]) -> [Float]? {
        guard var sum = query else { return nil }
        for number in numbers where index.documents.indices.contains(number) {
            guard let vector = index.vectors.vector(number) else { continue }
            for i in sum.indices { sum[i] += vector[i] }
        }
        let norm = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return norm > 0 ? sum.map { $0 / norm } : nil
    }

    /// Documents whose vectors are nearest to the question's, of those allowed.
    private func nearest(_ limit: Int, _ filter: ProbeFilter? = nil) throws -> [VectorMatch] {
        guard let query else { return [] }
        var search = VectorSearch(limit)
        func allowed(_ number: Int) -> Bool {
            self.allowed(number) && (filter.map { passes(number, $0) } ?? true)
        }
        if filter == nil, let keys = passingKeys() {
            search.filter = keys
        } else if filter != nil {
            search.filter = KeySet(index.documents.indices.lazy.filter(allowed))
        } else if index.hidden.count > Self.hiddenLimit {
            var shown = KeySet(marks: index.isShown)
            for document in index.hidden where allowed(document) { shown.insert(document) }
            search.filter = shown
        } else {
            // The few that may not be shown are looked past.
            search.count += index.hidden.count
        }
        var found = try index.vectors.search(query, search)
        if let formerQuery, let former = index.formerVectors {
            // Cosines of two models do not mean quite the same; for the time of a change that is
            // good enough.
            found = (found + (try former.search(formerQuery, search))).sorted {
                $0.score > $1.score
            }
        }
        return Array(found.lazy.filter { allowed($0.key) }.prefix(limit))
    }

    /// The memories that pass the request's filters; nil if it has none.
    ///
    /// - Complexity: one step a memory of the session, or a memory, for the first question.
    private func passingKeys() -> KeySet? {
        guard request.isFiltered else { return nil }
        if let known = passing.keys { return known }
        let keys =
            request.session.map { KeySet(index.documents(ofSession: $0).lazy.filter(passes)) }
            ?? KeySet(index.documents.indices.lazy.filter(passes))
        passing.keys = keys
        return keys
    }

    /// Filters of the request, and what lifecycle forbids.
    func allowed(_ number: Int) -> Bool {
        if let answers, !answers.contains(number) { return false }
        // Nearly always there is nothing to ask for.
        if index.isShown[number], !request.isFiltered { return true }
        return passing.keys?.contains(number) ?? passes(number)
    }

    /// Asks a document itself: columns first, then what its record has to be read for.
    private func passes(_ number: Int) -> Bool {
        let documents = index.documents
        guard documents.state(number).isRecallable else { return false }
        if let type = request.type, documents.type(number) != type { return false }
        let time = documents.eventTime(number)
        if let from = request.from, time < from { return false }
        if let before = request.before, time >= before { return false }
        if let at = request.at, time > at { return false }
        let document = documents[number]
        if let expires = document.expires, expires <= request.now { return false }
        if let at = request.at, document.validUntil ?? .distantFuture <= at { return false }
        if let agent = request.agent, document.agent != agent { return false }
        if let session = request.session, document.session != session { return false }
        if let tag = request.tag, !document.tags.contains(tag) { return false }
        return true
    }

    /// The loss of a memory for not holding at the time that is asked about: now, unless the
    /// question says otherwise.
    private func validity(_ document: Document) -> Float {
        guard let end = document.validUntil, request.at == nil, end <= request.now else { return 0 }
        if let asked = plan.times.map(\.start).min(), asked < end { return 0 }
        return plan.asksPast && plan.times.isEmpty && !plan.asksLatest ? 0 : Self.superseded
    }

    /// Computes all features of a document, and its score.
    ///
    /// Coverage counts the question's terms that the document or a direct neighbour holds, weighed
    /// by their inverse document frequency. Recency falls to 1/e in 90 days. Recency, time, number
    /// and name count only where the question asks for them.
    private func candidate(_ number: Int, _ words: WordSearch) -> Candidate {
        let document = index.documents[number]
        let similarities = similarities(around: number)
        var covered: UInt64 = 0
        index.threads.forEachNeighbour(of: number, reach: 1) { covered |= words.matches($0) }
        var coverage: Float = 0
        for (i, weight) in words.weights.enumerated() where covered & (1 << UInt64(i)) != 0 {
            coverage += weight
        }
        var speaker: Float = 0
        if let asked = plan.speaker { speaker = document.speaker?.lowercased() == asked ? 1 : -1 }
        let date = plan.times.map { Float($0.proximity(to: document.eventTime)) }.max() ?? 0
        let age = max(0, request.now.timeIntervalSince(document.eventTime)) / 86_400
        var features = RecallFeatures()
        features[.words] = words.score(number)
        features[.wordsNearby] = words.windowScore(number)
        features[.wordsInSession] = words.sessionScore(number)
        features[.meaning] = similarities.own
        features[.meaningNearby] = similarities.near
        features[.meaningAround] = similarities.around
        features[.speaker] = speaker
        features[.coverage] = coverage
        features[.detail] = min(1, Float(log1p(Double(index.lexical.length(of: number)))) / 4)
        features[.timeAsked] = plan.asksWhen && document.analysis.hasTime ? 1 : 0
        features[.numberAsked] = plan.asksNumber && document.analysis.hasNumber ? 1 : 0
        features[.nameAsked] = plan.asksName ? Float(document.analysis.names) / 2 : 0
        features[.date] = date
        features[.latest] = plan.asksLatest ? Float(exp(-age / 90)) : 0
        let validity = validity(document)
        return Candidate(
            document: number, features: features, score: ranker.score(features) + validity,
            matches: words.matches(number), validity: validity
        )
    }

    /// Inner products of the question and the normalised mean of vectors: of a document, with its
    /// neighbours, and with theirs.
    private func similarities(around number: Int) -> (own: Float, near: Float, around: Float) {
        guard let query else { return (0, 0, 0) }
        let present = sums(query, around: number, in: index.vectors)
        guard let formerQuery, let former = index.formerVectors,
            present.contains(where: { $0.members < $0.documents })
        else {
            return (present[0].mean, present[1].mean, present[2].mean)
        }
        // Each model's part counts by how many of the vectors are its own.
        let means = zip(present, sums(formerQuery, around: number, in: former)).map {
            present, past -> Float in
            guard present.members < present.documents, present.members + past.members > 0 else {
                return present.mean
            }
            return (present.mean * Float(present.members) + past.mean * Float(past.members))
                / Float(present.members + past.members)
        }
        return (means[0], means[1], means[2])
    }

    /// Mean vectors of growing rings around a document: itself, with its neighbours, and with
    /// theirs. Each is compared with the question by cosine; documents without a vector are left
    /// out.
    ///
    /// - Complexity: one addition of a vector for each document of the rings.
    private func sums(_ query: [Float], around number: Int, in vectors: any VectorIndex) -> [(
        mean: Float, members: Int, documents: Int
    )] {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: query.count) { sum in
            let sum = sum.baseAddress!
            sum.initialize(repeating: 0, count: query.count)
            var members = 0
            var documents = 0
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
