public import Foundation

/// A history and the questions about it: what one record of a benchmark's file becomes.
public struct BenchEpisode: Sendable, Equatable {
    /// Names it within the file.
    public var id: String
    /// What was said or happened, in order.
    public var turns: [BenchTurn]
    /// What is asked when all of it is stored.
    public var questions: [BenchQuestion]

    /// A history with its questions.
    public init(id: String, turns: [BenchTurn], questions: [BenchQuestion]) {
        (self.id, self.turns, self.questions) = (id, turns, questions)
    }
}

/// One message, event or chunk of a history: it becomes one memory.
public struct BenchTurn: Sendable, Equatable {
    /// Names it within the history; evidence refers to it.
    public var id: String
    /// The conversation, day or platform that it belongs to.
    public var session: String
    /// Who said it; nil for a text without a speaker.
    public var speaker: String?
    /// The text.
    public var text: String
    /// When it was; nil where the file says nothing.
    public var time: Date?

    /// A message of a session; its time is set where it is known.
    public init(id: String, session: String, speaker: String? = nil, text: String) {
        (self.id, self.session, self.speaker, self.text) = (id, session, speaker, text)
    }

    /// The same message at a time.
    func at(_ time: Date?) -> BenchTurn {
        var turn = self
        turn.time = time
        return turn
    }
}

/// One question about a history.
public struct BenchQuestion: Sendable, Equatable {
    /// Names it within the history.
    public var id: String
    /// The question.
    public var text: String
    /// The kind of question, as the benchmark calls it: a row of the table.
    public var category: String
    /// Answers of which one is enough; none where only recall is measured.
    public var answers: [String]
    /// Ids of the turns that hold the answer; none where the file marks none.
    public var evidence: Set<String> = []
    /// Ids of the sessions that hold the answer; none where the file marks none.
    public var sessions: Set<String> = []
    /// True if the history does not hold the answer, and saying so is right.
    public var isUnanswerable = false
    /// Answers that were right once: to give one is counted as outdated.
    public var outdated: [String] = []
    /// When it is asked; nil asks at the time of the last turn.
    public var time: Date?

    /// A question of a kind with its answers; where they stand is set where it is known.
    public init(id: String, text: String, category: String, answers: [String]) {
        (self.id, self.text, self.category, self.answers) = (id, text, category, answers)
    }
}
