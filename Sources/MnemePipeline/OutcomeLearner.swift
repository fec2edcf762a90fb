/// The sixth stage: learns what approaches are worth from how tasks ended, and says what to offer for the next one.
///
/// `MemoryOS.learn` and `recall` for a task ask it. The core keeps cases and procedures as memories, changes those alone that
/// the caller may write, and archives a procedure whose cases no longer end well.
public protocol OutcomeLearner: Sendable {
    /// What an outcome changes.
    ///
    /// - Parameters:
    ///   - outcome: a case whose value is the reward, 0 to 1.
    ///   - cases: what was known before; places in the answer are of these.
    func changes(_ outcome: TaskCase, among cases: [TaskCase]) -> OutcomeChanges
    /// Cases to offer for a task, the best first.
    func offers(for task: String, among cases: [TaskCase]) -> [CaseOffer]
    /// Procedures to offer for a task, the best first.
    ///
    /// - Parameters:
    ///   - task: in words.
    ///   - procedures: the words that the tasks of each have, and what it is worth.
    func offers(for task: String, among procedures: [(about: String, value: Double)]) -> [CaseOffer]
    /// The mean value of the cases behind a procedure below which it is given up.
    var leastProcedureValue: Double { get }
}

/// What one outcome changes.
public struct OutcomeChanges: Sendable, Equatable {
    /// The place of the case of the same task and approach; nil if it is a new one.
    public var known: Int?
    /// The case as it is now.
    public var made: TaskCase
    /// New values of other cases, by place.
    public var values: [Int: Double]
    /// What the cases of this kind have in common, if they end well; the new case's place is the count of those given.
    public var procedure: TaskProcedure?

    /// A case, and what it changes besides.
    public init(
        known: Int? = nil, made: TaskCase, values: [Int: Double] = [:], procedure: TaskProcedure? = nil
    ) {
        (self.known, self.made, self.values, self.procedure) = (known, made, values, procedure)
    }
}

/// One thing to offer for a task.
public struct CaseOffer: Sendable, Equatable {
    /// Its place among those given.
    public var place: Int
    /// How like the task is, 0 to 1.
    public var similarity: Double
    /// What its approach is expected to be worth for this task, 0 to 1.
    public var value: Double
    /// Similarity times value, by which offers are ordered.
    public var score: Double { similarity * value }

    /// An offer.
    public init(place: Int, similarity: Double, value: Double) {
        (self.place, self.similarity, self.value) = (place, similarity, value)
    }
}
