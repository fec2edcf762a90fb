import Foundation
package import Mneme
import MnemeCube
import MnemeEngine

/// How well a model does an operation on memories, as it is and with the adapter that has learned it.
package struct OperationScore: Sendable, Codable, Equatable {
    /// The operation, and the adapter that was measured.
    package var operation: TaughtOperation, adapter: String
    /// Questions that were asked.
    package var cases = 0
    /// The mean score of an answer from 0 to 1: for claims F1 over those of the rules, else 1 if it is right.
    package var without = 0.0, with = 0.0

    /// Nothing asked yet.
    package init(_ operation: TaughtOperation, adapter: String) {
        (self.operation, self.adapter) = (operation, adapter)
    }

    /// Asks each question twice, and has the means of the answers' scores.
    ///
    /// - Parameters:
    ///   - questions: of the operation.
    ///   - model: answers, held to each question's schema in both runs.
    ///   - progress: called with what is done.
    /// - Throws: `EngineError`, `AdapterError`, `CancellationError`.
    package mutating func ask(
        _ questions: [TaughtOperation.Case], of model: (plain: any Oracle, adapted: any Oracle),
        progress: (Int) -> Void = { _ in }
    ) async throws {
        (without, with, cases) = (0, 0, questions.count)
        let count = Double(max(1, questions.count))
        for (i, one) in questions.enumerated() {
            without += one.score(try await model.plain.answer(one.question)) / count
            with += one.score(try await model.adapted.answer(one.question)) / count
            progress(i + 1)
        }
    }
}

extension TaughtOperation.Case {
    /// What an answer is worth, from 0 to 1.
    package func score(_ text: String) -> Double {
        if let expected {
            return AdapterEvaluation.Question(prompt: question.text, answer: expected).isAnswered(by: text) ? 1 : 0
        }
        guard question.schemaName == "claims" else { return text.filter { !$0.isWhitespace } == answer ? 1 : 0 }
        func claims(_ text: String) -> Set<Claim>? {
            (try? JSONDecoder().decode(Refinement.Answer.self, from: Data(text.utf8))).map {
                Set(Refinement.checked($0, memory))
            }
        }
        guard let found = claims(text), let right = claims(answer) else { return 0 }
        guard !found.isEmpty || !right.isEmpty else { return 1 }
        return 2 * Double(found.intersection(right).count) / Double(found.count + right.count)
    }
}
