import Foundation
public import Mneme
public import MnemeBase
public import MnemeEmbedding
import MnemeIndex
import MnemeStore

/// Recall of evidence turns on LoCoMo conversations: each conversation is one owner, each turn one
/// memory.
///
/// Questions of categories 1 to 4 that name evidence are asked; a question is answered at k if any
/// (or all) of its evidence turns are among the first k memories.
public struct LocomoBenchmark: Sendable {
    /// The k of recall@k.
    public static let depths = [1, 5, 10, 20, 50]

    /// Quality and time of one mode over one group of questions.
    public struct Row: Sendable, Codable {
        /// The mode of recall: the default or one of its parts.
        public var mode: String
        /// The category of questions; nil is all of them.
        public var category: Int?
        /// Questions asked.
        public var questions: Int
        /// Share with any evidence among the first k.
        public var any: [Int: Double]
        /// Share with all evidence among the first k.
        public var all: [Int: Double]
        /// Mean reciprocal rank of the first evidence.
        public var meanReciprocalRank: Double
        /// Median latency.
        public var p50Milliseconds: Double
        /// Latency that one in a hundred exceeds.
        public var p99Milliseconds: Double
    }

    /// The measurements.
    public struct Report: Sendable, Codable {
        /// The data.
        public var file: String
        /// Conversations in it.
        public var conversations: Int
        /// Turns stored.
        public var memories: Int
        /// Time to store them.
        public var storeSeconds: Double
        /// Time to embed them.
        public var embedSeconds: Double
        /// A row for each mode.
        public var rows: [Row]
    }

    /// The conversations, and the file that they were read from.
    let conversations: [LocomoConversation]
    let file: String

    /// Reads the data.
    ///
    /// - Throws: `InputError` if it is no LoCoMo file.
    public init(file: String) throws {
        self.file = file
        guard let data = FileManager.default.contents(atPath: file) else {
            throw InputError("\(file) cannot be read.")
        }
        conversations = try LocomoConversation.read(data)
    }

    /// The index that finds vectors.
    public enum Index: String, Sendable, CaseIterable {
        /// Exact search.
        case scan
        /// A proximity graph.
        case graph
        /// Lists on disk around centroids.
        case clusters
        /// A buffer of what was just found, before a graph.
        case lookaside

        func make(_ dimension: Int, folder: String) throws -> any VectorIndex {
            switch self {
            case .scan: try FlatIndex(dimension: dimension)
            case .graph: try GraphIndex(dimension: dimension)
            case .clusters:
                try ClusteredIndex(
                    path: "\(folder)/\(UUID().uuidString).clusters", dimension: dimension)
            case .lookaside: LookasideBuffer(try GraphIndex(dimension: dimension))
            }
        }
    }

    /// Hits of a ``MnemeIndex/LookasideBuffer`` when conversations are replayed, see
    /// ``replay(embedder:capacity:slacks:)``.
    public struct Replay: Sendable, Codable {
        /// Radians of certainty given up.
        public var slack: Float
        /// Share of the searches that the buffer answered.
        public var hitRate: Double
        /// Share of the index's own ten nearest that was found.
        public var recall: Double
        /// Mean time of a search, in microseconds, of those that the buffer answered, and of the
        /// index.
        public var bufferMicroseconds: Double
        /// As ``bufferMicroseconds``, of the index.
        public var indexMicroseconds: Double
    }

