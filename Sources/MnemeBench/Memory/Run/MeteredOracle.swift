public import MnemePipeline
import NIOConcurrencyHelpers

/// An oracle that counts what it is asked.
public final class MeteredOracle: Oracle {
    private let base: any Oracle
    private let counts = NIOLockedValueBox((calls: 0, bytes: 0))

    /// Counts what `base` is asked.
    public init(_ base: any Oracle) { self.base = base }

    /// The model's name.
    public var name: String { base.name }
    /// Questions asked so far.
    public var calls: Int { counts.withLockedValue { $0.calls } }
    /// Tokens of prompts and answers so far, at four bytes a token: an estimate, as an oracle does not
    /// tell.
    public var tokens: Int { counts.withLockedValue { $0.bytes / 4 } }

    /// Asks the oracle.
    public func answer(_ question: OracleQuestion) async throws -> String {
        let asked = question.instructions.utf8.count + question.text.utf8.count
        counts.withLockedValue {
            $0.calls += 1
            $0.bytes += asked
        }
        let answer = try await base.answer(question)
        counts.withLockedValue { $0.bytes += answer.utf8.count }
        return answer
    }
}
