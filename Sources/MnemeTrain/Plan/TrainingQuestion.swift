/// A question of how to train on a described machine: its description as JSON, and the answer.
public protocol TrainingQuestion: Codable, Sendable {
    /// The description that `--example` prints.
    init()
    /// Ways to train and the fastest of them, by the description's rates.
    ///
    /// - Throws: ``TrainingError`` for descriptions that are out of range.
    func report() throws -> PlanReport
}
