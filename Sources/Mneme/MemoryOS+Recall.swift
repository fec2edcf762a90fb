import Foundation
import Logging
import MnemeBase
import MnemeIndex
public import MnemeStore
import Tracing

extension MemoryOS {
    /// The memories that best answer a question, best first, each with an explanation.
    ///
    /// - Parameters:
    ///   - request: the question, whose memories, and how many.
    ///   - caller: finds what it may read, as if there were nothing else.
    /// - Throws: `InputError` for an empty question, `AccessError`, `StoreError`, `ModelError`. An
    ///   embedder out of reach is no error: words alone decide, and ``RecallResult/warning`` says so.
    /// - Complexity: see `WordSearch` and `VectorIndex`. All memories are passed through only for a
    ///   filter other than a session, and for a time that the question names.
    public func recall(_ request: RecallRequest, by caller: Caller = .local) async throws
        -> RecallResult
    {
        try await withSpan("recall") { span in
            let result = try await answer(request, by: caller)
            span.updateAttributes {
                $0["mneme.vaults"] = request.also.count + 1
                $0["mneme.considered"] = result.considered
                $0["mneme.recalled"] = result.memories.count
            }
            return result
        }
    }

    /// Checks a request, embeds its question once, and asks each vault.
    ///
    /// All vaults are asked for permission before any is read, so that a refusal costs nothing and
    /// tells nothing.
    private func answer(_ request: RecallRequest, by caller: Caller) async throws -> RecallResult {
        let clock = ContinuousClock()
        let start = clock.now
        guard request.query.contains(where: { !$0.isWhitespace }) else {
            throw InputError("The question is empty.")
        }
        guard request.query.utf8.count <= MemoryLimits.questionBytes else {
            throw InputError(
                "A question of \(request.query.utf8.count) bytes is too long; at most "
                    + "\(MemoryLimits.questionBytes) are taken. Ask for what matters in it."
            )
        }
        guard !TextAnalyzer.words(request.query).isEmpty else {
            throw InputError(
                "The question holds no words: nothing in it is a letter, a digit or an emoji.")
        }
        guard (1...1000).contains(request.limit) else {
            throw InputError("limit must lie between 1 and 1000.")
        }
        if let budget = request.tokenBudget, budget < 1 {
            throw InputError("The token budget must be at least 1.")
        }
        guard request.also.count <= Self.maximumVaults else {
            throw InputError("At most \(Self.maximumVaults) vaults are asked besides one.")
        }
        let owners = request.also.reduce(into: [request.owner]) {
            if !$0.contains($1) { $0.append($1) }
        }
        // Whoever may not ask one is told so before any is asked.
        let visibilities = try await run { [store] in
            try owners.map { try store.visibility(of: $0, for: .read, by: caller) }
        }
        let (vector, warning) = try await withSpan("recall.embed") { _ in
            try await queryVectors(of: request)
        }
        var result = try await run { [self] in
            let answers = try zip(owners, visibilities).map { owner, visibility in
                var part = request
                part.owner = owner
                if owners.count > 1 { part.tokenBudget = nil }
                return try recall(part, vector, visibility, by: caller)
            }
            return answers.count == 1 ? answers[0] : join(answers, request)
        }
        result.warning = warning
        result.milliseconds = (clock.now - start) / .milliseconds(1)
        if request.asOf == nil {
            for (owner, items) in Dictionary(grouping: result.memories, by: \.memory.scope.owner) {
                recordUse(of: items.map(\.memory.id), owner: owner, time: request.now)
            }
        }
        return result
    }

    /// Vaults that are asked besides one.
    private static let maximumVaults = 32

