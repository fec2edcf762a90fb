import Foundation
import MnemeIndex
import MnemeStore

/// Has a store find candidates for a question, and makes a small index of them: what is asked of it
/// is answered as by the index of all memories, so far as an answer is among the candidates.
///
/// Words weigh as among all memories, and sessions count whole. The graph of links is that of the
/// candidates: what only a walk over memories between would reach is not found.
struct CandidateSearch {
    /// Finds the candidates.
    let store: any CandidateStore
    /// The request, and what its caller reaches.
    let request: RecallRequest, visibility: Visibility
    /// The identifier and dimension of the embedder; nil asks for words alone.
    let embedder: (identifier: String, dimension: Int)?
    /// Cuts the question into terms.
    let analyzer: TextAnalyzer

    /// Candidates by each of: words, words of neighbours, meaning, each time that is named.
    private static let perProbe = 150
    /// Days around a time that is named within which candidates are looked for.
    private static let days = 9.0
    /// Years before the present in which a day without a year is looked for, and after it.
    private static let years = -5...1

    /// An index of candidates.
    struct Found {
        var index: OwnerIndex
        /// Those of its documents that may be answers.
        var answers: KeySet
        /// The plan of the question, made with all speakers.
        var plan: QuestionPlan
        /// Counts of all memories.
        var counts: CorpusCounts
    }

    /// Finds candidates.
    ///
    /// - Parameter vector: the question's.
    /// - Returns: nil if the store cannot, and the index has to be loaded.
    /// - Complexity: one pass over the owner's memories, and one over the vectors, in the store.
    func run(_ vector: [Float]?) throws -> Found? {
        let scope = scope
        if let embedder, vector != nil,
            try !store.comparesVectors(of: request.owner, embedder: embedder.identifier)
        {
            return nil
        }
        // Whose names are no words to look for is known when all memories were passed over.
        var matches = TermMatches(plan(speakers: [:]).terms)
        let counts = try store.forEachMatch(scope, terms: matches.terms.map(Self.bytes)) { row in
            matches.add(
                TermMatches.Document(
                    number: row.sequence, session: row.session, place: row.place, isAllowed: row.fits),
                terms: Analysis.terms(in: row.analysis))
        }
        guard let counts else { return nil }
        let speakers = Dictionary(
            counts.speakers.filter { !$0.key.isEmpty }.map { ($0.key.lowercased(), $0.value) }, uniquingKeysWith: +)
        let plan = plan(speakers: speakers)
        let whole = CorpusStatistics(
            documents: counts.memories, sessions: counts.sessions,
            terms: matches.termCount(ofBytes: counts.analysisBytes), documentCounts: matches.documentCounts(plan.terms))
        var candidates = matches.best(Self.perProbe, plan.terms, in: whole)
        candidates += matches.best(Self.perProbe, by: .window, plan.terms, in: whole)
        if let embedder, let vector {
            candidates += try store.nearest(
                scope, to: vector, embedder: embedder.identifier, limit: Self.perProbe)
        }
        if !plan.times.isEmpty {
            candidates += try store.dated(
                scope, within: plan.times.flatMap(Self.spans), limit: Self.perProbe / plan.times.count)
        }
        let rows = try store.candidates(
            scope, Set(candidates).sorted(), embedder: embedder?.identifier ?? "")
        let index = try index(of: rows, matches, whole)
        let answers = rows.changes.rows.filter { rows.answers.contains($0.sequence) }
        return Found(
            index: index, answers: KeySet(answers.compactMap { index.number(of: $0.id) }), plan: plan,
            counts: counts)
    }

    /// An index of rows, which scores as one of all memories.
    private func index(of rows: CandidateRows, _ matches: TermMatches, _ whole: CorpusStatistics) throws
        -> OwnerIndex
    {
        var index = try OwnerIndex(
            owner: request.owner, visibility: visibility,
            vectors: FlatIndex(dimension: embedder?.dimension ?? 1))
        try index.apply(rows.changes, rows.changes.rows.map { Analysis(encoded: $0.analysis) })
        let sessionCounts = matches.sessionCounts(Set(rows.sessions.values.map(\.row)))
        index.complete(
            whole,
            sessions: rows.sessions.mapValues {
                (sessionCounts[$0.row] ?? [:], matches.termCount(ofBytes: $0.analysisBytes))
            })
        return index
    }

    /// The request's conditions.
    private var scope: CandidateScope {
        var filter = CubeFilter(owner: request.owner)
        (filter.agent, filter.session, filter.type) = (request.agent, request.session, request.type)
        (filter.tag, filter.from, filter.before) = (request.tag, request.from, request.before)
        filter.at = request.at
        return CandidateScope(filter, visibility, now: request.now)
    }

    private func plan(speakers: [String: Int]) -> QuestionPlan {
        QuestionPlan(request.query, speakers: speakers, now: request.now, analyzer: analyzer)
    }

    /// A term as analyses hold it.
    private static func bytes(of term: TermCounts.Term) -> Data {
        withUnsafeBytes(of: term.littleEndian) { Data($0) }
    }

    /// Where memories near a time are, see ``TimeExpression/proximity(to:)``.
    private static func spans(_ time: TimeExpression) -> [DateInterval] {
        let around = days * 86_400
        return (time.fixesYear ? 0...0 : years).compactMap { shift in
            guard let start = TimeExpressions.calendar.date(byAdding: .year, value: shift, to: time.start),
                let end = TimeExpressions.calendar.date(byAdding: .year, value: shift, to: time.end), start <= end
            else { return nil }
            return DateInterval(start: start - around, end: end + around)
        }
    }
}
