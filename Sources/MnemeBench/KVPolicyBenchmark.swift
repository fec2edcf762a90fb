import Foundation
import MnemeBase
import MnemeEngine
public import MnemeKV

/// Loss by an evicting or quantized KV cache: perplexity and divergence on the text behind a
/// prompt, what is still found of numbers hidden in it, bytes, and speed.
///
/// Prompts are computed with all rows, and the policy chooses at their end: the way of answers, with
/// the same sequences (``MnemeKV/CompressedCache``). The tasks are those of the papers: a needle in a
/// haystack (one number), and a pass key among four, as in LongBench and StreamingLLM's evaluation.
/// `window` and `random` are the baselines that a policy must beat.
public struct KVPolicyBenchmark: Sendable {
    /// A policy, and how rows that it keeps are coded.
    public struct Subject: Sendable, Hashable, Codable, CustomStringConvertible {
        /// One of ``MnemeKV/PolicyCatalog/names``.
        public var policy: String
        /// The codec of kept rows.
        public var codec: KVCodec

        /// A policy with a codec.
        init(policy: String, codec: KVCodec = .f16) { (self.policy, self.codec) = (policy, codec) }

        /// From `NAME`, `CODEC` or `NAME+CODEC`.
        ///
        /// - Throws: ``MnemeEngine/EngineError`` if there is no such name.
        public init(_ name: String) throws {
            let parts = name.lowercased().split(separator: "+", omittingEmptySubsequences: false)
                .map(String.init)
            let codec = KVCodec(rawValue: parts.last ?? "")
            let policy = codec == nil ? parts[0] : parts.count > 1 ? parts[0] : "full"
            guard parts.count <= 2, (PolicyCatalog.names + PolicyCatalog.variants).contains(policy),
                parts.count == 1 || codec != nil
            else {
                throw EngineError(
                    .invalidRequest,
                    "There is no policy '\(name.prefix(40))'. There are \((PolicyCatalog.names + PolicyCatalog.variants).joined(separator: ", ")), each alone or with +\(KVCodec.allCases.dropFirst().map(\.rawValue).joined(separator: ", +"))."
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
    public struct Settings: Sendable, Codable, Equatable {
        /// Tokens of a prompt, and of the text behind it that is predicted one by one.
        public var context = 1024, tail = 128
        /// Parts of the text, and prompts with something to find of either kind.
        public var windows = 8, needles = 20
        /// Texts to be summed up, and conversations with something to find.
        public var summaries = 0, chats = 0
        /// Where one number is hidden, as shares of the text, in turn; anywhere if empty.
        public var depths: [Double] = []
        /// True if the question comes only after rows were evicted, so that nothing is chosen for
        /// it.
        public var asksLater = false
        /// The last rows that no codec touches; answers have none.
        public var exact = 0
        /// True if rows are evicted while the prompt is read, whenever the policy has it so: its
        /// memory is bounded then, as its paper means it. Answers compute all rows of a prompt.
        public var evictsInPrompt = false

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
        /// Of numbers hidden alone at one of ``Settings/depths``, how many are found; in its order.
        public var needles: [Double]
        /// What summaries have in common with those from all rows, 0 to 1, and of the numbers that a round of a
        /// conversation tells, how many are found; nil if that was not measured.
        public var summary: Double?, chat: Double?
        /// Bytes kept behind the prompt, and the most at any time, with those of the prompt; means.
        public var bytes: Int, peakBytes: Int
        /// Bytes of keys and values that a token behind the prompt reads; a mean.
        public var readBytes: Int
        /// Tokens a second of the tails, with the policy's work.
        public var tokensPerSecond: Double
        /// What the policy's parts say of themselves (``MnemeKV/CompressedCache/readings``); means.
        public var readings: [String: Double] = [:]
    }

    /// The table of what was measured; subjects without all prompts are left out.
    ///
    /// - Returns: `full` first, then in the order of `runs`.
    static func rows(_ measurements: [KVMeasurement], _ runs: [Run], _ settings: Settings) -> [Row] {
        runs.compactMap { run in
            func all(_ task: KVMeasurement.Task) -> [KVMeasurement] {
                measurements.filter { $0.run == run && $0.task == task }
            }
            func found(_ list: [KVMeasurement]) -> Double {
                Double(list.count(where: \.found)) / Double(max(1, list.count))
            }
            let text = all(.text)
            guard !text.isEmpty else { return nil }
            func sum(_ path: KeyPath<KVMeasurement, Double>) -> Double {
                text.reduce(0) { $0 + $1[keyPath: path] }
            }
            func mean(_ path: KeyPath<KVMeasurement, Int>) -> Int {
                text.reduce(0) { $0 + $1[keyPath: path] } / text.count
            }
            let count = Double(text.reduce(0) { $0 + $1.tokens })
            let needles = all(.needle)
            let overlaps = all(.summary).compactMap(\.overlap)
            let chats = all(.chat)
            return Row(
                policy: run.subject.description, budget: run.budget,
                perplexity: exp(sum(\.loss) / count), divergence: max(0, sum(\.divergence) / count),
                agreement: Double(text.reduce(0) { $0 + $1.agreed }) / count,
                needle: found(needles), passkey: found(all(.passkey)),
                needles: settings.depths.indices.map { depth in
                    found(needles.filter { $0.number % settings.depths.count == depth })
                },
                summary: overlaps.isEmpty ? nil : overlaps.reduce(0, +) / Double(overlaps.count),
                chat: chats.isEmpty ? nil : found(chats),
                bytes: mean(\.bytes), peakBytes: mean(\.peakBytes), readBytes: mean(\.readBytes),
                tokensPerSecond: count / max(sum(\.seconds), 1e-9),
                readings: readings(text.compactMap(\.readings)))
        }
    }

    /// The mean of each reading, over those that have it.
    private static func readings(_ all: [[String: Double]]) -> [String: Double] {
        all.reduce(into: [String: [Double]]()) { sums, one in
            for (name, value) in one { sums[name, default: []].append(value) }
        }.mapValues { $0.reduce(0, +) / Double($0.count) }
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
