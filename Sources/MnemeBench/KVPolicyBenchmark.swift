import Foundation
import MnemeBase
public import MnemeEngine
public import MnemeKV
import MnemeModels

/// Loss by an evicting or quantized KV cache: perplexity and divergence on the text behind a
/// prompt, what is still found of numbers hidden in it, bytes, and speed.
///
/// The tasks are those of the papers: a needle in a haystack (one number), and a pass key among
/// four, as in LongBench and StreamingLLM's evaluation. `window` and `random` are the baselines
/// that a policy must beat.
public struct KVPolicyBenchmark: Sendable {
    /// A policy, and how rows that it keeps are coded.
    public struct Subject: Sendable, Hashable, CustomStringConvertible {
        /// One of ``MnemeKV/PolicyCatalog/names``.
        public var policy: String
        /// The codec of kept rows.
        public var codec: KVCodec

        /// From `NAME`, `CODEC` or `NAME+CODEC`.
        ///
        /// - Throws: ``MnemeEngine/EngineError`` if there is no such name.
        public init(_ name: String) throws {
            let parts = name.lowercased().split(separator: "+", omittingEmptySubsequences: false)
                .map(String.init)
            let codec = KVCodec(rawValue: parts.last ?? "")
            let policy = codec == nil ? parts[0] : parts.count > 1 ? parts[0] : "full"
            guard parts.count <= 2, PolicyCatalog.names.contains(policy),
                parts.count == 1 || codec != nil
            else {
                throw EngineError(
                    .invalidRequest,
                    "There is no policy '\(name.prefix(40))'. There are \(PolicyCatalog.names.joined(separator: ", ")), each alone or with +\(KVCodec.allCases.dropFirst().map(\.rawValue).joined(separator: ", +"))."
                )
            }
            self.policy = policy
            self.codec = codec ?? .f16
        }

        /// As it was given.
        public var description: String {
            codec == .f16
                ? policy : policy == "full" ? codec.rawValue : "\(policy)+\(codec.rawValue)"
        }
    }

    /// The settings of a measurement.
    public struct Settings: Sendable {
        /// Tokens of a prompt, and of the text behind it that is predicted one by one.
        public var context = 1024, tail = 128
        /// Parts of the text, and prompts with something to find of either kind.
        public var windows = 8, needles = 20
        /// True if the question comes only after rows were evicted, so that nothing is chosen for
        /// it.
        public var asksLater = false
        /// The last rows that no codec touches.
        public var exact = 128

        /// The usual.
        public init() {}
    }

    /// The measurements of one subject with one budget.
    public struct Row: Sendable, Codable {
        /// The policy and codec.
        public var policy: String
        /// Of the prompt's rows that a head may keep on average.
        public var budget: Double
        /// exp of the mean negative log-likelihood of the tails.
        public var perplexity: Double
        /// Nats of divergence from a whole cache, and how often the likeliest token is the same.
        public var divergence: Double, agreement: Double
        /// Of the numbers hidden in a text (one a text; one of four to be told apart), how many are
        /// found.
        public var needle: Double, passkey: Double
        /// Bytes kept behind the prompt and the most at any time; means.
        public var bytes: Int, peakBytes: Int
        /// Tokens a second of the tails, with the policy's work.
        public var tokensPerSecond: Double
    }

