import Foundation
import MnemeBase
import MnemeEngine
import MnemeKV
import MnemeModels

/// One context in one mode: its tokens, computed once, and the answers to its requests from what each policy keeps.
struct SharedContextPlay {
    private let model: LanguageModel, record: SharedContext, mode: SharedContextBenchmark.Mode
    /// What is computed once; then each request, and the right answer behind it.
    private let prompt: [Int32], requests: [[Int32]], answers: [[Int32]]

    /// Encodes a record. A context that is too long loses its middle.
    ///
    /// - Throws: `EngineError` if requests and answers alone do not fit.
    init(
        _ model: LanguageModel, _ record: SharedContext, _ mode: SharedContextBenchmark.Mode,
        _ settings: SharedContextBenchmark.Settings
    ) throws {
        (self.model, self.record, self.mode) = (model, record, mode)
        let turns = record.turns.prefix(settings.turns)
        // Parts are encoded apart, as the authors do: a request is the same tokens wherever it stands.
        func encode(_ text: String) -> [Int32] { model.tokenizer.encode(text, special: false) }
        requests = turns.map { encode($0.task.request($0)) }
        answers = turns.map { turn in
            // A request that ends in a quotation mark or a blank wants no other before the answer.
            let glue = turn.task.request(turn).last.map { $0.isLetter || $0.isNumber || ":：".contains($0) } == true
            return encode((glue ? " " : "") + (turn.answers.first ?? ""))
        }
        let begin = model.tokenizer.beginToken.map { [$0] } ?? []
        let opening = begin + encode(record.turns[0].task.opening)
        let longest = turns.map(\.task.answerTokens).max() ?? 0
        let asked = zip(requests, answers).reduce(0) { $0 + $1.0.count + $1.1.count }
        let room = settings.context - opening.count - asked - longest
        guard room >= 64 else {
            throw EngineError(
                .invalidRequest,
                "The requests of \(record.id) leave no room for a context in \(settings.context) tokens. "
                    + "Ask fewer (--turns), or take a longer prompt.")
        }
        var context = encode(record.context)
        // Both ends stay: what is asked for may be anywhere, and instructions stand at either end.
        if context.count > room { context.removeSubrange(room / 2..<context.count - (room - room / 2)) }
        prompt = opening + context + (mode == .multiTurn ? requests[0] : [])
    }

    /// A prompt that was computed with all rows, and the seconds of that alone.
    struct Computed {
        var prompt: ExactPrompt, seconds: Double
    }

    /// Policies for runs, and the prompt computed once for all of them.
    ///
    /// - Throws: `KVError`.
    func prepared(_ runs: [SharedContextBenchmark.Run]) throws -> [(SharedContextBenchmark.Run, KVPolicy, Computed)] {
        let policies = try runs.map { run in
            try PolicyCatalog.policy(
                run.subject.policy, for: model.decoder,
                sample: PolicySample(Array(prompt.suffix(1024)), tokenizer: model.tokenizer),
                budget: Int(run.budget * Double(prompt.count)))
        }
        let start = ContinuousClock.now
        var computed = Computed(prompt: try ExactPrompt(model.decoder, prompt, needs: []), seconds: 0)
        computed.seconds = (ContinuousClock.now - start) / .seconds(1)
        // The passes over attention that policies look at are theirs, and no part of a prefill.
        let needs = policies.map(\.attention)
        if needs.contains(where: { $0 != .none }) {
            computed.prompt = try ExactPrompt(model.decoder, prompt, needs: needs)
        }
        return zip(runs, policies).map { ($0, $1, computed) }
    }

    /// Asks one request, and scores what is answered.
    ///
    /// - Throws: `KVError` if memory runs out.
    func ask(_ turn: Int, _ run: SharedContextBenchmark.Run, _ policy: KVPolicy, _ computed: Computed) throws
        -> BenchOutcome
    {
        let asked = record.turns[turn]
        let before = mode == .multiTurn ? history(turn) : []
        // In a conversation the first request is part of the prompt.
        let request = mode == .multiTurn && turn == 0 ? [] : requests[turn]
        let most = asked.task.answerTokens
        let share = Int(run.budget * Double(prompt.count))
        let cache = try CompressedCache(
            model.decoder, policy, budget: max(KVCompression.leastRows, share),
            positions: prompt.count + before.count + request.count + most, codec: run.subject.codec)
        // Of a conversation's first request these are the scores already.
        var logits = computed.prompt.logits
        let taken = try Self.seconds { try cache.take(computed.prompt) }
        // What the shared context costs; what a turn adds to it is part of the peak.
        let kept = cache.bytes
        let told = try Self.seconds { try Self.feed(cache, before, &logits) }
        let first = try Self.seconds { try Self.feed(cache, request, &logits) }
        let answer = try generate(cache, &logits, asked.task)
        // A conversation finds its cache as it left it; a request alone takes the context's rows first.
        let again =
            mode == .multiRequest ? taken + first : turn == 0 ? computed.seconds + taken : first
        return BenchOutcome(
            episode: record.id, question: "", category: asked.task.rawValue,
            metrics: [
                "score": asked.task.score(answer, asked.answers), "bytes": Double(kept),
                "peak bytes": Double(cache.peakBytes), "read bytes": Double(cache.readBytes),
                "full bytes": Double(prompt.count * KVShape(model.decoder.configuration).tokenBytes),
                "first token reused": again, "first token computed": computed.seconds + taken + told + first,
            ], answer: String(answer.prefix(500)), tokens: prompt.count, modelCalls: 1,
            modelTokens: before.count + request.count, recalls: 0, redundancy: 0, recallMilliseconds: 0,
            answerMilliseconds: 1000 * again)
    }

    /// What stands in a conversation between the first request and the one that is asked now.
    private func history(_ turn: Int) -> [Int32] {
        guard turn > 0 else { return [] }
        return answers[0] + (1..<turn).flatMap { requests[$0] + answers[$0] }
    }

    /// The likeliest tokens one by one: up to an end, the task's length or, for an answer of a line, its end.
    private func generate(_ cache: CompressedCache, _ logits: inout [Float], _ task: SharedContextTask) throws
        -> String
    {
        var tokens: [Int32] = []
        while tokens.count < task.answerTokens {
            try Task.checkCancellation()
            let best = Int32(logits.indices.max { logits[$0] < logits[$1] } ?? 0)
            guard !model.tokenizer.endTokens.contains(best) else { break }
            tokens.append(best)
            if task.isLine, model.tokenizer.bytes(best).contains(10),
                model.tokenizer.decode(tokens).contains(where: { !$0.isWhitespace })
            {
                break
            }
            guard tokens.count < task.answerTokens else { break }
            try Self.feed(cache, [best], &logits)
        }
        return model.tokenizer.decode(tokens)
    }

    /// Seconds that work takes.
    private static func seconds(_ work: () throws -> Void) rethrows -> Double {
        let start = ContinuousClock.now
        try work()
        return (ContinuousClock.now - start) / .seconds(1)
    }

    /// Computes tokens behind those that the cache has; nothing to compute leaves the scores as they are.
    private static func feed(_ cache: CompressedCache, _ tokens: [Int32], _ logits: inout [Float]) throws {
        guard !tokens.isEmpty else { return }
        try logits.withUnsafeMutableBufferPointer {
            try cache.feed(tokens, endsPrompt: false, logits: $0.baseAddress!)
        }
    }
}
