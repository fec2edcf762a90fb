import Foundation
public import MnemeEngine
import MnemeKV
import MnemeModels

extension KVPolicyBenchmark {
    /// Measures subjects on prompts cut from a text. Each prompt is computed once for all of them.
    ///
    /// - Parameters:
    ///   - model: any; policies that look for retrieval heads do so in a sample of the text.
    ///   - tokens: of a text; prompts are cut from it.
    ///   - subjects: what is measured. `full` is, whether it is named or not.
    ///   - budgets: shares of a prompt.
    ///   - settings: lengths and numbers of prompts.
    ///   - results: a file of measurements that is gone on from, and added to; nil keeps none.
    ///   - source: names text and model there.
    ///   - passOver: told of each subject that does not go together with its codec or the model, and why;
    ///     nil throws instead.
    ///   - progress: called with measurements done and their number, and how many were there before.
    /// - Returns: `full` first.
    /// - Throws: ``MnemeEngine/EngineError``, ``MnemeKV/KVError``, `CancellationError`.
    public static func run(
        _ model: LanguageModel, tokens: [Int32], subjects: [Subject], budgets: [Double],
        settings: Settings = Settings(), results: String? = nil, source: String = "",
        passOver: ((_ subject: String, _ why: String) -> Void)? = nil,
        progress: (_ done: Int, _ all: Int, _ before: Int) -> Void = { _, _, _ in }
    ) throws -> [Row] {
        var bench = try KVPolicyRun(
            model, tokens, subjects, budgets, settings, KVMeasurementFile(results, of: source, settings))
        if let passOver { try bench.passOver(passOver) }
        try bench.run(progress)
        return rows(bench.file.measurements, bench.runs, settings)
    }
}

/// A run over all prompts.
private struct KVPolicyRun {
    private(set) var runs: [KVPolicyBenchmark.Run]
    let file: KVMeasurementFile
    private let model: LanguageModel, tokens: [Int32], settings: KVPolicyBenchmark.Settings
    private let windows: Int
    /// Policies that were asked for so far, as some are measured first.
    private var policies: [KVPolicyBenchmark.Run: KVPolicy] = [:]
    /// What a prompt is asked, for policies that ask while they read it.
    private var question: [Int32] = []
    /// Scores behind each token of a tail, from all rows.
    private var exact: [[Float]] = []
    private var decoder: TransformerDecoder { model.decoder }

    init(
        _ model: LanguageModel, _ tokens: [Int32], _ subjects: [KVPolicyBenchmark.Subject],
        _ budgets: [Double], _ settings: KVPolicyBenchmark.Settings, _ file: KVMeasurementFile
    ) throws {
        let room = model.decoder.configuration.contextLength
        windows = min(settings.windows, tokens.count / (settings.context + settings.tail + 1))
        guard windows > 0, settings.context >= 256, settings.tail > 0,
            settings.context + settings.tail + 64 <= room
        else {
            throw EngineError(
                .invalidRequest,
                "A prompt has 256 tokens at least; the text (\(tokens.count) tokens) is shorter than one and its tail, or they do not fit the model's context (\(room))."
            )
        }
        guard budgets.allSatisfy({ $0 > 0 && $0 <= 1 }) else {
            throw EngineError(.invalidRequest, "Budgets lie above 0 and up to 1.")
        }
        guard settings.depths.allSatisfy({ $0 >= 0 && $0 <= 1 }) else {
            throw EngineError(.invalidRequest, "Depths are shares of the text, from 0 to 1.")
        }
        // Everything is compared with the full cache, which so comes first. Codecs alone have no
        // budget.
        let whole = try KVPolicyBenchmark.Subject("full")
        var runs = [KVPolicyBenchmark.Run(subject: whole, budget: 1)]
        for subject in subjects where subject != whole {
            for budget in subject.policy == "full" ? [1] : budgets {
                let run = KVPolicyBenchmark.Run(subject: subject, budget: budget)
                if !runs.contains(run) { runs.append(run) }
            }
        }
        (self.runs, self.model, self.tokens, self.settings) = (runs, model, tokens, settings)
        self.file = file
    }

    /// Leaves out what cannot be: a codec beside codes of a policy's own, positions that move in a window.
    mutating func passOver(_ told: (String, String) -> Void) throws {
        for run in runs where !file.has(run, .text, 0) {
            do {
                try CompressedSequence.check(decoder.configuration, policy(run), run.subject.codec)
            } catch let error as KVError where error.code == .unsupported {
                runs.removeAll { $0 == run }
                told(run.subject.description, error.message)
            }
        }
    }

