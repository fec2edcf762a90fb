import Foundation
import Mneme
import MnemeStore

/// Asks one question of a history that is stored, and scores what comes.
struct BenchAsker {
    let format: BenchFormat, setup: BenchSetup
    let memory: MemoryOS, owner: Owner
    /// The time of the history's last turn.
    let end: Date

    /// What recall brought for one question, in one call or several.
    private struct Found {
        var memories: [MemCube] = []
        var tokens = 0, calls = 0, repeated = 0, all = 0
        var milliseconds = 0.0
        var redundancy: Double { all > 0 ? Double(repeated) / Double(all) : 0 }
    }

    /// - Parameter sessions: which session each turn is of.
    func ask(_ question: BenchQuestion, of episode: String, _ sessions: [String: String]) async throws -> BenchOutcome {
        let now = question.time ?? end
        let found = try await recall(question.text, now)
        let ranking = RankScore.distinct(found.memories.compactMap(\.provenance.reference))
        var outcome = BenchOutcome(
            episode: episode, question: question.id, category: question.category,
            metrics: evidence(question, ranking, sessions), answer: "", tokens: found.tokens, modelCalls: 0,
            modelTokens: 0, recalls: found.calls, redundancy: found.redundancy,
            recallMilliseconds: found.milliseconds, answerMilliseconds: 0)
        if !question.isUnanswerable, !question.answers.isEmpty {
            let text = found.memories.map(\.text).joined(separator: "\n")
            outcome.metrics["found@\(setup.limit)"] = TextScore.best(question.answers) { TextScore.contains(text, $0) }
        }
        guard let answerer = setup.answerer, question.isUnanswerable || !question.answers.isEmpty else {
            return outcome
        }
        let start = ContinuousClock.now
        let before = (setup.oracle?.calls ?? 0, setup.oracle?.tokens ?? 0)
        outcome.answer = try await answerer.answer(
            BenchContext(question: question, memories: found.memories, memory: memory, owner: owner, now: now))
        outcome.answerMilliseconds = (ContinuousClock.now - start) / .milliseconds(1)
        outcome.modelCalls = (setup.oracle?.calls ?? 0) - before.0
        outcome.modelTokens = (setup.oracle?.tokens ?? 0) - before.1
        outcome.metrics.merge(try await scores(outcome.answer, question)) { $1 }
        return outcome
    }

    /// Recalls, and once more with the names found, as often as the format allows.
    private func recall(_ question: String, _ now: Date) async throws -> Found {
        var found = Found()
        var seen: Set<CubeID> = []
        var asked: Set<String> = []
        var next: String? = question
        while let query = next, found.calls < max(1, format.calls) {
            var request = RecallRequest(query, owner: owner, limit: setup.limit)
            request.now = now
            _ = try setup.embedder?.embed([query], as: .query)
            let result = try await memory.recall(request)
            let new = result.memories.map(\.memory).filter { seen.insert($0.id).inserted }
            found.calls += 1
            found.all += result.memories.count
            found.repeated += result.memories.count - new.count
            found.tokens += result.tokens
            found.milliseconds += result.milliseconds
            found.memories += new
            next =
                new.isEmpty ? nil : FollowUp.question(question, found.memories.prefix(5).map(\.text), asked: &asked)
        }
        return found
    }

    /// Scores of the ranking, where the file marks evidence.
    private func evidence(_ question: BenchQuestion, _ ranking: [String], _ sessions: [String: String]) -> [String:
        Double]
    {
        var metrics: [String: Double] = [:]
        if !question.evidence.isEmpty {
            for k in BenchRunner.depths where k <= setup.limit {
                metrics["any@\(k)"] = RankScore.any(ranking, question.evidence, k)
                metrics["all@\(k)"] = RankScore.all(ranking, question.evidence, k)
            }
            metrics["MRR"] = RankScore.reciprocalRank(ranking, question.evidence)
        }
        if !question.sessions.isEmpty {
            let order = RankScore.distinct(ranking.compactMap { sessions[$0] })
            for k in [5, 10] where k <= setup.limit {
                metrics["session all@\(k)"] = RankScore.all(order, question.sessions, k)
                metrics["session NDCG@\(k)"] = RankScore.ndcg(order, question.sessions, k)
            }
        }
        return metrics
    }

    /// Scores of the answer: the format's own, whether declining was right, and the judge's verdict.
    private func scores(_ answer: String, _ question: BenchQuestion) async throws -> [String: Double] {
        var scores = format.score(answer, question)
        let declines: Double = BenchAnswer.declines(answer) ? 1 : 0
        scores[question.isUnanswerable ? "declined rightly" : "declined wrongly"] = declines
        if !question.outdated.isEmpty {
            let isOld = question.outdated.contains { TextScore.contains(answer, $0) > 0 }
            let isNew = question.answers.contains { TextScore.contains(answer, $0) > 0 }
            scores["outdated"] = isOld && !isNew ? 1 : 0
        }
        if format.judged != nil, let judge = setup.judge {
            scores["judged"] = try await judge.verdict(on: answer, to: question)
        }
        return scores
    }
}
