public import MnemeKV
import MnemeModels

/// The part of a sequence's keys and values that an answer is given from: which rows are kept, and
/// in how many bits.
///
/// The prompt is computed with all of its rows, which are shared and kept as those of any other
/// prompt. At its end those that the policy chooses are copied, and the answer reads these alone.
public struct KVCompression: Sendable, Hashable {
    /// One of ``policies``; `full` keeps all.
    public var policy: String
    /// Rows that a head keeps on average, or that a token reads of those of a policy that keeps all:
    /// a share up to 1, or a number of tokens above.
    ///
    /// A share is of the prompt's tokens; of prompt and answer together for policies that evict
    /// all the time. A share never leaves less than ``leastRows``.
    public var budget: Double
    /// The format of what is kept: f16, int8 or int4.
    public var type: KVCodec

    /// The least that a share leaves.
    public static let leastRows = 64
    /// Policies that answers can use. Those that are fitted to a text first are not among them.
    public static let policies = PolicyCatalog.names.filter { !PolicyCatalog.fitted.contains($0) }
    /// Formats in which answers can keep rows.
    public static let types: [KVCodec] = [.f16, .int8, .int4]

    /// By default all rows, as they were computed.
    public init(policy: String = "full", budget: Double = 0.25, type: KVCodec = .f16) {
        self.policy = policy
        self.budget = budget
        self.type = type
    }

    /// True if it changes nothing.
    public var isExact: Bool { policy == "full" && type == .f16 }

    /// Refuses what there is not.
    ///
    /// - Throws: ``EngineError``.
    public func check() throws {
        guard Self.policies.contains(policy) else {
            throw EngineError(
                .invalidRequest,
                "There is no KV policy '\(policy.prefix(40))' for answers. There are \(Self.policies.joined(separator: ", "))."
            )
        }
        guard budget > 0, budget <= 1 || (budget < 1e9 && budget.rounded() == budget) else {
            throw EngineError(
                .invalidRequest,
                "A KV budget is a share above 0 and up to 1, or a whole number of tokens above.")
        }
        guard Self.types.contains(type) else {
            throw EngineError(
                .invalidRequest,
                "Answers keep keys and values as \(Self.types.map(\.rawValue).joined(separator: ", "))."
            )
        }
    }
}

/// The rows that an answer was given from.
public struct KeptRows: Sendable, Equatable {
    /// The policy and format.
    public var policy: String, type: KVCodec
    /// Rows that a head kept at the end, on average.
    public var tokens: Double
    /// Bytes of their pages, and those of keys and values that the last token read.
    public var bytes: Int, readBytes = 0

    /// Figures of an answer.
    public init(policy: String, type: KVCodec, tokens: Double, bytes: Int) {
        self.policy = policy
        self.type = type
        self.tokens = tokens
        self.bytes = bytes
    }
}
