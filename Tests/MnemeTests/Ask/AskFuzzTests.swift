import Foundation
import MnemeBase
import MnemePipeline
import Testing

/// Sentences and questions that nobody would write: words that rules look for, in any order, cut anywhere.
@Suite struct AskFuzzTests {
    private static let words = """
        I we my our I'm we've Ana Ana's Porto Frau Lindqvist the The a an another two 3 1,000 9e99 half $ € 10 km minutes euros
        went bought ran read finished had has have been to was were will never didn't not almost plan if every daily twice
        and but because while or before after since between from until in on with for up back down of about than more most
        least how many much what which who when where did does order first last earlier longest top run runs city book books
        sister dog Tuesday March 2026 9999 said "yes" (no) ; : . , ? ! … -
        """.split(whereSeparator: \.isWhitespace).map(String.init)

    private static func sentence(_ random: inout SplitMix64) -> String {
        let marks = ["", "", "", ",", ";", ".", "?", "!", "'s"]
        return (0..<Int.random(in: 1...9, using: &random)).map { _ in
            (words.randomElement(using: &random) ?? "") + (marks.randomElement(using: &random) ?? "")
        }.joined(separator: " ")
    }

    @Test(arguments: [
        "Never, said I", "It was he and I.", "Who? I", "my", "Did before?", "but I", "Went", "order", "what order",
        "I've",
    ])
    func `a sentence may end where a rule looks for more`(text: String) {
        let time = Date(timeIntervalSince1970: 1_700_000_000)
        #expect(SentenceTriples.find(in: text, speaker: nil, time: time).isEmpty)
        let answer = Aggregation.answer(text, memories: [AskMemory(text: text, speaker: "ana", time: time)])
        #expect(answer.value == nil)
    }

    @Test func `words in any order are read or passed over`() {
        var random = SplitMix64(seed: 7)
        let time = Date(timeIntervalSince1970: 1_700_000_000)
        let spans = [
            Date.distantPast..<time, time..<time.addingTimeInterval(86_400),
            Date(timeIntervalSince1970: 250_000_000_000)..<Date(timeIntervalSince1970: 250_000_086_400),
        ]
        var (read, understood) = (0, 0)
        for round in 0..<20_000 {
            let texts = (0..<3).map { _ in Self.sentence(&random) }
            let speaker = ["ana", nil, "", " ", "I", ":", "Frau Lindqvist", "ana's"][round % 8]
            let memories = texts.map {
                AskMemory(text: $0, speaker: speaker, time: time, dates: round % 5 == 0 ? spans : [])
            }
            read += SentenceTriples.find(in: texts[0], speaker: nil, time: time).count
            let times = ["march", "tuesday", "9999", ""].enumerated().map {
                AskTime(words: $1, span: spans[$0 % 3])
            }
            let answer = Aggregation.answer(Self.sentence(&random), times: times, memories: memories)
            understood += answer.isUnderstood ? 1 : 0
        }
        #expect(read > 100 && understood > 100)
    }
}
