import Foundation

/// The nine metrics of LoCoBench-Agent (Qiu et al. 2025, arXiv:2511.13998) by its authors' published formulas
/// (`bias_free_evaluator.py`), under their names: five of comprehension, four of efficiency, and the three means.
///
/// They look at patterns of texts and calls, not at whether code works: a session without any file that was
/// written has 0.65 or 0.7 in six of them. What the bench measures besides says more.
public enum AgentMetrics {
    /// Names of comprehension's metrics, and of efficiency's.
    public static let comprehension = [
        "execution_success_rate", "multi_session_memory_retention", "cross_file_consistency", "dependency_traversal",
        "solution_usability",
    ]
    /// As ``comprehension``, of efficiency.
    public static let efficiency = [
        "runtime_efficiency", "memory_efficiency", "information_coverage", "long_range_dependency_resolution",
    ]
    /// Names of the means: of comprehension, of efficiency, and 0.6 of the first with 0.4 of the second.
    public static let means = ["comprehension", "efficiency", "overall"]

    /// All nine and the means.
    ///
    /// - Complexity: O(*n*) in what was said and written.
    public static func all(_ session: AgentSession) -> [String: Double] {
        let files = session.modified.sorted { $0.key < $1.key }.map { (path: $0.key, code: PythonText($0.value)) }
        let code = files.map(\.code)
        var metrics = [
            "execution_success_rate": toolDiversity(session.calls),
            "multi_session_memory_retention": retention(session.messages),
            "cross_file_consistency": consistency(files),
            "dependency_traversal": traversal(code),
            "solution_usability": usability(code),
            "runtime_efficiency": runtime(code, session.errorRate),
            "memory_efficiency": memory(code),
            "information_coverage": coverage(session),
            "long_range_dependency_resolution": resolution(session),
        ]
        let first = comprehension.reduce(0) { $0 + metrics[$1]! } / Double(comprehension.count)
        let second = efficiency.reduce(0) { $0 + metrics[$1]! } / Double(efficiency.count)
        metrics["comprehension"] = first
        metrics["efficiency"] = second
        metrics["overall"] = 0.6 * first + 0.4 * second
        return metrics
    }

    /// A value kept within bounds.
    static func clamp(_ value: Double, _ low: Double, _ high: Double = 1) -> Double { max(low, min(high, value)) }

    // MARK: Comprehension

    /// Kinds of tools over the logarithm of calls. A kind is the last part of a function's name.
    private static func toolDiversity(_ calls: [AgentSession.Call]) -> Double {
        guard !calls.isEmpty else { return 0.5 }
        let kinds = Set(
            calls.map { call -> String in
                let parts = call.function.split(separator: "_", omittingEmptySubsequences: false)
                guard parts.count > 1, let last = parts.last else { return call.function }
                return last.unicodeScalars.count > 2 ? String(last) : parts.suffix(2).joined(separator: "_")
            })
        return clamp(Double(kinds.count) / (log(Double(calls.count + 1)) + 1), 0.2)
    }

    /// Words by which a message refers to what was before.
    private static let references = [
        "previously", "earlier", "before", "as mentioned", "as discussed", "recall", "remember", "we did",
        "we discussed",
    ]

    /// How often the agent refers to what was before, and how much of a message's words the next sampled one has.
    private static func retention(_ messages: [AgentSession.Message]) -> Double {
        // Two messages leave nothing to remember.
        guard messages.count >= 3 else { return 1 }
        let own = messages.filter { $0.role == "assistant" }.map { $0.content.lowercased() }
        // One reference for three messages is enough, and five are for any number.
        var referring = 0.5
        if !own.isEmpty {
            let found = own.count { text in references.contains(where: text.contains) }
            referring = min(1, Double(found) / Double(max(1, min(own.count / 3, 5))))
        }
        // Every third message is looked at, if it is the agent's; five of them at most.
        let sampled = stride(from: 0, to: messages.count, by: 3).map { messages[$0] }.filter { $0.role == "assistant" }
        let words = sampled.prefix(5).map { message in
            Set(PythonText(message.content.lowercased()).words.filter { $0.unicodeScalars.count > 4 })
        }
        let overlaps = zip(words, words.dropFirst()).compactMap { first, second -> Double? in
            first.isEmpty || second.isEmpty
                ? nil : Double(first.intersection(second).count) / Double(first.union(second).count)
        }
        let coherence = overlaps.isEmpty ? 0.5 : overlaps.reduce(0, +) / Double(overlaps.count)
        return clamp(0.5 * referring + 0.5 * coherence, 0.3)
    }

    /// Whether files name alike, import alike and are alike in length.
    private static func consistency(_ files: [(path: String, code: PythonText)]) -> Double {
        guard files.count >= 2 else { return 1 }
        // A file with as many names of either kind says nothing.
        let styles = files.compactMap { file -> Bool? in
            let found = file.code.namingStyles
            return found.snake == found.camel ? nil : found.snake > found.camel
        }
        let snakes = styles.count(where: \.self)
        let naming = styles.isEmpty ? 1 : Double(max(snakes, styles.count - snakes)) / Double(styles.count)
        let imports = files.filter { $0.path.hasSuffix(".py") }.flatMap { $0.code.lines.filter(\.isImport) }
        let relative = imports.count { $0.count("from .") > 0 }
        let importing = imports.isEmpty ? 1 : Double(max(relative, imports.count - relative)) / Double(imports.count)
        let sizes = files.map { Double($0.code.lines.count) }
        let mean = sizes.reduce(0, +) / Double(sizes.count)
        let spread = sizes.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(sizes.count - 1)
        // The coefficient of variation of their lines, by the deviation of a sample.
        let coherence = max(0.3, 1 - spread.squareRoot() / mean / 2)
        return clamp(0.4 * naming + 0.3 * importing + 0.3 * coherence, 0.3)
    }

    /// Python's functions that count as known.
    private static let builtIn: Set<String> = ["print", "len", "str", "int", "float", "list", "dict", "set"]

    /// Whether imports read well and stand in the first ten lines, and calls name functions that are defined.
    private static func traversal(_ files: [PythonText]) -> Double {
        guard !files.isEmpty else { return 0.7 }
        let known = builtIn.union(files.flatMap { $0.definitions(isCalled: true) })
        var sum = 0.0
        for code in files {
            let lines = code.lines
            let imports = lines.filter(\.isImport)
            let total = Double(max(1, imports.count))
            let valid = imports.isEmpty ? 1 : Double(imports.count(where: \.isValidImport)) / total
            let first = imports.isEmpty ? 1 : Double(lines.prefix(10).count(where: \.isImport)) / total
            let calls = code.calls
            let called = calls.isEmpty ? 1 : Double(calls.count(where: known.contains)) / Double(calls.count)
            sum += 0.4 * valid + 0.35 * called + 0.25 * first
        }
        return clamp(sum / Double(files.count), 0.3)
    }
}
