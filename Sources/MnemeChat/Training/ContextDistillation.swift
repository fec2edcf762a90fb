import Mneme
package import MnemeCube
import MnemeEngine
import MnemeModels
package import MnemeTrain

/// Examples of what a model says with memories in its prompt, to be learned without them (context distillation, Snell et
/// al. 2022): an adapter then says by itself what it said about its notes, in its own words.
///
/// A memory stands in the prompt with some others, as in a chat with memory. What the model says is learned where it is
/// right, that is where it contains what the rule's answer is about; elsewhere the rule's answer is.
package struct ContextDistillation {
    /// Memories in a prompt besides the one that is asked for.
    private static let others = 3
    /// Tokens of an answer at most; one that is longer is not learned.
    private static let answerTokens = 48

    /// What is learned.
    private let memories: [MemCube]
    /// Leaves one question of each memory out, to judge by.
    private let leavesProbes: Bool

    /// Of these memories.
    package init(memories: [MemCube], leavesProbes: Bool) {
        (self.memories, self.leavesProbes) = (memories, leavesProbes)
    }

    /// The examples, of how many questions, and how many of the answers are the model's.
    package struct Made {
        package var examples: [TrainingExample] = []
        package var asked = 0, own = 0
    }

    /// Makes the examples.
    ///
    /// - Parameter answer: what the model says to prompts; nil where it says nothing that is whole.
    /// - Throws: what `answer` throws.
    package func examples(_ answer: ([String]) throws -> [String?]) rethrows -> Made {
        var asked: [(probe: MemoryProbe, prompt: String, group: String)] = []
        for (i, cube) in memories.enumerated() {
            let left = leavesProbes ? cube.probe?.prompt : nil
            let shown = (0...min(Self.others, memories.count - 1)).map { memories[(i + $0) % memories.count] }
            for probe in cube.questions where probe.prompt != left {
                let parts = ChatMemory.parts(probe.prompt, memories: shown.map { RecalledMemory($0) })
                asked.append((probe, parts.before + parts.texts.joined() + parts.after, "\(cube.id)"))
            }
        }
        var made = Made(examples: memories.map { TrainingExample(completion: $0.text, group: "\($0.id)") })
        made.asked = asked.count
        for ((probe, _, group), said) in zip(asked, try answer(asked.map(\.prompt))) {
            let right = AdapterEvaluation.Question(prompt: probe.prompt, answer: probe.expected)
            let own = said.flatMap { right.isAnswered(by: $0) ? $0 : nil }
            if own != nil { made.own += 1 }
            made.examples.append(
                TrainingExample(prompt: probe.prompt, completion: own ?? probe.completion, group: group))
        }
        return made
    }

    /// As ``examples(_:)``, by a base model itself.
    ///
    /// - Parameter goesOn: asked before each step of the model: false has the rest answered by rule, what it throws
    ///   ends it.
    /// - Throws: `ModelError`, `TemplateError`, and what `goesOn` throws.
    func examples(of base: ModelSource, while goesOn: @escaping () throws -> Bool) throws -> Made {
        let encoder = try ExampleEncoder(base, limit: try base.configuration().contextLength)
        var writer = try BaseWriter(base)
        writer.goesOn = goesOn
        return try examples { prompts in
            let sequences = prompts.map { encoder.encode(TrainingExample(prompt: $0, completion: ".")) }
            return try writer.answers(
                to: sequences.map { Array($0.tokens.prefix($0.promptTokens)) }, tokens: Self.answerTokens)
        }
    }
}
