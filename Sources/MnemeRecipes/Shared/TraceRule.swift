/// What several traces have in common: a word of their tasks, and a step that went with it more often than by chance.
///
/// An association rule (Agrawal et al. 1993) between one word and one step. It is kept where the lower end of Wilson's
/// interval for the share of the word's traces that take the step lies above the share of all traces that do.
struct TraceRule: Sendable {
    /// The word, and the step.
    var word: String, step: String
    /// The traces that it comes from, in their order.
    var traces: [Trace]

    /// Traces of a rule at least, and the share of the word's traces that take the step.
    static let leastTraces = 3, leastShare = 0.5
    /// The normal quantile of Wilson's interval: 95 % on one side.
    private static let quantile = 1.64

    /// Rules among traces that went well, the ones with most traces first, equal ones by their words.
    ///
    /// - Complexity: linear in words times steps of all traces.
    static func all(in traces: [Trace]) -> [TraceRule] {
        var (words, steps): ([String: Int], [String: Int]) = ([:], [:])
        var pairs: [String: [String: [Trace]]] = [:]
        for trace in traces {
            let taken = Set(trace.steps)
            for step in taken { steps[step, default: 0] += 1 }
            for word in trace.words {
                words[word, default: 0] += 1
                for step in taken { pairs[word, default: [:]][step, default: []].append(trace) }
            }
        }
        var rules: [TraceRule] = []
        for (word, taken) in pairs {
            for (step, known) in taken where known.count >= leastTraces {
                let (of, count) = (Double(words[word]!), Double(known.count))
                let usual = Double(steps[step]!) / Double(traces.count)
                guard count / of >= leastShare, lowerBound(count / of, of: of) > usual else { continue }
                rules.append(TraceRule(word: word, step: step, traces: known))
            }
        }
        return rules.sorted {
            ($1.traces.count, $0.word, $0.step) < ($0.traces.count, $1.word, $1.step)
        }
    }

    /// The lower end of Wilson's interval for a share of so many.
    private static func lowerBound(_ share: Double, of count: Double) -> Double {
        let z = quantile * quantile
        let spread = quantile * (share * (1 - share) / count + z / (4 * count * count)).squareRoot()
        return (share + z / (2 * count) - spread) / (1 + z / count)
    }
}
