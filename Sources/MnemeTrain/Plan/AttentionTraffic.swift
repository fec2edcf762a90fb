/// Floats that one attention head reads and writes between the large and the small memory, counted
/// block by block (FlashAttention, Dao et al. 2022) [158].
public struct AttentionTraffic: TrainingQuestion, Equatable {
    /// Tokens, and floats of a head.
    public var tokens = 4096.0, dimension = 64.0
    /// Bytes of the small memory, and bytes a second of the large one.
    public var cache = 1_048_576.0, bandwidth = 20e9

    /// A head of 64 floats beside a cache of a megabyte.
    public init() {}

    /// Queries that the trainer's kernel has scores of at once.
    public static let block = 32.0

    /// With all scores in the large memory: queries and keys are read and scores written; these are
    /// read, and probabilities written; these and values are read, and outputs written.
    public static func standard(tokens n: Double, dimension d: Double) -> Double {
        (2 * n * d + n * n) + 2 * n * n + (n * n + 2 * n * d)
    }

    /// With blocks of as many keys as a quarter of the small memory holds: each block of keys and
    /// values is read once, and for it queries are read, outputs and two sums a row read and written.
    public static func tiled(tokens n: Double, dimension d: Double, memory: Double) -> Double {
        let columns = max(1, (memory / (4 * d)).rounded(.down))
        let blocks = (n / columns).rounded(.up)
        return 2 * n * d + blocks * (n * d + 2 * (n * d + 2 * n))
    }

    /// As the trainer's kernel goes: for each 32 queries the keys and values before their end are
    /// read, and scores of 32 queries stay in the small memory.
    public static func trainer(tokens n: Double, dimension d: Double) -> Double {
        let blocks = Int((n / block).rounded(.up))
        let keys = (0..<blocks).reduce(0.0) { $0 + min(n, Double($1 + 1) * block) }
        return 2 * n * d + 2 * keys * d + n
    }

    /// All three, at a bandwidth of the large memory.
    ///
    /// - Throws: ``TrainingError`` for numbers that are not above 0.
    public func report() throws -> PlanReport {
        guard tokens >= 1, tokens < 1e9, dimension >= 1, cache >= 16 * dimension, bandwidth > 0 else {
            throw TrainingError(
                .invalidSetting,
                "Attention has at least one token, and a cache of at least sixteen bytes a float of a head.")
        }
        let counts = [
            ("all scores in memory", Self.standard(tokens: tokens, dimension: dimension)),
            ("blocks of keys", Self.tiled(tokens: tokens, dimension: dimension, memory: cache / 4)),
            ("32 queries at once, as here", Self.trainer(tokens: tokens, dimension: dimension)),
        ]
        return PlanReport(
            "what a head of \(Int(dimension)) floats moves for \(Int(tokens)) tokens",
            counts.map { name, floats in
                var option = PlannedOption(name, seconds: 4 * floats / bandwidth)
                option.sentBytes = 4 * floats
                return option
            })
    }
}