    /// Asks every turn of the conversations, one after the other, among all turns of all of them.
    public func replay(
        embedder: any TextEmbedder, capacity: Int = 512, slacks: [Float] = [0, 0.2, 0.4, 0.6, 0.8]
    )
        throws -> [Replay]
    {
        // The turns' vectors in the order in which they were said.
        let vectors = try conversations.flatMap { conversation in
            let vectors = try embedder.embed(conversation.turns.map { "\($0.speaker): \($0.text)" })
            return (0..<vectors.count).map { vectors[$0] }
        }
        let index = try GraphIndex(dimension: embedder.dimension)
        try index.apply(VectorChanges(inserted: vectors.enumerated().map { ($0, $1) }))
        return try slacks.map { slack in
            var replay = Replay(
                slack: slack, hitRate: 0, recall: 0, bufferMicroseconds: 0, indexMicroseconds: 0)
            let buffer = LookasideBuffer(index, capacity: capacity, slack: slack)
            for vector in vectors {
                let before = buffer.searches.hits
                let start = ContinuousClock.now
                let found = try buffer.search(vector, VectorSearch(10))
                let middle = ContinuousClock.now
                let expected = try index.search(vector, VectorSearch(10))
                if buffer.searches.hits > before {
                    replay.bufferMicroseconds += (middle - start) / .microseconds(1)
                }
                replay.indexMicroseconds += (ContinuousClock.now - middle) / .microseconds(1)
                replay.recall +=
                    Double(Set(found.map(\.key)).intersection(expected.map(\.key)).count) / 10
            }
            let hits = Double(buffer.searches.hits)
            let all = Double(max(1, vectors.count))
            replay.bufferMicroseconds /= max(1, hits)
            (replay.hitRate, replay.recall, replay.indexMicroseconds) = (
                hits / all, replay.recall / all, replay.indexMicroseconds / all
            )
            return replay
        }
    }

    /// Quality of reranking by single tokens' vectors, beside the order that it is given.
    public struct Reranked: Sendable, Codable {
        /// The source of the candidates: `vectors` or `fused`.
        public var mode: String
        /// Candidates reranked.
        public var candidates: Int
        /// Share of the questions of which evidence is among the first five and ten, before and
        /// afterwards.
        public var before5: Double
        /// Before, among the first ten.
        public var before10: Double
        /// Afterwards, among the first five.
        public var after5: Double
        /// Afterwards, among the first ten.
        public var after10: Double
        /// Bytes on disk for a memory.
        public var bytesEach: Double
        /// Share of the candidates whose vectors were read before they were needed.
        public var readAhead: Double
        /// Mean time of reranking, in milliseconds, the query's tokens embedded.
        public var milliseconds: Double
    }

