import Foundation
import MnemeBase

/// What a step of a model computes.
package struct StepLoad: Sendable, Equatable {
    /// Tokens of prompts and of answers.
    package var promptTokens = 0, answerTokens = 0
    /// Rows of keys and values that these attend to, all tokens together.
    package var promptRows = 0, answerRows = 0
    /// Sequences that sample a token.
    package var samples = 0

    /// A step of nothing.
    package init() {}

    /// Whether there is something to compute.
    package var isEmpty: Bool { promptTokens + answerTokens == 0 }

    /// Adds tokens of a sequence.
    ///
    /// - Parameter position: of the first.
    package mutating func add(_ tokens: Int, at position: Int, isAnswer: Bool) {
        // Each token attends to those before it and itself.
        let rows = tokens * position + tokens * (tokens + 1) / 2
        if isAnswer {
            answerTokens += tokens
            answerRows += rows
        } else {
            promptTokens += tokens
            promptRows += rows
        }
    }
}

/// How long steps take: the seconds of each thing that a step does, and of a processor's shares.
///
/// The coefficients are those of a model on a machine: measured by `mneme bench steps`, or from a
/// file.
package struct StepCost: Sendable, Equatable, Codable {
    /// Seconds of any step: reading the weights.
    package var step = 2.2e-3
    /// Seconds of a token's products, of a row that a prompt's token attends to, of one that an
    /// answer's token does, and of a sample.
    package var token = 6.8e-4, promptRow = 4.5e-7, answerRow = 3.7e-7, sample = 5e-5
    /// The share of the cores that reads memory as fast as all of them: reading gets no faster
    /// with more.
    package var saturation = 0.5
    /// Seconds of a copy to or from the machine's other memory, and of each block of 32 tokens
    /// in it.
    package var copy = 2e-5, copyBlock = 1e-4

    /// SmolLM2-135M (Q4_1) on two cores, from the rates in docs/measured.md: 1,270 tokens a second of
    /// a prompt of 512, 340 of one answer, 1,045 of eight, 168 behind 7,900 tokens.
    package init() {}

    /// The coefficients in a JSON file.
    ///
    /// - Throws: `InputError` if they are not there, negative, or no numbers.
    package init(file path: String) throws {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            throw InputError(
                "The costs in '\(path)' cannot be read. They are a JSON object of step, token, promptRow, answerRow, "
                    + "sample, saturation, copy and copyBlock, as `mneme bench steps --json` writes it."
            )
        }
        let all = [step, token, promptRow, answerRow, sample, copy, copyBlock]
        guard all.allSatisfy({ $0.isFinite && $0 >= 0 }), step + token > 0, saturation > 0, saturation <= 1
        else {
            throw InputError(
                "The costs in '\(path)' are seconds, not negative; step or token is above 0, and saturation above 0 "
                    + "and at most 1."
            )
        }
    }

    /// Seconds of a step on all cores.
    package func seconds(_ load: StepLoad) -> Double { seconds(load, cores: 1, beside: nil) }

    /// Seconds of a step on a share of the cores, beside another on the rest.
    ///
    /// Products are bound by the cores, and take longer in proportion. Reading weights and an
    /// answer's rows is bound by memory: a share beyond ``saturation`` adds nothing, and what runs
    /// beside takes its part of the bandwidth in proportion to the time that it reads (the
    /// contention of Nexus, Shi et al. 2025).
    package func seconds(_ load: StepLoad, cores: Double, beside other: StepLoad?) -> Double {
        let rate = min(1, cores / saturation)
        let contention = other.map { reading($0) / max(1e-12, seconds($0)) } ?? 0
        return computing(load) / cores + reading(load) / rate * (1 + contention)
    }

    /// Seconds bound by memory: weights and rows.
    private func reading(_ load: StepLoad) -> Double {
        load.isEmpty ? 0 : step + Double(load.answerRows) * answerRow
    }

    /// Seconds bound by the cores.
    private func computing(_ load: StepLoad) -> Double {
        Double(load.promptTokens + load.answerTokens) * token + Double(load.promptRows) * promptRow
            + Double(load.samples) * sample
    }
}