    /// Recall from one owner's memories, now or as of a past moment.
    private func recall(
        _ request: RecallRequest, _ vector: QueryVectors?, _ visibility: Visibility, by caller: Caller
    )
        throws -> RecallResult
    {
        if let asOf = request.asOf {
            return try recallPast(request, vector, asOf: asOf, visibility, by: caller)
        }
        let key = IndexKey(owner: request.owner, visibility: visibility)
        let (ranking, considered, waiting, source) = try withSpan("recall.rank") {
            span -> (Ranking, Int, Int, RecallSource?) in
            if let found = try coldCandidates(for: request, vector, key) {
                span.updateAttributes { $0["mneme.source"] = RecallSource.database.rawValue }
                return (
                    try select(found.index, request, vector, found), found.counts.memories,
                    embedder == nil ? 0 : found.counts.pending, .database
                )
            }
            return try withIndex(key) { index in
                (
                    try select(index, request, vector), index.documents.count,
                    embedder == nil
                        ? 0
                        : index.liveCount - index.vectors.count - (index.formerVectors?.count ?? 0),
                    nil
                )
            }
        }
        var known: [CubeID: MemCube] = [:]
        let candidates = try latestFirst(ranking, request) { ids in
            let read = try store.cubes(ids, owner: request.owner, by: .mneme)
            known = Dictionary(uniqueKeysWithValues: read.map { ($0.id, $0) })
            return read
        }
        let cubes = try withSpan("recall.read") { _ in
            let ids = candidates.map(\.id)
            // What was read to be compared is not read again. Single memories that a grant names may
            // have been labelled since.
            guard visibility.also.isEmpty, ids.allSatisfy({ known[$0] != nil }) else {
                return try store.cubes(ids, owner: request.owner, by: caller)
            }
            let visible = ids.compactMap { known[$0] }.filter(visibility.contains)
            try store.noteRead(visible.map(\.id), owner: request.owner, by: caller)
            return visible
        }
        var result = try pack(candidates, cubes, request, considered: considered, pending: waiting)
        result.source = source
        return result
    }

    /// The best of several answers. Scores compare: words weigh by the question, meaning is
    /// absolute. What two vaults hold word for word is shown once.
    private func join(_ answers: [RecallResult], _ request: RecallRequest) -> RecallResult {
        var joined = RecallResult(
            memories: [], considered: answers.reduce(0) { $0 + $1.considered }, tokens: 0,
            milliseconds: 0,
            pendingEmbeddings: answers.reduce(0) { $0 + $1.pendingEmbeddings },
            quarantined: answers.reduce(0) { $0 + $1.quarantined }
        )
        joined.source = answers.lazy.compactMap(\.source).first
        var places: [String: Int] = [:]
        // Of equals the first vault's stand first.
        let all = answers.enumerated().flatMap { place, answer in
            answer.memories.map { (place: place, item: $0) }
        }
        for (_, item) in all.sorted(by: { ($1.item.score, $0.place) < ($0.item.score, $1.place) }) {
            if let place = places[item.memory.text] {
                joined.memories[place].duplicates += [item.memory.id] + item.duplicates
                continue
            }
            let tokens = tokenCount(item.memory)
            guard joined.memories.count < request.limit,
                joined.tokens + tokens <= request.tokenBudget ?? .max
            else {
                continue
            }
            places[item.memory.text] = joined.memories.count
            joined.memories.append(item)
            joined.tokens += tokens
        }
        return joined
    }

    /// Tokens of a memory by the embedder's tokenizer; without one, four bytes a
    /// token, a rough estimate.
    func tokenCount(_ cube: MemCube) -> Int {
        embedder?.tokenCount(cube.text) ?? cube.text.utf8.count / 4 + 1
    }

    /// The vectors of a request's question; nil where words alone decide. If that is so because the
    /// embedder is not within reach, as one on another machine may be, a warning says it.
    ///
    /// - Throws: `ModelError` if dense similarity was asked for by itself, or for what is no matter
    ///   of reach.
    private func queryVectors(of request: RecallRequest) async throws -> (
        vectors: QueryVectors?, warning: String?
    ) {
        guard request.mode != .words else { return (nil, nil) }
        do { return (try await queryVectors(request.query), nil) } catch let error as ModelError
            where error.isOutOfReach && request.mode != .vectors
        {
            logger.warning(
                "a question was answered by words alone, as it could not be embedded",
                metadata: ["error": "\(error)"])
            return (nil, "Found by words alone, as the question could not be embedded. \(error)")
        }
    }

    /// The question's vectors; nil without an embedder.
    private func queryVectors(_ question: String) async throws -> QueryVectors? {
        try await questions?.vectors(of: question)
    }

    /// A memory that was chosen, before its text is read.
    struct Selected: Sendable {
        var id: CubeID
        var score: Float
        /// nil where recall is by one score alone.
        var features: RecallFeatures?
        /// Words of the question that it holds.
        var matched: [String]
        /// The part of its score that it lost by being superseded, or gained from what it
        /// supersedes.
        var validity: Float
        /// The part of the score that the recipe's plan added to the ranker's.
        var adjustment: Float
        /// Memories that say the same and were folded into it.
        var duplicates: [CubeID]
    }

