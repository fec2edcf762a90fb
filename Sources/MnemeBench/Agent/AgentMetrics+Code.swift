/// The metrics of ``AgentMetrics`` that read the code that was written, and in which order files were read.
extension AgentMetrics {
    /// Names of Python's library that count as practical.
    private static let libraries = ["os", "sys", "json", "re", "pathlib", "typing", "dataclasses"]

    /// Handling of errors, lengths of lines and functions, the standard library, and what is better left out.
    static func usability(_ files: [PythonText]) -> Double {
        guard !files.isEmpty else { return 0.7 }
        var sum = 0.0
        for code in files {
            let functions = code.definitions(isCalled: false).count
            var maintainable = 0.7
            let tries = code.count("try:")
            if tries > 0 { maintainable += 0.15 * min(1, Double(code.count("except")) / Double(tries)) }
            if functions > 0 { maintainable += functions >= 3 ? 0.15 : 0.05 }
            sum += 0.4 * min(1, maintainable) + 0.35 * readability(code, functions) + 0.25 * practicality(code)
        }
        return clamp(sum / Double(files.count), 0.3)
    }

    /// Lines of 100 code points at most, and functions of 10 to 30 lines.
    private static func readability(_ code: PythonText, _ functions: Int) -> Double {
        let lines = code.lines.filter { line in
            let text = line.stripped
            return !text.scalars.isEmpty && !text.starts("#")
        }
        guard !lines.isEmpty else { return 1 }
        let long = Double(lines.count { $0.scalars.count > 100 })
        let each = Double(lines.count) / Double(max(1, functions))
        let length =
            functions == 0 ? 0.7 : each < 10 ? 0.8 : each <= 30 ? 1 : max(0.4, 1 - (each - 30) / 100)
        return (1 - long / Double(lines.count) * 0.5 + length) / 2
    }

    /// Known libraries named, and `global`, `eval` and `exec` not.
    private static func practicality(_ code: PythonText) -> Double {
        let named = libraries.count { code.count($0) > 0 }
        let base = 0.7 + min(0.15, 0.05 * Double(named))
        let bad = code.count("global ") + code.count("eval(") + code.count("exec(")
        return min(1, bad > 0 ? base * (1 - min(0.1 * Double(bad), 0.3)) : base + 0.15)
    }

    /// Depth of loops, good and bad patterns of algorithms, and failed calls; the worst file counts.
    static func runtime(_ files: [PythonText], _ errorRate: Double) -> Double {
        guard !files.isEmpty else { return 0.65 }
        var complexity = 1.0
        var algorithm = 1.0
        for code in files {
            let lines = code.lines
            var depth = 0
            var deepest = 0
            for line in lines.map(\.stripped) {
                if line.starts("for ", "while ") {
                    depth += 1
                    deepest = max(deepest, depth)
                } else if !line.scalars.isEmpty {
                    // Any other line that is not blank leaves one loop, whatever its indentation.
                    depth = max(0, depth - 1)
                }
            }
            complexity = min(complexity, deepest <= 2 ? 1 : deepest == 3 ? 0.7 : 0.4)
            // A line with two "for" counts as nested loops.
            let good = ["set(", "dict", "heapq", "bisect"].reduce(0) { $0 + code.count($1) }
            let bad = code.count("in list") + lines.count { $0.count("for") > 1 }
            if good + bad > 0 { algorithm = min(algorithm, Double(good) / Double(good + bad)) }
        }
        let raw = 0.4 * complexity + 0.3 * algorithm + 0.3 * max(0, 1 - errorRate)
        return rescaled(raw, from: 0.7, to: 1)
    }

    /// Lists made at once, generators, and files that are closed; the worst file counts.
    static func memory(_ files: [PythonText]) -> Double {
        guard !files.isEmpty else { return 0.65 }
        var space = 1.0
        var generators = 1.0
        var resources = 1.0
        for code in files {
            // Every opening bracket counts as a list that is made.
            let heavy = Double(code.count(".readlines()") + code.count("[") + code.count("list("))
            space = min(space, max(0, 1 - 2 * heavy / Double(code.lines.count)))
            let lazy = Double(code.count("yield ") + code.count("itertools") + code.count("generator"))
            if heavy > 0 { generators = min(generators, min(1, 0.5 + 0.5 * lazy / heavy)) }
            let opened = code.count("open(")
            if opened > 0 { resources = min(resources, min(1, Double(code.count("with ")) / Double(opened))) }
        }
        return rescaled(0.4 * space + 0.3 * generators + 0.3 * resources, from: 0.7, to: 1)
    }

    /// The share of written files that were read, too.
    static func coverage(_ session: AgentSession) -> Double {
        guard !session.modified.isEmpty else { return 0.65 }
        let read = Set(paths(session) { $0.isRead })
        let both = session.modified.keys.count(where: read.contains)
        return rescaled(Double(both) / Double(session.modified.count), from: 0, to: 0.3)
    }

    /// The share of written files whose first place among the reads is before their first place among the writes:
    /// the authors compare places of two lists, not times, and so does this.
    static func resolution(_ session: AgentSession) -> Double {
        guard !session.modified.isEmpty else { return 0.65 }
        let reads = paths(session) { $0.isRead }
        let writes = paths(session) { $0.isWrite && !$0.isRead }
        let proper = session.modified.keys.count { path in
            guard let read = reads.firstIndex(of: path), let write = writes.firstIndex(of: path) else { return false }
            return read < write
        }
        return rescaled(Double(proper) / Double(session.modified.count), from: 0, to: 0.3)
    }

    /// Files of the calls of a kind, in order; the project's folder itself is none.
    private static func paths(_ session: AgentSession, _ isOfKind: (AgentSession.Call) -> Bool) -> [String] {
        session.calls.filter(isOfKind).compactMap(\.path).filter { $0 != "." }
    }

    /// A value of a range, spread over 0.4 to 0.9 as the authors do with efficiency's metrics.
    private static func rescaled(_ value: Double, from low: Double, to high: Double) -> Double {
        clamp(0.4 + (clamp(value, low, high) - low) / (high - low) * 0.5, 0.4, 0.9)
    }
}
