/// What attention sends from rank to rank where each has a part of every sequence (BurstAttention, Sun et al.
/// 2024) [157], a layer, in both passes.
///
/// Tokens see those before them, so that a part's keys go to higher ranks only; a ring that knows nothing of that
/// sends them round all. Backward, plain ring attention sends keys, values and their gradients; here go queries,
/// gradients of outputs, two numbers a row of each head, and the gradients of queries back to their rank.
public struct RingTraffic: TrainingQuestion, Equatable {
    /// Tokens of a sequence, ranks, heads of queries and of keys, and floats of a head.
    public var tokens = 32_768.0, ranks = 8.0, heads = 32.0, keyHeads = 32.0, dimension = 128.0
    /// Bytes a second of a rank's link.
    public var bandwidth = 25e9

    /// A sequence of 32,768 tokens on eight ranks.
    public init() {}

    /// Floats of a row of queries, and of keys.
    private var queries: Double { heads * dimension }
    private var keys: Double { keyHeads * dimension }

    /// Transfers of a part from one rank to the next: of the first part to all above, and so on.
    private var hops: Double { ranks * (ranks - 1) / 2 }

    /// Bytes that all ranks send forward.
    public var forwardBytes: Double { 4 * hops * tokens / ranks * 2 * keys }

    /// Bytes that all ranks send backward, as it is here.
    public var backwardBytes: Double { 4 * hops * tokens / ranks * (3 * queries + 2 * heads) }

    /// Bytes that all ranks send backward in plain ring attention, along the same ways.
    public var ringBackwardBytes: Double { 4 * hops * tokens / ranks * 4 * keys }

    /// Both, and a ring that sends all parts to all ranks.
    ///
    /// - Throws: ``TrainingError`` for numbers that are not above 0, and less than two ranks.
    public func report() throws -> PlanReport {
        guard ranks >= 2, tokens >= ranks, heads >= keyHeads, keyHeads >= 1, dimension >= 1, bandwidth > 0 else {
            throw TrainingError(
                .invalidSetting, "A ring has at least two ranks, a token on each, and a link of some bandwidth.")
        }
        let options = [
            ("ring attention, all round", 2 * (forwardBytes + ringBackwardBytes)),
            ("ring attention, upwards", forwardBytes + ringBackwardBytes),
            ("queries go back, as here", forwardBytes + backwardBytes),
        ]
        return PlanReport(
            "what attention of a layer sends for \(Int(tokens)) tokens on \(Int(ranks)) ranks",
            options.map { name, bytes in
                var option = PlannedOption(name, seconds: bytes / (ranks - 1) / bandwidth)
                option.sentBytes = bytes
                return option
            })
    }
}