    /// Candidates, the best first, and what the question asks.
    private struct Ranking: Sendable {
        var candidates: [Selected]
        var plan: QuestionPlan
    }

    /// Puts the latest word on each matter first, and keeps as many as are wanted.
    ///
    /// - Parameter cubes: reads memories.
    private func latestFirst(
        _ ranking: Ranking, _ request: RecallRequest, _ cubes: ([CubeID]) throws -> [MemCube]
    )
        throws -> [Selected]
    {
        let candidates = ranking.candidates
        guard candidates.count > 1, LatestWord.applies(to: ranking.plan, request) else {
            return Array(candidates.prefix(request.limit))
        }
        let read = try cubes(candidates.prefix(LatestWord.reach).map(\.id))
        let known = Dictionary(uniqueKeysWithValues: read.map { ($0.id, $0) })
        let ranked = candidates.map {
            LatestWord.RankedAnswer(
                id: $0.id, score: $0.score, matched: $0.matched, isEnded: $0.validity < 0)
        }
        let order = LatestWord(plan: ranking.plan, analyzer: analyzer).order(ranked, known)
        return order.prefix(request.limit).map { rank, score in
            var candidate = candidates[rank]
            candidate.validity += score - candidate.score
            candidate.score = score
            return candidate
        }
    }

    /// Candidates that are ranked besides twice as many as are wanted, as some are folded into
    /// others.
    private static let spareCandidates = 10
    /// From this similarity of their words on, two memories of one speaker are shown as one.
    private static let foldedSimilarity = 0.95

    /// A retriever for one question on one index, with the recipe's stages.
    private func retriever(
        _ index: OwnerIndex, _ request: RecallRequest, _ plan: QuestionPlan, _ vector: QueryVectors?
    ) -> Retriever {
        Retriever(
            index: index, request: request, plan: plan, query: vector?.present,
            formerQuery: vector?.former,
            retrieval: recipe.retrieval, ranker: recipe.ranker, analyzer: analyzer)
    }

    /// Ranks, and folds memories that say the same into the best of them.
    ///
    /// - Parameter found: what the store has found, if the index is one of candidates.
    private func select(
        _ index: OwnerIndex, _ request: RecallRequest, _ vector: QueryVectors?,
        _ found: CandidateSearch.Found? = nil
    ) throws -> Ranking {
        let limit = max(request.limit, LatestWord.pool)
        let plan =
            found?.plan
            ?? QuestionPlan(
                request.query, speakers: index.speakers, now: request.now, analyzer: analyzer)
        var retriever = retriever(index, request, plan, vector)
        retriever.answers = found?.answers
        let ranked = try retriever.ranked(
            limit: limit * 2 + Self.spareCandidates)
        var selected: [Selected] = []
        var numbers: [Int] = []
        for candidate in ranked {
            let document = index.documents[candidate.document]
            if let duplicate = numbers.firstIndex(where: { other in
                let terms = index.documents[other].analysis.terms
                return document.analysis.terms.entries.count >= SimilarMemories.leastWords
                    && document.speaker == index.documents[other].speaker
                    && document.analysis.terms.similarity(to: terms) >= Self.foldedSimilarity
            }) {
                selected[duplicate].duplicates.append(document.id)
                continue
            }
            guard selected.count < limit else { break }
            let matched = plan.words.enumerated().filter {
                $0.offset < 64 && candidate.matches & (1 << UInt64($0.offset)) != 0
            }.map(\.element)
            numbers.append(candidate.document)
            selected.append(
                Selected(
                    id: document.id, score: candidate.score, features: candidate.features,
                    matched: matched,
                    validity: candidate.validity, adjustment: candidate.adjustment,
                    duplicates: []))
        }
        return Ranking(candidates: selected, plan: plan)
    }

