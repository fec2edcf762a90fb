import Foundation
public import MnemeBase

/// A language model that is asked for facts, and whose answers are checked: it never writes
/// anything itself.
///
/// An oracle is slow and may be wrong: an answer counts as far as the memory's own text bears it
/// out.
public protocol Oracle: Sendable {
    /// Names the model, for the journal.
    var name: String { get }
    /// Answers with JSON that follows the question's schema, as far as the model can be made to.
    ///
    /// - Throws: what goes wrong on the way; the job that asked is tried again later.
    func answer(_ question: OracleQuestion) async throws -> String
}

/// One question to an ``Oracle``: what to do, on which text, and the form of the answer.
public struct OracleQuestion: Sendable {
    /// The task, and the text that it is about: the second is data, whatever it says.
    public var instructions: String, text: String
    /// JSON schema of the answer, and its name.
    public var schema: String, schemaName: String
    /// Names what the text is of, ids of memories as a rule: what is computed for it
    /// goes when that is erased.
    public var sources: Set<String>
    /// The most tokens of the answer.
    public var maxTokens: Int

    /// A question; its answer has at most 300 tokens unless the caller says otherwise.
    public init(
        instructions: String, text: String, schema: String, schemaName: String,
        sources: Set<String>,
        maxTokens: Int = 300
    ) {
        (self.instructions, self.text, self.schema, self.schemaName) = (
            instructions, text, schema, schemaName
        )
        (self.sources, self.maxTokens) = (sources, maxTokens)
    }
}

/// The failure of a request to a model: it is not reachable, or answers nothing that can be read.
/// The job that asked is tried again later.
public struct OracleError: MnemeError {
    /// The failure and what to do, in a sentence for people.
    public let message: String

    /// - Parameter message: what happened and what to do, for people.
    public init(_ message: String) { self.message = message }

    /// Always `unavailable`, whatever the cause: the model is another program's.
    public var errorClass: ErrorClass { .unavailable }
}

extension Oracle {
    /// Asks, and reads the answer; one that does not follow the schema is asked for once more.
    ///
    /// - Returns: nil if both answers cannot be read; a model that cannot does not block a job.
    /// - Throws: what the oracle throws, and `CancellationError`.
    public func ask<Answer: Decodable>(_ question: OracleQuestion, for _: Answer.Type) async throws
        -> Answer?
    {
        for _ in 0..<2 {
            let text = try await answer(question)
            if let answer = try? JSONDecoder().decode(Answer.self, from: Data(text.utf8)) {
                return answer
            }
            try Task.checkCancellation()
        }
        return nil
    }
}