    /// Reranks the candidates of recall by the vectors of single tokens, kept on disk (late
    /// interaction, ColBERT: Khattab and Zaharia 2020).
    ///
    /// - Parameters:
    ///   - encoder: makes vectors of texts and of tokens.
    ///   - candidates: how many are reranked.
    ///   - progress: done, total and what.
    /// - Throws: `StoreError`, `ModelError`, `FileError`.
    public func rerank(
        encoder: BertEncoder, candidates: Int = 50,
        progress: @escaping @Sendable (Int, Int, String) -> Void
    ) async throws -> [Reranked] {
        let folder = NSTemporaryDirectory() + "mneme-bench-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let memory = MemoryOS(
            store: try SQLiteMemoryStore(
                path: folder + "/store.db", analyzer: MemoryOS.analyzerVersion),
            embedder: encoder)
        let file = try TokenVectorFile(path: folder + "/tokens", dimension: encoder.dimension)
        var keys: [String: Int] = [:]
        var references: [String] = []
        for conversation in conversations {
            let inputs = conversation.turns.map {
                MemoryInput(
                    $0.text.isEmpty ? "…" : $0.text, speaker: $0.speaker, eventTime: $0.time,
                    session: $0.session)
            }
            let remembered = try await memory.record(
                inputs, scope: Scope(user: conversation.id), by: .local)
            let tokens = try encoder.embedTokens(inputs.map { "\($0.speaker ?? ""): \($0.text)" })
            for (i, item) in remembered.enumerated() where i < tokens.count {
                keys[item.id.description] = references.count
                try file.append((0..<tokens[i].count).map { tokens[i][$0] }, for: references.count)
                references.append(conversation.turns[i].id)
            }
        }
        try await memory.embedPending { done, total in progress(done, total, "embedded") }
        var rows: [Reranked] = []
        for mode in [RecallMode.vectors, .fused] {
            var row = Reranked(
                mode: mode.rawValue, candidates: candidates, before5: 0, before10: 0, after5: 0,
                after10: 0,
                bytesEach: Double(file.byteCount) / Double(max(1, references.count)), readAhead: 0,
                milliseconds: 0)
            let earlier = file.reads
            var asked = 0.0
            for conversation in conversations {
                let known = Set(conversation.turns.map(\.id))
                for question in conversation.questions {
                    let evidence = Set(question.evidence).intersection(known)
                    guard (1...4).contains(question.category), !evidence.isEmpty else { continue }
                    var request = RecallRequest(
                        question.text, owner: Owner(user: conversation.id), limit: candidates)
                    request.now = conversation.turns.last?.time ?? Date()
                    request.mode = .vectors
                    // A quick search suggests what is read while the thorough one runs.
                    let quick = try await memory.recall(request).memories.compactMap {
                        keys[$0.memory.id.description]
                    }
                    file.prefetch(quick)
                    request.mode = mode
                    let found = try await memory.recall(request).memories.compactMap {
                        keys[$0.memory.id.description]
                    }
                    let start = ContinuousClock.now
                    let tokens = try encoder.embedTokens([question.text])[0]
                    let order = try file.rerank(found, for: (0..<tokens.count).map { tokens[$0] })
                        .map(\.key)
                    row.milliseconds += (ContinuousClock.now - start) / .milliseconds(1)
                    /// The share of the evidence that is among the first k.
                    func share(_ order: [Int], _ k: Int) -> Double {
                        order.prefix(k).contains { evidence.contains(references[$0]) } ? 1 : 0
                    }
                    row.before5 += share(found, 5)
                    row.before10 += share(found, 10)
                    row.after5 += share(order, 5)
                    row.after10 += share(order, 10)
                    asked += 1
                    progress(Int(asked), 0, "questions")
                }
            }
            for path in [\Reranked.before5, \.before10, \.after5, \.after10, \.milliseconds] {
                row[keyPath: path] /= max(1, asked)
            }
            let ahead = file.reads.ahead - earlier.ahead
            let waited = file.reads.waited - earlier.waited
            row.readAhead = Double(ahead) / Double(max(1, ahead + waited))
            rows.append(row)
        }
        await memory.close()
        return rows
    }

    /// Loads the conversations into a store of its own and asks every question in every mode.
    ///
    /// - Parameters:
    ///   - embedder: makes the vectors.
    ///   - index: what finds them.
    ///   - modes: recall as a whole, and by parts of it.
    ///   - isLinked: whether the job `link` is done before.
    ///   - featuresFile: where features are written for fitting; nil for nowhere.
    ///   - progress: done, total and what.
    /// - Throws: `StoreError`, `ModelError`, `FileError` if the features cannot be written.
    public func run(
        embedder: any TextEmbedder, index: Index = .scan, modes: [RecallMode] = RecallMode.allCases,
        isLinked: Bool = false, featuresFile: String? = nil,
        progress: @escaping @Sendable (Int, Int, String) -> Void
    ) async throws -> Report {
        let folder = NSTemporaryDirectory() + "mneme-bench-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let memory = MemoryOS(
            store: try SQLiteMemoryStore(
                path: folder + "/store.db", analyzer: MemoryOS.analyzerVersion),
            embedder: embedder
        ) {
            try index.make($0, folder: folder)
        }
        let clock = ContinuousClock()
        // Turns are stored as an import would store them.
        var report = Report(
            file: (file as NSString).lastPathComponent, conversations: conversations.count,
            memories: 0,
            storeSeconds: 0, embedSeconds: 0, rows: [])
        var ids: [String: [String: String]] = [:]
        let start = clock.now
        for conversation in conversations {
            let inputs = conversation.turns.map { turn in
                var input = MemoryInput(
                    turn.text.isEmpty ? "…" : turn.text, speaker: turn.speaker,
                    eventTime: turn.time,
                    session: turn.session)
                input.reference = turn.id
                return input
            }
            for first in stride(from: 0, to: inputs.count, by: 256) {
                let remembered = try await memory.record(
                    Array(inputs[first..<min(first + 256, inputs.count)]),
                    scope: Scope(user: conversation.id),
                    by: .local)
                for item in remembered {
                    ids[conversation.id, default: [:]][item.id.description] =
                        item.memory.provenance.reference
                }
            }
            report.memories += inputs.count
        }
        report.storeSeconds = (clock.now - start) / .seconds(1)
        let stored = clock.now
        try await memory.embedPending { done, total in progress(done, total, "embedded") }
        report.embedSeconds = (clock.now - stored) / .seconds(1)
        if isLinked {
            _ = try await memory.enqueue(.link)
            _ = try await JobRunner(memory).drain()
        }

        if let featuresFile { try await writeFeatures(memory, ids, to: featuresFile) }
        let total = conversations.reduce(0) { $0 + $1.questions.count } * modes.count
        var asked = 0
        for mode in modes {
            var outcomes: [Outcome] = []
            for conversation in conversations {
                let known = Set(conversation.turns.map(\.id))
                for question in conversation.questions {
                    asked += 1
                    let evidence = Set(question.evidence).intersection(known)
                    guard (1...4).contains(question.category), !evidence.isEmpty else { continue }
                    var request = RecallRequest(
                        question.text, owner: Owner(user: conversation.id), limit: Self.depths.last!
                    )
                    request.mode = mode
                    request.now = conversation.turns.last?.time ?? Date()
                    let result = try await memory.recall(request)
                    let ranking = result.memories.compactMap {
                        ids[conversation.id]?[$0.memory.id.description]
                    }
                    outcomes.append(
                        Outcome(
                            category: question.category, evidence: evidence, ranking: ranking,
                            milliseconds: result.milliseconds))
                    if asked % 64 == 0 { progress(asked, total, "questions") }
                }
            }
            // A row for all questions, then one a category.
            for category in [nil, 1, 2, 3, 4] as [Int?] {
                let group = category.map { c in outcomes.filter { $0.category == c } } ?? outcomes
                if !group.isEmpty { report.rows.append(Self.row(mode.rawValue, category, group)) }
            }
        }
        await memory.close()
        return report
    }

    /// One question: its evidence, what was found in which order, and how long that took.
    private struct Outcome {
        var category: Int
        var evidence: Set<String>
        var ranking: [String]
        var milliseconds: Double
    }

    /// Sums a group of questions up.
    private static func row(_ mode: String, _ category: Int?, _ group: [Outcome]) -> Row {
        let n = Double(group.count)
        var row = Row(
            mode: mode, category: category, questions: group.count, any: [:], all: [:],
            meanReciprocalRank: 0,
            p50Milliseconds: 0, p99Milliseconds: 0)
        for k in depths {
            row.any[k] =
                Double(group.count { !$0.evidence.isDisjoint(with: $0.ranking.prefix(k)) }) / n
            row.all[k] = Double(group.count { $0.evidence.isSubset(of: $0.ranking.prefix(k)) }) / n
        }
        row.meanReciprocalRank =
            group.reduce(0) { sum, outcome in
                sum
                    + (outcome.ranking.firstIndex { outcome.evidence.contains($0) }.map {
                        1 / Double($0 + 1)
                    } ?? 0)
            } / n
        let times = group.map(\.milliseconds).sorted()
        row.p50Milliseconds = times.percentile(50)
        row.p99Milliseconds = times.percentile(99)
        return row
    }

    /// One JSON line a question: features of every turn and which are evidence.
    /// `scripts/fit_fusion.py` fits the fusion weights on them. The file is there whole or not at
    /// all.
    ///
    /// - Parameter ids: of each conversation's memories, which turn they are.
    private func writeFeatures(
        _ memory: MemoryOS, _ ids: [String: [String: String]], to path: String
    ) async throws {
        let file = try AtomicFile(path, mode: 0o644)
        /// One line of the file.
        struct Line: Encodable {
            var conversation: String
            var category: Int
            var names: [String]
            var evidence: [Int]
            var features: [[Float]]
        }
        for conversation in conversations {
            let known = Set(conversation.turns.map(\.id))
            for question in conversation.questions {
                let evidence = Set(question.evidence).intersection(known)
                guard (1...4).contains(question.category), !evidence.isEmpty else { continue }
                var request = RecallRequest(
                    question.text, owner: Owner(user: conversation.id), limit: 50)
                request.now = conversation.turns.last?.time ?? Date()
                let features = try await memory.recallFeatures(request)
                let positive = features.indices.filter {
                    evidence.contains(ids[conversation.id]?[features[$0].id.description] ?? "")
                }
                let line = Line(
                    conversation: conversation.id, category: question.category,
                    names: MemoryOS.recallFeatureNames,
                    evidence: positive,
                    features: features.map(\.values))
                try file.write(Data((try OperationTable.encode(line) + "\n").utf8))
            }
        }
        try file.finish()
    }
}

extension [Double] {
    /// The value that p in a hundred do not exceed, of sorted values; 0 if there are none.
    func percentile(_ p: Double) -> Double {
        isEmpty ? 0 : self[Swift.min(count - 1, Int((Double(count) * p / 100).rounded(.down)))]
    }
}