    /// - Parameters:
    ///   - model: any; policies that look for retrieval heads do so in a sample of the text.
    ///   - tokens: of a text; prompts are cut from it.
    ///   - subjects: what is measured. `full` is, whether it is named or not.
    ///   - budgets: shares of a prompt.
    ///   - settings: lengths and numbers of prompts.
    ///   - progress: called with prompts done and their number.
    /// - Returns: `full` first.
    /// - Throws: ``MnemeEngine/EngineError``, ``MnemeKV/KVError``.
    public static func run(
        _ model: LanguageModel, tokens: [Int32], subjects: [Subject], budgets: [Double],
        settings: Settings = Settings(), progress: (Int, Int) -> Void
    ) throws -> [Row] {
        let decoder = model.decoder
        let c = decoder.configuration
        let context = settings.context
        let tail = settings.tail
        let windows = min(settings.windows, tokens.count / (context + tail + 1))
        guard windows > 0, context >= 256, tail > 0, context + tail + 64 <= c.contextLength else {
            throw EngineError(
                .invalidRequest,
                "A prompt has 256 tokens at least; the text is shorter than one and its tail, or they do not fit the model's context."
            )
        }
        guard budgets.allSatisfy({ $0 > 0 && $0 <= 1 }) else {
            throw EngineError(.invalidRequest, "Budgets lie above 0 and up to 1.")
        }
        // Everything is compared with the full cache, which so comes first. Codecs alone have no
        // budget.
        let whole = try Subject("full")
        var runs = [(subject: whole, budget: 1.0)]
        for subject in subjects where subject != whole {
            runs += (subject.policy == "full" ? [1] : budgets).map { (subject, $0) }
        }
        var policies: [KVPolicy] = []
        for run in runs {
            let rows = Int(run.budget * Double(context))
            policies.append(
                try PolicyCatalog.policy(
                    run.subject.policy, for: decoder, sample: Array(tokens.suffix(context)),
                    budget: rows))
        }
        var sums = runs.map { _ in Sums() }
        var exact: [[Float]] = []
        let logits = UnsafeMutableBufferPointer<Float>.allocate(capacity: c.vocabularySize)
        defer { logits.deallocate() }
        /// An empty cache of one subject, with a budget for a prompt of this length.
        func cache(_ i: Int, prompt: Int, positions: Int) throws -> CompressedCache {
            try CompressedCache(
                decoder, policies[i], budget: Int(runs[i].budget * Double(prompt)),
                positions: positions,
                codec: runs[i].subject.codec, exact: settings.exact)
        }
        // First the text behind prompts, then the numbers hidden in them.
        let steps = windows + 2 * settings.needles
        for window in 0..<windows {
            let start = window * (tokens.count / windows)
            let part =
                (model.tokenizer.beginToken.map { [$0] } ?? [])
                + tokens[start..<start + context + tail]
            for i in runs.indices {
                try Task.checkCancellation()
                let cache = try cache(i, prompt: context, positions: part.count)
                try cache.feed(
                    Array(part.prefix(context)), endsPrompt: true, logits: logits.baseAddress!)
                sums[i].bytes += cache.bytes
                sums[i].peak += cache.peakBytes
                for j in 0..<tail {
                    let row = UnsafeBufferPointer(logits)
                    if i == 0 {
                        if exact.count == j {
                            exact.append(Array(row))
                        } else {
                            exact[j] = Array(row)
                        }
                    }
                    sums[i].add(row, exact[j], target: Int(part[context + j]))
                    let begun = ContinuousClock().now
                    try cache.feed([part[context + j]], endsPrompt: false, logits: logits.baseAddress!)
                    sums[i].seconds += (ContinuousClock().now - begun) / .seconds(1)
                }
            }
            progress(window + 1, steps)
        }
        // Tasks take turns: one number to find, then one of four.
        for number in 0..<2 * settings.needles {
            let task = Haystack(
                model, tokens, context: context, number: number / 2, keys: number % 2 == 0 ? 1 : 4)
            for i in runs.indices {
                try Task.checkCancellation()
                let all = task.text + task.question + task.answer
                let seen = settings.asksLater ? task.text : task.text + task.question
                let cache = try cache(i, prompt: seen.count, positions: all.count)
                try cache.feed(seen, endsPrompt: true, logits: logits.baseAddress!)
                if settings.asksLater {
                    try cache.feed(task.question, endsPrompt: false, logits: logits.baseAddress!)
                }
                // Found means that each token of the answer is the likeliest one, behind those
                // before it.
                var isFound = true
                for token in task.answer {
                    isFound =
                        isFound && logits.indices.max { logits[$0] < logits[$1] } == Int(token)
                    try cache.feed([token], endsPrompt: false, logits: logits.baseAddress!)
                }
                if isFound { sums[i].found[number % 2] += 1 }
            }
            progress(windows + number + 1, steps)
        }
        return zip(runs, sums).map { run, sum in
            let count = Double(windows * tail)
            let needles = Double(max(1, settings.needles))
            return Row(
                policy: run.subject.description, budget: run.budget,
                perplexity: exp(sum.loss / count),
                divergence: max(0, sum.divergence / count),
                agreement: Double(sum.agreed) / count, needle: Double(sum.found[0]) / needles,
                passkey: Double(sum.found[1]) / needles,
                bytes: sum.bytes / windows, peakBytes: sum.peak / windows,
                tokensPerSecond: count / sum.seconds)
        }
    }

