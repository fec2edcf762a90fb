import Foundation
import Mneme
public import MnemeBase
public import MnemePipeline
import MnemeStore

/// What a benchmark is run with.
public struct BenchSetup: Sendable {
    /// The stages of memory.
    public var recipe = Recipe.standard
    /// Makes vectors; nil recalls by words alone.
    public var embedder: (any TextEmbedder)?
    /// Answers the questions; nil measures recall alone.
    public var answerer: (any BenchAnswerer)?
    /// Says whether answers are right, where the format's authors have a model do so.
    public var judge: BenchJudge?
    /// The model that all of these ask, so that its calls are counted.
    public var oracle: MeteredOracle?
    /// Memories recalled for a question.
    public var limit = 10
    /// Seed of the intervals.
    public var seed: UInt64 = 1
    /// Histories that are played, and questions of each that are asked, at most.
    public var episodes = Int.max, questions = Int.max

    /// A setup of the standard recipe, by words alone, measuring recall.
    public init() {}
}

/// The data of a run: a file, or a format's own sample.
public struct BenchData: Sendable {
    /// The file; nil for the sample.
    public var path: String?
    /// The name in tables, and the first digits of the SHA-256.
    public var name: String, digest: String

    /// A file, or the sample where there is none.
    public init(path: String?, name: String, digest: String) {
        (self.path, self.name, self.digest) = (path, name, digest)
    }
}

/// Plays histories to memory, asks the questions, and meters both: the one runner of all benchmarks that
/// feed, then ask.
///
/// Each history has a store of its own. Evidence is counted by the turns that memories were made of; what
/// was derived of several turns counts for none.
public struct BenchRunner: Sendable {
    /// The format, the data, and what it is run with.
    public let format: BenchFormat, data: BenchData, setup: BenchSetup

    /// The k of any@k and all@k.
    static let depths = [1, 5, 10, 20, 50]

    /// A run that has not begun.
    public init(_ format: BenchFormat, _ data: BenchData, _ setup: BenchSetup) {
        (self.format, self.data) = (format, data)
        var setup = setup
        // The questions' vectors are made before the clock starts.
        setup.embedder = setup.embedder.map { RememberedEmbedder($0) }
        self.setup = setup
    }

    /// What results depend on.
    public var header: BenchHeader {
        BenchHeader(
            bench: format.name, data: data.name, digest: data.digest, recipe: setup.recipe.name,
            embedder: setup.embedder?.identifier ?? "none", answerer: setup.answerer?.name ?? "none, recall alone",
            judge: setup.judge?.name ?? "none", limit: setup.limit, seed: setup.seed)
    }

    /// Hands over the histories one by one, as many as the setup allows.
    ///
    /// - Throws: `InputError` for a file that is not of the format, and what `body` throws.
    public func eachEpisode(_ body: (BenchEpisode) async throws -> Void) async throws {
        var records = try data.path.map { try JSONRecords(path: $0) } ?? JSONRecords(format.sample, name: data.name)
        var number = 0
        var count = 0
        while count < setup.episodes, let record = try records.next() {
            for var episode in try format.episodes(of: record, number) where count < setup.episodes {
                episode.questions = Array(episode.questions.prefix(setup.questions))
                try await body(episode)
                count += 1
            }
            number += 1
        }
        guard count > 0 else { throw InputError("\(data.name) holds no histories.") }
    }

    /// Plays, asks and meters all that the log does not hold yet.
    ///
    /// - Parameters:
    ///   - log: gets what comes, line by line.
    ///   - progress: questions done, and the episode that is being played.
    /// - Throws: `InputError` for a file that is not of the format, `StoreError`, `ModelError`, `FileError`, and
    ///   what a model throws. What is done by then is in the log.
    public func run(_ log: BenchLog, progress: @escaping @Sendable (Int, String) -> Void) async throws {
        let known = Set(log.outcomes.map { [$0.episode, $0.question] })
        var done = 0
        try await eachEpisode { episode in
            let open = episode.questions.filter { !known.contains([episode.id, $0.id]) }
            done += episode.questions.count - open.count
            guard !open.isEmpty else { return }
            progress(done, "storing \(episode.id)")
            try await play(episode, open, log) {
                done += 1
                progress(done, episode.id)
            }
        }
    }

    /// One history and its open questions.
    private func play(
        _ episode: BenchEpisode, _ questions: [BenchQuestion], _ log: BenchLog, _ asked: () -> Void
    ) async throws {
        let memory = try BenchMemory(recipe: setup.recipe, embedder: setup.embedder, oracle: setup.oracle)
        do {
            let owner = Owner(user: "bench")
            let end = episode.turns.last?.time ?? Date(timeIntervalSince1970: 1_700_000_000)
            let calls = setup.oracle?.calls ?? 0
            let written = try await memory.feed(episode.turns, owner: owner)
            let maintained = try await memory.maintain(owner: owner, now: end)
            try log.add(
                BenchFeed(
                    episode: episode.id, turns: episode.turns.count, writeMilliseconds: written,
                    maintainMilliseconds: maintained, bytes: memory.bytes,
                    modelCalls: (setup.oracle?.calls ?? 0) - calls))
            let sessions = Dictionary(uniqueKeysWithValues: episode.turns.map { ($0.id, $0.session) })
            for question in questions {
                let asker = BenchAsker(format: format, setup: setup, memory: memory.memory, owner: owner, end: end)
                try log.add(await asker.ask(question, of: episode.id, sessions))
                asked()
            }
        } catch {
            await memory.close()
            throw error
        }
        await memory.close()
    }
}
