import Foundation
import Mneme
public import MnemePipeline

/// A language model that answers from the recalled memories: the engine's own, or one behind an endpoint.
public struct ModelAnswerer: BenchAnswerer {
    private let oracle: any Oracle
    /// Whether memories are left out, so that only what the model knows by itself answers.
    private let isClosedBook: Bool

    /// - Parameters:
    ///   - oracle: the model.
    ///   - isClosedBook: true gives it no memories, see `--closed-book`.
    public init(_ oracle: any Oracle, isClosedBook: Bool = false) {
        (self.oracle, self.isClosedBook) = (oracle, isClosedBook)
    }

    /// The model's name, and whether it sees memories.
    public var name: String {
        oracle.name + (isClosedBook ? ", without memories (closed book)" : ", from the recalled memories")
    }

    /// A memory is taken for 60 tokens, the task for 200.
    public func tokens(of memories: Int) -> Int { 200 + (isClosedBook ? 0 : 60 * memories) }

    /// The form of the answer.
    private struct Reply: Decodable { var answer: String }
    /// The schema of an answer in one member.
    static let schema = """
        {"type":"object","properties":{"answer":{"type":"string"}},"required":["answer"],"additionalProperties":false}
        """

    /// - Throws: what the model throws. An answer that cannot be read twice counts as none.
    public func answer(_ context: BenchContext) async throws -> String {
        let notes = isClosedBook ? [] : context.memories.map(Self.note)
        let task =
            isClosedBook
            ? "Answer the question in as few words as possible."
            : "Answer the question from the notes in as few words as possible; use their words, and dates for times."
        let question = OracleQuestion(
            instructions: "\(task) If there is no answer, say \"\(BenchAnswer.none)\".",
            text: (notes + ["Asked on \(Self.day(context.now)): \(context.question.text)"]).joined(separator: "\n"),
            schema: Self.schema, schemaName: "answer",
            sources: Set(context.memories.map(\.id.description)), maxTokens: 120)
        return try await oracle.ask(question, for: Reply.self)?.answer ?? BenchAnswer.none
    }

    /// A memory as a line: its day, who said it, and the text.
    private static func note(_ memory: MemCube) -> String {
        let speaker = memory.speaker.map { "\($0): " } ?? ""
        return "- \(day(memory.eventTime)) \(speaker)\(memory.text)"
    }

    private static func day(_ date: Date) -> String {
        date.formatted(Date.ISO8601FormatStyle().year().month().day())
    }
}