    /// Builds the index of a past moment from the journal and asks it.
    private func recallPast(
        _ request: RecallRequest, _ vector: QueryVectors?, asOf: Date, _ visibility: Visibility,
        by caller: Caller
    ) throws -> RecallResult {
        let past = try store.snapshot(owner: request.owner, asOf: asOf, by: caller)
        // Vectors of texts that have not changed since serve again.
        let current = try store.changes(
            owner: request.owner, since: .start, embedder: embedder?.identifier ?? "",
            visibility: visibility)
        let texts = Dictionary(
            uniqueKeysWithValues: try store.cubes(
                current.rows.map(\.id), owner: request.owner, by: .mneme
            ).map {
                ($0.id, $0.text)
            })
        let rows = Dictionary(uniqueKeysWithValues: current.rows.map { ($0.id, $0) })
        var changes = IndexChanges(rows: [], erased: [], reached: FeedPosition(1, vectors: 1))
        var analyses: [Analysis?] = []
        for (i, cube) in past.enumerated() {
            let known = rows[cube.id]
            analyses.append(Analysis(of: cube, analyzer: analyzer))
            var row = IndexRow(
                sequence: Int64(i), id: cube.id, type: cube.type, state: cube.state,
                eventTime: cube.eventTime, recordedTime: cube.recordedTime)
            row.agent = cube.scope.agent
            row.session = cube.scope.session
            row.place = known?.place ?? Int64(i)
            row.speaker = cube.speaker
            row.expires = cube.expires
            row.tags = cube.tags
            row.analyzer = Analysis.version
            // A vector is of the text as it is now: of another text it says nothing.
            row.vector = texts[cube.id] == cube.text ? known?.vector : nil
            row.validUntil = cube.validUntil
            changes.rows.append(row)
        }
        changes.links = current.links.filter { $0.link.time <= asOf }
        var index = try OwnerIndex(
            owner: request.owner, vectors: FlatIndex(dimension: embedder?.dimension ?? 1))
        try index.apply(changes, analyses)
        var request = request
        request.now = min(request.now, asOf)
        let cubes = Dictionary(uniqueKeysWithValues: past.map { ($0.id, $0) })
        let candidates = try latestFirst(select(index, request, vector), request) { ids in
            ids.compactMap { cubes[$0] }
        }
        let result = try pack(
            candidates, candidates.compactMap { cubes[$0.id] }, request, considered: past.count,
            pending: embedder == nil
                ? 0 : index.liveCount - index.vectors.count - (index.formerVectors?.count ?? 0))
        try store.noteRead(result.memories.map(\.memory.id), owner: request.owner, by: caller)
        return result
    }

    /// Joins ranking and text, within the token budget.
    private func pack(
        _ selected: [Selected], _ cubes: [MemCube], _ request: RecallRequest, considered: Int,
        pending: Int
    ) throws -> RecallResult {
        let byID = Dictionary(uniqueKeysWithValues: cubes.map { ($0.id, $0) })
        var result = RecallResult(
            memories: [], considered: considered, tokens: 0, milliseconds: 0,
            pendingEmbeddings: pending)
        for item in selected {
            guard let cube = byID[item.id] else { continue }  // erased since it was ranked
            let tokens = tokenCount(cube)
            if let budget = request.tokenBudget, result.tokens + tokens > budget {
                // A shorter memory further down may still fit.
                continue
            }
            result.tokens += tokens
            var explanation: [String: Double] = [:]
            if let features = item.features {
                let contributions = recipe.ranker.contributions(of: features)
                for feature in RecallFeature.allCases where contributions[feature] != 0 {
                    explanation[feature.name] = Double(contributions[feature])
                }
            } else {
                explanation[request.mode.rawValue] = Double(item.score)
            }
            if item.adjustment != 0 { explanation["plan"] = Double(item.adjustment) }
            if item.validity != 0 {
                explanation[item.validity < 0 ? "superseded" : "supersedes"] = Double(item.validity)
            }
            result.memories.append(
                RecalledMemory(
                    memory: cube, score: Double(item.score), explanation: explanation,
                    matched: item.matched,
                    duplicates: item.duplicates))
        }
        (result.memories, result.quarantined) = screened(
            result.memories, try store.policy(of: request.owner.tenant), question: request.query)
        return result
    }
}

extension MemoryOS {
    /// Features of every memory for a question, for fitting fusion weights.
    package func recallFeatures(_ request: RecallRequest) async throws -> [(
        id: CubeID, values: [Float]
    )] {
        let vector = try await queryVectors(request.query)
        return try await run { [self] in
            try withIndex(IndexKey(owner: request.owner)) { index in
                let plan = QuestionPlan(
                    request.query, speakers: index.speakers, now: request.now, analyzer: analyzer)
                return try retriever(index, request, plan, vector).ranked(
                    limit: index.documents.count
                ).map {
                    let features = $0.features ?? RecallFeatures()
                    return (
                        index.documents[$0.document].id, RecallFeature.allCases.map { features[$0] }
                    )
                }
            }
        }
    }

    /// Names of the features, in the order of ``recallFeatures(_:)``.
    package static var recallFeatureNames: [String] { RecallFeature.names }
}
