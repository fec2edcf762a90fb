import Foundation
import Mneme
import MnemeBase
import MnemeBench
import Testing

/// Every format: its sample is read, and files that are broken, cut or hostile are refused.
@Suite struct FormatTests {
    /// The histories of a text in a format.
    private static func read(_ format: BenchFormat, _ text: String) throws -> [BenchEpisode] {
        var records = JSONRecords(text, name: "test")
        var episodes: [BenchEpisode] = []
        while let record = try records.next() {
            episodes += try format.episodes(of: record, records.count - 1)
        }
        return episodes
    }

    @Test(arguments: BenchCatalog.all.map(\.name)) func `a format reads its sample`(_ name: String) throws {
        let format = try #require(BenchCatalog.all.first { $0.name == name })
        let episodes = try Self.read(format, format.sample)
        #expect(!episodes.isEmpty && !format.source.isEmpty)
        for episode in episodes {
            let turns = Set(episode.turns.map(\.id))
            #expect(!turns.isEmpty && !episode.questions.isEmpty)
            for question in episode.questions {
                #expect(question.isUnanswerable || !question.answers.isEmpty)
                #expect(question.evidence.isSubset(of: turns))
            }
        }
        // The right answer scores 1 by the format's own scores, another 0.
        let questions = episodes.flatMap(\.questions).filter { !$0.isUnanswerable }
        for question in questions {
            // Of LoCoMo's open questions what stands before the semicolon is the answer.
            let right = format.score(String(question.answers[0].prefix { $0 != ";" }), question)
            #expect(right.values.contains { $0 > 0.999 }, "\(question.text): \(right)")
            #expect(format.score("quite something else", question).values.allSatisfy { $0 < 0.5 })
        }
        // A file is known by its first record.
        var records = JSONRecords(format.sample, name: "sample")
        let first = try #require(try records.next())
        #expect(try BenchCatalog.format(of: first).name == name)
    }

    @Test(arguments: BenchCatalog.all.map(\.name)) func `a sample that is cut anywhere is refused`(_ name: String)
        throws
    {
        let format = try #require(BenchCatalog.all.first { $0.name == name })
        let sample = format.sample.trimmingCharacters(in: .whitespacesAndNewlines)
        for share in 1..<40 {
            let cut = String(sample.prefix(sample.count * share / 40))
            // A cut at the end of a line of JSON lines is a shorter file.
            guard !cut.hasSuffix("}"), !cut.hasSuffix("}\n") else { continue }
            #expect(throws: InputError.self) { try Self.read(format, cut) }
        }
    }

    @Test(arguments: [
        "", "   ", "null", "7", "\"text\"", "[1, 2]", "[{}, 3]", "{\"a\": 1}}", "[{\"a\": 1} {\"b\": 2}]", "[{}],[{}]",
        "{\"history\": 3}", "[[1]]", "{\"a\": \"\u{0}\"}", "{\"context\": 5, \"questions\": {}}",
    ]) func `text of another form is refused by every format`(_ text: String) {
        for format in BenchCatalog.all {
            #expect(throws: InputError.self) { try Self.read(format, text) }
        }
    }

    @Test func `values of other types where texts belong are refused, never crash`() throws {
        let values = ["null", "true", "-1", "1e300", "[]", "{}", "[[[]]]", "\"\""]
        for format in BenchCatalog.all {
            var records = JSONRecords(format.sample, name: "sample")
            let first = try #require(try records.next())
            for member in (first.object ?? [:]).keys {
                for value in values {
                    var members = first.object ?? [:]
                    members[member] = try JSONValue(parsing: Array(value.utf8))
                    // Either it is read, or a typed error says what is wrong.
                    do { _ = try format.episodes(of: .object(members), 0) } catch {
                        #expect(error is InputError)
                    }
                }
            }
        }
    }

    @Test func `nesting, sizes and doubled ids are bounded`() throws {
        let deep = "{\"history\":" + String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000) + "}"
        #expect(throws: InputError.self) { try Self.read(.questions, deep) }
        let huge = String(repeating: "x", count: 1 << 21)
        #expect(throws: InputError.self) {
            try Self.read(.questions, "{\"history\":[\"\(huge)\"],\"question\":\"What?\",\"answer\":\"x\"}")
        }
        #expect(throws: InputError.self) {
            try Self.read(
                .questions,
                "{\"history\":[{\"id\":\"a\",\"text\":\"x\"},{\"id\":\"a\",\"text\":\"y\"}],\"question\":\"What?\"}")
        }
        #expect(throws: InputError.self) {
            try Self.read(.questions, "{\"history\":[\"x\"],\"question\":\"What?\",\"evidence\":[9]}")
        }
    }

    @Test func `records are the same as a list, as lines and behind a byte order mark`() throws {
        let one = "{\"history\":[\"The key is red, }]\\\" or so\"],\"question\":\"Which key?\",\"answer\":\"red\"}"
        let forms = ["[\(one),\n \(one)]", one + "\n" + one + "\n", one + one, "\u{FEFF}[\(one) , \(one)]"]
        for form in forms {
            #expect(try Self.read(.questions, form).map(\.id) == ["history-1", "history-2"])
        }
    }

    @Test func `LoCoMo's answers are scored by kind, and adversarial ones by saying that there is none`() throws {
        let questions = try #require(try Self.read(.locomo, BenchFormat.locomo.sample).first).questions
        func score(_ kind: String, _ answer: String) throws -> Double {
            try #require(BenchFormat.locomo.score(answer, questions.first { $0.category == kind }!)["F1"])
        }
        #expect(try score("multi-hop", "sailing") == 0.5)
        #expect(try score("open-domain", "no") == 1)
        #expect(try score("adversarial", "It is not mentioned.") == 1)
        #expect(try score("adversarial", "the accordion") == 0)
        #expect(try abs(score("temporal", "April 2024") - 0.8) < 1e-9)
    }
}