    /// Measures what the file does not have: first the text behind prompts, then the numbers hidden
    /// in them.
    mutating func run(_ progress: (Int, Int, Int) -> Void) throws {
        let all = runs.count * (windows + 2 * settings.needles + settings.summaries + settings.chats)
        var done = 0
        var before = 0
        func missing(_ task: KVMeasurement.Task, _ number: Int) -> [KVPolicyBenchmark.Run] {
            runs.filter { !file.has($0, task, number) }
        }
        func each(_ task: KVMeasurement.Task, _ count: Int, _ measure: (Int, [KVPolicyBenchmark.Run]) throws -> Void)
            rethrows
        {
            for number in 0..<count {
                let open = missing(task, number)
                done += runs.count - open.count
                before += runs.count - open.count
                try measure(number, open)
            }
        }
        func didMeasure() {
            done += 1
            progress(done, all, before)
        }
        try each(.text, windows) { try measureText($0, $1, didMeasure) }
        for number in 0..<settings.needles {
            for task in [KVMeasurement.Task.needle, .passkey] {
                let open = missing(task, number)
                done += runs.count - open.count
                before += runs.count - open.count
                try find(task, number, open, didMeasure)
            }
        }
        try each(.summary, settings.summaries) { try sumUp($0, $1, didMeasure) }
        try each(.chat, settings.chats) { try find(.chat, $0, $1, didMeasure) }
    }

    /// Predicts the text behind a prompt.
    private mutating func measureText(
        _ number: Int, _ open: [KVPolicyBenchmark.Run], _ didMeasure: () -> Void
    ) throws {
        guard !open.isEmpty else { return }
        let start = number * (tokens.count / windows)
        let part =
            (model.tokenizer.beginToken.map { [$0] } ?? [])
            + tokens[start..<start + settings.context + settings.tail]
        let seen = Array(part.prefix(settings.context))
        // The full cache is what others are compared with, whether it was measured or not.
        let subjects = open.contains(runs[0]) ? open : [runs[0]] + open
        let prompt = try prompt(seen, subjects)
        exact = []
        for run in subjects {
            try Task.checkCancellation()
            var (cache, logits) = try cache(run, prompt, seen, positions: part.count)
            var result = KVMeasurement(run, .text, number)
            (result.bytes, result.peakBytes) = (cache.bytes, cache.peakBytes)
            result.headRows = run == runs[0] ? nil : cache.headRows
            var read = 0
            for j in 0..<settings.tail {
                if run == runs[0] { exact.append(logits) }
                logits.withUnsafeBufferPointer {
                    result.add($0, exact[j], target: Int(part[settings.context + j]))
                }
                let begun = ContinuousClock().now
                try Self.feed(cache, [part[settings.context + j]], &logits)
                result.seconds += (ContinuousClock().now - begun) / .seconds(1)
                read += cache.readBytes
            }
            result.readBytes = read / settings.tail
            if !cache.readings.isEmpty { result.readings = cache.readings }
            guard open.contains(run) else { continue }
            try file.add(result)
            didMeasure()
        }
    }

    /// Asks for a number that is hidden in a prompt.
    private mutating func find(
        _ kind: KVMeasurement.Task, _ number: Int, _ open: [KVPolicyBenchmark.Run],
        _ didMeasure: () -> Void
    ) throws {
        guard !open.isEmpty else { return }
        let depths = settings.depths
        let task =
            kind == .chat
            ? try Haystack(chat: model, tokens, context: settings.context, number: number)
            : Haystack(
                model, tokens, context: settings.context, number: number, keys: kind == .needle ? 1 : 4,
                depth: depths.isEmpty || kind == .passkey ? nil : depths[number % depths.count])
        question = task.question
        defer { question = [] }
        let seen = settings.asksLater ? task.text : task.text + task.question
        let prompt = try prompt(seen, open)
        for run in open {
            try Task.checkCancellation()
            var (cache, logits) = try cache(
                run, prompt, seen, positions: task.text.count + task.question.count + task.answer.count)
            if settings.asksLater { try Self.feed(cache, task.question, &logits) }
            // Found means that each token of the answer is the likeliest one, behind those before
            // it.
            var result = KVMeasurement(run, kind, number)
            result.found = true
            for token in task.answer where result.found {
                result.found = logits.indices.max { logits[$0] < logits[$1] } == Int(token)
                try Self.feed(cache, [token], &logits)
            }
            try file.add(result)
            didMeasure()
        }
    }

