import MnemeKV

/// What a replay tells.
package struct ReplayReport: Sendable, Equatable, Codable {
    /// Half and 99 of 100 values are at most so large; seconds.
    package struct Percentiles: Sendable, Equatable, Codable {
        /// The values.
        package var p50 = 0.0, p99 = 0.0

        /// Of values in any order; 0 of none.
        init(_ values: [Double]) {
            let sorted = values.sorted()
            guard let last = sorted.indices.last else { return }
            // Nearest rank.
            p50 = sorted[min(last, sorted.count / 2)]
            p99 = sorted[min(last, Int((Double(sorted.count) * 0.99).rounded(.down)))]
        }
    }

    /// Memory at a time.
    package struct Memory: Sendable, Equatable, Codable {
        /// Seconds since the beginning, and the share of the memory that sequences held since the
        /// entry before, at most.
        package var time: Double, share: Double
    }

    /// Requests answered, refused, and served in time: first token and mean token within the limits.
    package var answered = 0, refused = 0, inTime = 0
    /// Seconds from the first arrival to the last token.
    package var seconds = 0.0
    /// Requests served in time, a second; tokens of answers, a second.
    package var goodput = 0.0, tokensPerSecond = 0.0
    /// From arrival to the first token; from token to token; the mean of an answer's tokens.
    package var firstToken = Percentiles([]), betweenTokens = Percentiles([]), meanToken = Percentiles([])
    /// The longest that a request waited for its first token.
    package var longestWait = 0.0
    /// Steps, sequences put back, and blocks of the prefix cache evicted.
    package var steps = 0, preempted = 0, evicted = 0
    /// Tokens of prompts, those of them that were cached, and tokens computed a second time because
    /// of preemption.
    package var promptTokens = 0, cachedTokens = 0, recomputedTokens = 0
    /// Cached tokens of all of the prompts.
    package var hitRate = 0.0
    /// The share of the memory that sequences hold, over time, and at most; its mean.
    package var memory: [Memory] = []
    package var memoryPeak = 0.0, memoryMean = 0.0
    /// Copies to and from the other memory, blocks in them, and tokens that came from there.
    package var copies = 0, copiedBlocks = 0, tokensFromHost = 0
    /// Seconds from the start of the first to the end of the last request of those that share a
    /// block, the mean over such blocks; nil if not measured.
    package var sharedLifetime: Double?
}

/// Counts what a replay does.
struct ReplayMeter {
    var refused = 0, preempted = 0, steps = 0
    private var answered = 0, inTime = 0, answerTokens = 0
    private var promptTokens = 0, cachedTokens = 0, recomputedTokens = 0
    private var firstTokens: [Double] = [], gaps: [Double] = [], means: [Double] = []
    private var end = 0.0
    /// Blocks in use × seconds, and the most.
    private var blockSeconds = 0.0, peak = 0
    /// Most blocks in each of equal spans of time, which double when there are too many.
    private var spans: [Int] = [], span = 1.0

    /// Of each block of prompts: when it was first needed, and last, and by how many.
    private var sharing: [UInt64: (first: Double, last: Double, count: Int)] = [:]

    /// Entries of the memory's course, at most.
    private static let mostSpans = 120

    /// Time passes with so many blocks in use.
    mutating func pass(from start: Double, to end: Double, used: Int) {
        blockSeconds += Double(used) * (end - start)
        peak = max(peak, used)
        while end / span >= Double(Self.mostSpans) {
            spans = stride(from: 0, to: spans.count, by: 2).map { max(spans[$0], spans[min($0 + 1, spans.count - 1)]) }
            span *= 2
        }
        let last = Int(end / span)
        while spans.count <= last { spans.append(0) }
        for i in Int(start / span)...last { spans[i] = max(spans[i], used) }
    }

    /// Seconds between two tokens of an answer.
    mutating func gap(_ seconds: Double) { gaps.append(seconds) }

    /// A request is answered.
    mutating func finish(_ sequence: ReplaySequence, _ settings: ReplaySettings) {
        answered += 1
        end = max(end, sequence.lastToken)
        let first = (sequence.firstToken ?? sequence.lastToken) - sequence.arrival
        let mean = (sequence.lastToken - sequence.arrival - first) / Double(max(1, sequence.answered - 1))
        firstTokens.append(first)
        means.append(mean)
        if first <= settings.firstTokenLimit, mean <= settings.tokenLimit { inTime += 1 }
        answerTokens += sequence.answered
        promptTokens += sequence.request.promptTokens
        cachedTokens += sequence.cachedTokens ?? 0
        if settings.measuresSharing {
            let start = sequence.start ?? sequence.arrival
            for name in sequence.request.prefixNames(of: KVShape.blockTokens) {
                let known = sharing[name] ?? (start, start, 0)
                sharing[name] = (min(known.first, start), max(known.last, sequence.lastToken), known.count + 1)
            }
        }
        // All but the last token are computed once, if not cached.
        recomputedTokens += max(0, sequence.computedTokens - (sequence.tokens - 1 - (sequence.cachedTokens ?? 0)))
    }

    /// The report.
    func report(_ settings: ReplaySettings, _ statistics: KVStatistics) -> ReplayReport {
        var report = ReplayReport()
        (report.answered, report.refused, report.inTime) = (answered, refused, inTime)
        report.seconds = end
        report.goodput = end > 0 ? Double(inTime) / end : 0
        report.tokensPerSecond = end > 0 ? Double(answerTokens) / end : 0
        report.firstToken = .init(firstTokens)
        report.betweenTokens = .init(gaps)
        report.meanToken = .init(means)
        report.longestWait = firstTokens.max() ?? 0
        (report.steps, report.preempted, report.evicted) = (steps, preempted, statistics.evicted)
        (report.promptTokens, report.cachedTokens) = (promptTokens, cachedTokens)
        report.recomputedTokens = recomputedTokens
        report.hitRate = Double(cachedTokens) / Double(max(1, promptTokens))
        let capacity = Double(max(1, settings.kvTokens / KVShape.blockTokens))
        report.memory = spans.enumerated().map {
            .init(time: Double($0.offset) * span, share: Double($0.element) / capacity)
        }
        report.memoryPeak = Double(peak) / capacity
        if settings.measuresSharing {
            let shared = sharing.values.filter { $0.count > 1 }.map { $0.last - $0.first }.sorted()
            report.sharedLifetime = shared.reduce(0, +) / Double(max(1, shared.count))
        }
        report.memoryMean = end > 0 ? blockSeconds / end / capacity : 0
        return report
    }
}

extension ReplaySequence {
    /// A token of the answer is there.
    mutating func didSample(at now: Double, _ meter: inout ReplayMeter) {
        answered += 1
        if firstToken == nil { firstToken = now } else { meter.gap(now - lastToken) }
        lastToken = now
    }
}
