import Foundation
public import MnemeCube
public import MnemeTrain

/// A question that a memory answers, in a wording that its training leaves out: what a model says to
/// it without the memory in the prompt tells whether it has learned it.
package struct MemoryProbe: Sendable, Equatable {
    /// The question.
    package var prompt: String
    /// The whole answer, as training has it for other wordings.
    package var completion: String
    /// The word or words that a right answer contains.
    package var expected: String
}

extension MemCube {
    /// The training examples of a memory: its text, and the questions that it answers by rule, in
    /// several wordings each. All are of one group.
    public var trainingExamples: [TrainingExample] { examples(besides: nil) }

    /// As ``trainingExamples``, without the question of ``probe``.
    package var examplesWithoutProbe: [TrainingExample] { examples(besides: probe?.prompt) }

    /// A question to judge by; nil for a text that answers fewer than two by rule.
    package var probe: MemoryProbe? {
        for question in claimQuestions where question.prompts.count > 1 {
            guard let prompt = question.prompts.last, !prompt.contains(question.claim.value) else { continue }
            return MemoryProbe(prompt: prompt, completion: question.answer, expected: question.claim.value)
        }
        let prompts = claimQuestions.isEmpty ? StatementQuestion.texts(text) : []
        guard prompts.count > 1, let prompt = prompts.first,
            let last = text.split(whereSeparator: { $0.isWhitespace || $0 == "." }).last.map(String.init),
            !prompt.contains(last)
        else { return nil }
        return MemoryProbe(prompt: prompt, completion: text, expected: last)
    }

    /// All questions that it answers by rule, with their answers.
    var questions: [MemoryProbe] {
        let claims = claimQuestions
        guard claims.isEmpty else {
            return claims.flatMap { question in
                question.prompts.map {
                    MemoryProbe(prompt: $0, completion: question.answer, expected: question.claim.value)
                }
            }
        }
        let last = text.split(whereSeparator: { $0.isWhitespace || $0 == "." }).last.map(String.init) ?? text
        return StatementQuestion.texts(text).map { MemoryProbe(prompt: $0, completion: text, expected: last) }
    }

    private func examples(besides left: String?) -> [TrainingExample] {
        [TrainingExample(completion: text, group: "\(id)")]
            + questions.filter { $0.prompt != left }.map {
                TrainingExample(prompt: $0.prompt, completion: $0.completion, group: "\(id)")
            }
    }

    private var claimQuestions: [(claim: Claim, prompts: [String], answer: String)] {
        self.claims.filter { !$0.isDenied }.map { claim in
            // A subject that the text does not name is the one who says "I".
            let name = text.range(of: claim.subject, options: .caseInsensitive).map { String(text[$0]) }
            return (
                claim, ClaimQuestion.texts(subject: name, attribute: claim.attribute),
                name == nil ? "You said: \(text)" : text
            )
        }
    }
}
