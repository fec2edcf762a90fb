public import Mneme
import MnemeBase

/// A benchmark's published format, as a value: how its records are read, and how its answers are
/// scored. Each is one file in `Formats`, named in ``BenchCatalog``.
public struct BenchFormat: Sendable {
    /// Its name on the command line.
    public var name: String
    /// Its name as its authors write it, and the paper.
    public var title: String
    /// Where the data comes from and what must be done to it, in a sentence for the documentation.
    public var source: String
    /// The histories and questions of one record; the number counts records from 0.
    ///
    /// Throws `InputError` for a record of another shape.
    public var read: @Sendable (_ record: JSONValue, _ number: Int) throws -> [BenchEpisode] = { _, _ in [] }
    /// Scores of an answer between 0 and 1, by name.
    public var score: @Sendable (_ answer: String, _ question: BenchQuestion) -> [String: Double] = { _, _ in [:] }
    /// A small file of our own writing in this format.
    public var sample: String
    /// Says what the scores stand for where the authors ask a model to judge; nil where they do not.
    public var judged: String?
    /// Recalls that may be made for one question, the first with its own words.
    public var calls = 1

    /// A format that reads and scores nothing yet: set ``read``, ``score`` and ``recognises``.
    public init(name: String, title: String, source: String, sample: String) {
        (self.name, self.title, self.source, self.sample) = (name, title, source, sample)
    }

    /// Whether a record has this format's members, for commands that are not told which it is.
    public var recognises: @Sendable (JSONValue) -> Bool = { _ in false }

    // MARK: Bounds

    /// Turns of one history, questions about it, and bytes of one turn at most.
    public static let mostTurns = 500_000, mostQuestions = 100_000, textBytes = 1 << 20

    /// The histories of a record, checked against the bounds and for names that are not unique.
    ///
    /// - Throws: `InputError` that names the record.
    public func episodes(of record: JSONValue, _ number: Int) throws -> [BenchEpisode] {
        do {
            let episodes = try read(record, number)
            for episode in episodes { try Self.check(episode) }
            return episodes
        } catch let error as InputError { throw InputError("Record \(number + 1): \(error.message)") }
    }

    private static func check(_ episode: BenchEpisode) throws {
        let name = String(episode.id.prefix(80))
        guard episode.turns.count <= mostTurns, episode.questions.count <= mostQuestions else {
            throw InputError("\(name) has over \(mostTurns) turns or \(mostQuestions) questions.")
        }
        guard Set(episode.turns.map(\.id)).count == episode.turns.count else {
            throw InputError("\(name) has two turns of one id.")
        }
        guard Set(episode.questions.map(\.id)).count == episode.questions.count else {
            throw InputError("\(name) has two questions of one id.")
        }
        for text in episode.turns.map(\.text) + episode.questions.map(\.text) {
            guard text.utf8.count <= textBytes, !text.utf8.contains(0) else {
                throw InputError(
                    "\(name) has a text of over \(textBytes >> 10) KiB or with a NUL character: "
                        + "\(text.prefix(60))…")
            }
        }
        for question in episode.questions
        where question.text.utf8.count > 1 << 16
            || !question.text.contains(where: { $0.isLetter || $0.isNumber })
        {
            throw InputError("\(name) has a question that is empty or over 64 KiB: \(question.id.prefix(80)).")
        }
    }
}

/// The formats that there are.
public enum BenchCatalog {
    /// All formats that the common runner asks.
    public static let all: [BenchFormat] = [
        .locomo, .longMemEval, .memoryAgentBench, .convoMem, .memTrack, .globalQA, .questions,
    ]

    /// The format that a file's first record has.
    ///
    /// - Throws: `InputError` that names the formats, and what the first record would need.
    public static func format(of record: JSONValue) throws -> BenchFormat {
        guard let format = all.first(where: { $0.recognises(record) }) else {
            throw InputError(
                "This is no LoCoMo file ('conversation', 'qa'), no LongMemEval file ('haystack_sessions'), and its "
                    + "first record has no 'history' with 'question' or 'questions'. See docs/benches.md.")
        }
        return format
    }
}