    /// Numbers found against budgets, as an SVG picture; `full` and codecs have one point each and
    /// are left out.
    public static func plot(_ rows: [Row]) -> String {
        let names = Set(rows.map(\.policy)).sorted().filter { name in
            rows.count { $0.policy == name } > 1
        }
        return LinePlot(
            title: "What is still found when keys and values are evicted",
            xLabel: "share of rows kept",
            yLabel: "numbers found",
            isLogarithmic: (false, false),
            series: names.map { name in
                LinePlot.Series(
                    name: name,
                    points: rows.filter { $0.policy == name }.sorted { $0.budget < $1.budget }.map {
                        ($0.budget, ($0.needle + $0.passkey) / 2)
                    })
            }
        ).svg
    }
}

/// A text with numbers hidden in it, and a question for one of them. The same number gives the same
/// task for every policy.
private struct Haystack {
    /// Tokens: what is read, what is asked, and what has to be answered, token by token.
    var text: [Int32], question: [Int32], answer: [Int32]

    /// - Parameter number: decides where in `tokens` the text is cut, what is hidden, and where.
    init(_ model: LanguageModel, _ tokens: [Int32], context: Int, number: Int, keys: Int) {
        var random = SplitMix64(seed: UInt64(number * 2 + keys))
        func randomIndex(_ count: Int) -> Int { Int(random.next() % UInt64(max(1, count))) }
        let names = ["Alice", "Robert", "Maria", "Thomas", "Sophie", "Daniel", "Laura", "Peter"]
            .shuffled(
                using: &random)
        let codes = (0..<keys).map { _ in String(randomIndex(90000) + 10000) }
        let needles = (0..<keys).map {
            model.tokenizer.encode(
                " The pass key of \(names[$0]) is \(codes[$0]). Remember it.\n", special: false)
        }
        let asked = randomIndex(keys)
        question = model.tokenizer.encode(
            "\n\nQuestion: What is the pass key of \(names[asked])?\nAnswer: The pass key of \(names[asked]) is",
            special: false)
        answer = model.tokenizer.encode(" " + codes[asked], special: false)
        let room = context - question.count - needles.reduce(0) { $0 + $1.count }
        let start = randomIndex(tokens.count - room)
        text = model.tokenizer.beginToken.map { [$0] } ?? []
        var left = Array(tokens[start..<start + max(0, room)])[...]
        for (i, needle) in needles.enumerated() {
            // One in each part of the text, anywhere within it.
            let piece = left.prefix(left.count / (keys - i))
            let place = randomIndex(piece.count)
            text += piece.prefix(place) + needle + piece.dropFirst(place)
            left = left.dropFirst(piece.count)
        }
        text += left
    }
}

/// Sums for a subject over all prompts.
private struct Sums {
    var loss = 0.0, divergence = 0.0, agreed = 0, seconds = 0.0, bytes = 0, peak = 0
    /// The count of numbers found, of either task.
    var found = [0, 0]

    /// Compares logits with those of a whole cache.
    mutating func add(_ row: UnsafeBufferPointer<Float>, _ expected: [Float], target: Int) {
        // The likeliest token of both, then both as probabilities.
        var top = 0
        var best = 0
        for i in row.indices {
            if row[i] > row[top] { top = i }
            if expected[i] > expected[best] { best = i }
        }
        let highest = row[top]
        let most = expected[best]
        var total: Float = 0
        var whole: Float = 0
        for i in row.indices {
            total += exp(row[i] - highest)
            whole += exp(expected[i] - most)
        }
        let norm = highest + log(total)
        let expectedNorm = most + log(whole)
        loss -= Double(row[target] - norm)
        agreed += top == best ? 1 : 0
        for i in row.indices where expected[i] - expectedNorm > -20 {
            divergence += Double(
                exp(expected[i] - expectedNorm) * (expected[i] - expectedNorm - row[i] + norm))
        }
    }
}
