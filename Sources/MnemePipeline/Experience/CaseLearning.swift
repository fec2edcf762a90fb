import Foundation

/// Learns what an approach is worth from how a task ended, and says what to offer for the next one.
///
/// A case bank whose values are learned from outcomes, as AgentFly's [222]; the outcome also moves the values of like cases
/// with the same approach, so that after a change one failure is felt by all, and admission is by outcome as SEDM's [127].
/// Several like cases that end well become a procedure, after ArcMemo's concepts [68]. Failures stay as cases of low value,
/// as the streams of mistakes of [129] do. Similarity is of words; there is no learned selector.
public struct CaseLearning: OutcomeLearner {
    /// The learner; it has no settings.
    public init() {}

    /// How far an outcome moves a value, and how far one that contradicts it does: what held before may hold no more.
    static let rate = 0.5, surprisedRate = 0.8
    /// Cases from this similarity on are of one kind.
    static let leastSimilarity = 0.5
    /// Cases from this similarity on are offered.
    static let offeredSimilarity = 0.3
    /// Cases from this value on count as done well, and a procedure needs so many.
    static let goodValue = 0.7, goodCases = 3
    /// Below this value a procedure is given up.
    public let leastProcedureValue = 0.5

    /// What an outcome changes.
    ///
    /// - Parameters:
    ///   - outcome: a case whose value is the reward, 0 to 1.
    ///   - cases: what was known before.
    /// - Complexity: linear in the cases.
    public func changes(_ outcome: TaskCase, among cases: [TaskCase]) -> OutcomeChanges {
        let words = TaskWords(outcome.task)
        var changes = OutcomeChanges(made: outcome)
        var like: [(place: Int, value: Double)] = []
        for (place, other) in cases.enumerated() where TaskCase.isSame(other.approach, outcome.approach) {
            if TaskCase.isSame(other.task, outcome.task), changes.known == nil {
                changes.known = place
                changes.made.value = Self.moved(other.value, to: outcome.value)
                changes.made.tries = other.tries + 1
                changes.made.lesson = outcome.lesson ?? other.lesson
                continue
            }
            let similarity = words.similarity(to: TaskWords(other.task))
            guard similarity >= Self.leastSimilarity else { continue }
            let value = Self.moved(other.value, to: outcome.value, by: similarity)
            changes.values[place] = value
            like.append((place, value))
        }
        changes.procedure = Self.procedure(of: changes.made, at: changes.known ?? cases.count, like, cases)
        return changes
    }

    /// A value after an outcome.
    private static func moved(_ value: Double, to reward: Double, by similarity: Double = 1) -> Double {
        let rate = abs(reward - value) > 0.5 ? surprisedRate : rate
        return value + rate * similarity * (reward - value)
    }

    private static func procedure(
        of made: TaskCase, at place: Int, _ like: [(place: Int, value: Double)], _ cases: [TaskCase]
    ) -> TaskProcedure? {
        let good = like.filter { $0.value >= goodValue }
        guard made.value >= goodValue, good.count + 1 >= goodCases else { return nil }
        let shared = good.reduce(TaskWords(made.task).stems) {
            $0.intersection(TaskWords(cases[$1.place].task).stems)
        }
        guard !shared.isEmpty else { return nil }
        var about: [String] = []
        for word in AskWord.words(of: made.task) where shared.contains(word.stem) && !about.contains(word.lower) {
            about.append(word.lower)
        }
        let values = [made.value] + good.map(\.value)
        var lessons: [String] = []
        for lesson in [made.lesson] + good.map({ cases[$0.place].lesson }) {
            if let lesson, !lessons.contains(lesson), lessons.count < 3 { lessons.append(lesson) }
        }
        var procedure = TaskProcedure(
            about: about, approach: made.approach, value: values.reduce(0, +) / Double(values.count),
            cases: [place] + good.map(\.place))
        procedure.lessons = lessons
        return procedure
    }

    /// Cases that are like a task, the best first: by similarity times the value that their approach has for such tasks, in
    /// which the most similar cases count most; of equals the latest first. That something worked for a task that is a
    /// little like this one counts for less than that it failed for one that is very much so.
    ///
    /// - Complexity: linear in the cases, and quadratic in those that are like the task.
    public func offers(for task: String, among cases: [TaskCase]) -> [CaseOffer] {
        let words = TaskWords(task)
        let like = cases.indices.compactMap { place -> (place: Int, similarity: Double)? in
            let similarity = words.similarity(to: TaskWords(cases[place].task))
            return similarity >= Self.offeredSimilarity ? (place, similarity) : nil
        }
        return like.map { item in
            var (sum, weights) = (0.0, 0.0)
            for other in like where TaskCase.isSame(cases[other.place].approach, cases[item.place].approach) {
                let weight = pow(other.similarity, 8)
                sum += weight * cases[other.place].value
                weights += weight
            }
            return CaseOffer(place: item.place, similarity: item.similarity, value: sum / weights)
        }.sorted { ($0.score, cases[$0.place].time) > ($1.score, cases[$1.place].time) }
    }

    /// Procedures whose words a task has, the best first: by the share of their words times their value.
    public func offers(for task: String, among procedures: [(about: String, value: Double)]) -> [CaseOffer] {
        let words = TaskWords(task)
        return procedures.enumerated().compactMap { place, known in
            let similarity = TaskWords(known.about).coverage(by: words)
            guard similarity >= Self.leastSimilarity else { return nil }
            return CaseOffer(place: place, similarity: similarity, value: known.value)
        }.sorted { $0.score > $1.score }
    }
}
