import Foundation
import Mneme
import MnemeIndex
import MnemeStore

/// Answers without a model: by `ask`'s rules where they settle the question, a time where one is asked
/// for, else by the recalled sentence that shares most words with the question. It writes nothing that
/// the memories do not say, and declines where no recalled text shares a word with the question.
public struct ExtractiveAnswerer: BenchAnswerer {
    /// Whether `ask` is tried first.
    private let usesAsk: Bool
    private let analyzer = TextAnalyzer()
    /// What answers, as reports name it.
    public let name: String

    /// - Parameter usesAsk: false leaves the rules of `ask` out, which read all memories of an owner.
    public init(usesAsk: Bool = true) {
        self.usesAsk = usesAsk
        name =
            usesAsk ? "rules of ask, else the best recalled sentence; no model" : "the best recalled sentence; no model"
    }

    /// No model is asked.
    public func tokens(of memories: Int) -> Int { 0 }

    /// The words of a question that say which kind it is, and their answers a time.
    private static let times: Set<String> = ["when", "date", "day", "month", "year"]

    /// - Throws: `StoreError`.
    public func answer(_ context: BenchContext) async throws -> String {
        let question = context.question.text
        let words = TextAnalyzer.words(question)
        if usesAsk, !words.isEmpty {
            var request = AskRequest(question, owner: context.owner)
            request.now = context.now
            let result = try await context.memory.ask(request)
            if result.certain, !result.recalled { return result.answer }
        }
        guard let best = best(context) else { return BenchAnswer.none }
        guard words.prefix(4).contains(where: Self.times.contains) else { return best.sentence }
        let found = TimeExpressions.find(in: best.sentence, reference: best.memory.eventTime)
        return found.first.map { Self.text(of: $0.start, $0.end) }
            ?? Self.text(of: best.memory.eventTime, best.memory.eventTime)
    }

    /// The sentence that shares most terms with the question, those of the first memories preferred;
    /// nil if none shares any.
    private func best(_ context: BenchContext) -> (sentence: String, memory: MemCube)? {
        let wanted = Set(analyzer.terms(context.question.text))
        var best: (sentence: String, memory: MemCube)?
        var highest = 0.0
        var shared = false
        for (rank, memory) in context.memories.enumerated() {
            let around = Double(wanted.intersection(analyzer.terms(memory.text)).count)
            for sentence in Self.sentences(memory.text) {
                let own = Double(wanted.intersection(analyzer.terms(sentence)).count)
                shared = shared || own > 0
                let score = own + 0.3 * around + 1 / Double(rank + 1)
                if score > highest { (best, highest) = ((sentence, memory), score) }
            }
        }
        return shared ? best : nil
    }

    /// The sentences of a text: up to a full stop, question or exclamation mark before a blank, or a line's
    /// end.
    static func sentences(_ text: String) -> [String] {
        var sentences: [String] = []
        var current = ""
        var last: Character = " "
        for character in text {
            if character.isNewline || (character.isWhitespace && (".!?".contains(last))) {
                sentences.append(current)
                current = ""
            } else {
                current.append(character)
            }
            last = character
        }
        sentences.append(current)
        return sentences.map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    /// A span as people write it: 7 May 2023, May 2023, 2023.
    private static func text(of start: Date, _ end: Date) -> String {
        let days = end.timeIntervalSince(start) / 86_400
        let style = Date.FormatStyle(locale: Locale(identifier: "en_GB"), timeZone: .gmt)
        let month = style.month(.wide).year()
        return start.formatted(days < 2 ? month.day() : days < 32 ? month : style.year())
    }
}