    /// Sums a text up, and compares the summary with that from all rows.
    private mutating func sumUp(
        _ number: Int, _ open: [KVPolicyBenchmark.Run], _ didMeasure: () -> Void
    ) throws {
        guard !open.isEmpty else { return }
        let task = Haystack(
            summary: model, tokens, context: settings.context, number: number, of: settings.summaries)
        question = task.question
        defer { question = [] }
        let seen = settings.asksLater ? task.text : task.text + task.question
        let subjects = open.contains(runs[0]) ? open : [runs[0]] + open
        let prompt = try prompt(seen, subjects)
        var reference: String?
        for run in subjects {
            try Task.checkCancellation()
            var (cache, logits) = try cache(
                run, prompt, seen, positions: task.text.count + task.question.count + Self.summaryTokens)
            if settings.asksLater { try Self.feed(cache, task.question, &logits) }
            var summary: [Int32] = []
            for _ in 0..<Self.summaryTokens {
                let next = Int32(logits.indices.max { logits[$0] < logits[$1] } ?? 0)
                if model.tokenizer.endTokens.contains(next) { break }
                summary.append(next)
                try Self.feed(cache, [next], &logits)
            }
            let text = model.text(of: summary)
            // That from all rows is the first.
            reference = reference ?? text
            guard open.contains(run) else { continue }
            var result = KVMeasurement(run, .summary, number)
            result.overlap = SummaryOverlap.score(text, reference ?? text)
            try file.add(result)
            didMeasure()
        }
    }

    /// Tokens of a summary at most: what differs early differs all the way, and little is said by more.
    private static let summaryTokens = 48

    /// The prompt with all rows, unless they are evicted while it is read.
    private mutating func prompt(_ seen: [Int32], _ open: [KVPolicyBenchmark.Run]) throws
        -> ExactPrompt?
    {
        if settings.evictsInPrompt { return nil }
        var needs: [AttentionNeed] = []
        for run in open { needs.append(try policy(run).attention) }
        return try ExactPrompt(decoder, seen, needs: needs)
    }

    /// A cache behind a prompt, and the scores of what follows it.
    private mutating func cache(
        _ run: KVPolicyBenchmark.Run, _ prompt: ExactPrompt?, _ seen: [Int32], positions: Int
    ) throws -> (CompressedCache, [Float]) {
        let policy = try policy(run)
        let share = Int(run.budget * Double(seen.count))
        let cache = try CompressedCache(
            decoder, policy, budget: prompt == nil ? share : max(KVCompression.leastRows, share),
            positions: positions + question.count + 128, codec: run.subject.codec, exact: settings.exact)
        cache.question = question
        if policy.episodes > 0 {
            let ends = PolicySample(tokenizer: model.tokenizer).ends
            let episodes = Episodes(seen, count: policy.episodes, ends: ends, decoder: decoder)
            let asked = question.isEmpty ? Array(seen.suffix(64)) : question
            cache.question = episodes.nearest(to: asked).map { episodes.medoids[$0] } ?? question
        }
        if let prompt {
            try cache.take(prompt)
            return (cache, prompt.logits)
        }
        var logits = [Float](repeating: 0, count: decoder.configuration.vocabularySize)
        try Self.feed(cache, seen, &logits, endsPrompt: true)
        return (cache, logits)
    }

    private mutating func policy(_ run: KVPolicyBenchmark.Run) throws -> KVPolicy {
        let key = KVPolicyBenchmark.Run(
            subject: KVPolicyBenchmark.Subject(policy: run.subject.policy), budget: run.budget)
        if let known = policies[key] { return known }
        let policy = try PolicyCatalog.policy(
            run.subject.policy, for: decoder,
            sample: PolicySample(Array(tokens.suffix(settings.context)), tokenizer: model.tokenizer),
            budget: Int(run.budget * Double(settings.context)))
        policies[key] = policy
        return policy
    }

    private static func feed(
        _ cache: CompressedCache, _ tokens: [Int32], _ logits: inout [Float], endsPrompt: Bool = false
    ) throws {
        try logits.withUnsafeMutableBufferPointer {
            try cache.feed(tokens, endsPrompt: endsPrompt, logits: $0.baseAddress!)
        }
    }
}
