import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeCache

/// A category's policy and counts as JSON shows them.
private struct ShownCategory: Encodable {
    let category: String, policy: CachePolicy, counts: CacheStatistics, hitRate: Double
}

extension CacheCommand {
    /// `mneme cache stats`: by category, what is kept, what came of questions, and the policy.
    struct Stats: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "stats",
            abstract: "Show hits, misses and policy of each category.")
        @OptionGroup var file: CacheFileOptions
        @Flag(help: "Print JSON.") var json = false

        /// Counts of a running proxy come some at a time, and at its end.
        func run() async throws {
            let cache = try file.open()
            let policies = try cache.policies()
            let rows = try cache.statistics().map {
                ShownCategory(
                    category: $0.category.rawValue, policy: policies[$0.category], counts: $0,
                    hitRate: $0.hitRate)
            }
            if json { return print(try OperationTable.encode(rows, pretty: true)) }
            print(
                "category   answers     KiB   exact similar example  missed   rate   least  live for   quota  similar gets"
            )
            for row in rows {
                let counts = row.counts
                let numbers = [
                    (counts.answers, 8), (counts.bytes >> 10, 8), (counts.exact, 8), (counts.similar, 8),
                    (counts.examples, 8), (counts.misses, 8),
                ].map { "\($0.0)".leftPadded(to: $0.1) }.joined()
                let rate = "\(Int((row.hitRate * 100).rounded()))%".leftPadded(to: 7)
                let policy = row.policy
                print(
                    row.category.padded(to: 10) + numbers + rate
                        + String(format: "%8.2f", policy.threshold)
                        + Age.text(policy.timeToLive).leftPadded(to: 10)
                        + "\(policy.quota)".leftPadded(to: 8) + "  " + policy.reuse.rawValue)
            }
        }
    }

    /// `mneme cache set`: changes the policy of a category, or of all. Exit code 2 for a value that
    /// makes no sense.
    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set",
            abstract: "Set how answers of a category are reused.",
            discussion: "What is not named stays as it is. A running proxy follows at once.")
        @Argument(help: "live, personal, code, math, task, fact, other, or all.") var category: String
        @OptionGroup var file: CacheFileOptions
        /// Above it a similar question is answered; see `SimilarityModel`.
        @Option(help: "The least similarity, 0 to 1.") var threshold: Double?
        @Option(help: ArgumentHelp("How long an answer is good: 90s, 30m, 12h, 7d.", valueName: "time"))
        var timeToLive: Age?
        /// Beyond it the least recently used go.
        @Option(help: "Answers kept for each key.") var quota: Int?
        @Option(
            help:
                "What a similar question gets: verbatim (the answer), example (a smaller model's answer, see `mneme proxy --small-model`), exact (only the same question is answered), off (nothing is kept).",
            transform: { try choice($0) })
        var reuse: CachePolicy.Reuse?
        @Flag(help: "Take the standard policy again.") var standard = false

        /// Makes the cache's file if it is not there, so that policies can be set before the first
        /// proxy runs.
        func run() async throws {
            let named = QuestionCategory(rawValue: category)
            guard named != nil || category == "all" else {
                throw InputError(
                    "There is no category '\(category.prefix(50))'. There are \(QuestionCategory.allCases.map(\.rawValue).joined(separator: ", ")), and all."
                )
            }
            let cache = try AnswerCache(path: file.path, key: Home.encryptionKey())
            let policies = try cache.policies()
            for category in named.map({ [$0] }) ?? QuestionCategory.allCases {
                var policy = standard ? CachePolicy.standard(category) : policies[category]
                if let threshold { policy.threshold = threshold }
                if let timeToLive { policy.timeToLive = timeToLive.seconds }
                if let quota { policy.quota = quota }
                if let reuse { policy.reuse = reuse }
                try cache.set(policy == .standard(category) ? nil : policy, for: category)
                print(
                    "\(category.rawValue): at least \(String(format: "%.2f", policy.threshold)), for \(Age.text(policy.timeToLive)), \(policy.quota) answers a key, similar questions: \(policy.reuse.rawValue)"
                )
            }
        }
    }
}
