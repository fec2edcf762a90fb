import Foundation
import Mneme
import MnemeStore
import Testing

/// Dates in languages other than English.
@Suite struct DatePhraseTests {
    /// Wednesday, 25 November 2026.
    private static let reference = DateText.parse("2026-11-25T12:00:00Z")!

    private func found(_ text: String) -> [String] {
        TimeExpressions.find(in: text, reference: Self.reference).map {
            DateText.format($0.start).prefix(10) + " " + DateText.format($0.end).prefix(10)
        }
    }

    private static let cases: [(language: String, text: String, spans: [String])] = {
        let file = Bundle.module.url(forResource: "phrases", withExtension: "tsv", subdirectory: "Dates")!
        let lines = try! String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        return lines.map { line in
            let parts = line.split(separator: "\t").map(String.init)
            return (parts[0], parts[1], parts[2] == "-" ? [] : parts[2].components(separatedBy: " | "))
        }
    }()

    @Test(arguments: TimePhrases.all.map(\.language))
    func `sentences of a language tell their days`(language: String) {
        let cases = Self.cases.filter { $0.language == language }
        #expect(cases.count >= 15)
        for (_, text, spans) in cases { #expect(found(text) == spans, "\(text)") }
    }

    @Test(arguments: TimePhrases.all.indices)
    func `English reads what each phrase of a table says`(index: Int) {
        for english in TimePhrases.all[index].readings {
            let dates = TimeExpressions.english(in: english, reference: Self.reference)
            // An article and a preposition may stand before what is read.
            let words = english.split(separator: " ").count
            #expect(
                dates.contains { $0.text.split(separator: " ").count >= words - 1 },
                "\(english): \(dates.map(\.text))")
        }
    }

    @Test func `a question is asked in the time that its words name`() {
        #expect(found("¿Qué compré hace cinco días?") == ["2026-11-20 2026-11-21"])
        #expect(found("Was habe ich gestern gekauft?") == ["2026-11-24 2026-11-25"])
        #expect(found("昨天我买了什么？") == ["2026-11-24 2026-11-25"])
    }

    @Test func `what only looks like a date in another language is none`() {
        #expect(found("Im Fall eines Fehlers rufe ich dich an, und das ist gut so.") == [])
        #expect(found("El mar está muy frío en esta playa.") == [])
        #expect(found("2,5 semanas atrás no es una fecha que se lea aquí.") == [])
    }

    @Test func `English keeps its own grammar`() {
        #expect(found("I met Ben in Den Haag yesterday") == ["2026-11-24 2026-11-25"])
        #expect(found("The mission to Mars 2030 starts tomorrow") == ["2026-11-26 2026-11-27"])
        #expect(found("Domingo and Mai are in the An family") == [])
    }
}
