import Foundation
import Mneme
import MnemeIndex
import MnemeStore
import Testing

@Suite struct EncodeTests {
    /// Wednesday, 10 May 2023.
    private static let reference = DateText.parse("2023-05-10T15:00:00Z")!

    @Test(arguments: [
        ("I saw her yesterday", "2023-05-09", "2023-05-10"),
        ("we met last Friday", "2023-05-05", "2023-05-06"),
        ("see you next Wednesday", "2023-05-17", "2023-05-18"),
        ("on Monday it rained", "2023-05-08", "2023-05-09"),
        ("last week was long", "2023-05-01", "2023-05-08"),
        ("this weekend", "2023-05-13", "2023-05-15"),
        ("last month", "2023-04-01", "2023-05-01"),
        ("next year", "2024-01-01", "2025-01-01"),
        ("two days ago", "2023-05-08", "2023-05-09"),
        ("a couple of weeks ago", "2023-04-23", "2023-04-30"),
        ("in three days", "2023-05-13", "2023-05-14"),
        ("on 8 May 2022", "2022-05-08", "2022-05-09"),
        ("July 4th, 2021", "2021-07-04", "2021-07-05"),
        ("back in June 2020", "2020-06-01", "2020-07-01"),
        ("born in 1990", "1990-01-01", "1991-01-01"),
        ("2019-12-31 was cold", "2019-12-31", "2020-01-01"),
        ("last summer", "2022-06-01", "2022-09-01"),
        ("last December", "2022-12-01", "2023-01-01"),
    ])
    func `times are resolved against the message's date`(text: String, start: String, end: String)
        throws
    {
        let found = TimeExpressions.find(in: text, reference: Self.reference)
        let first = try #require(found.first, "nothing found in '\(text)'")
        #expect(
            found.count == 1 && first.start == DateText.parse(start)
                && first.end == DateText.parse(end), "\(found)")
    }

    @Test(arguments: [
        "I may come", "they march on", "room 2023", "February 31", "the second one", "99/99/9999",
        "",
    ])
    func `what is no date is left alone`(text: String) {
        #expect(
            TimeExpressions.find(in: text, reference: Self.reference).filter {
                $0.text != "february"
            }.isEmpty)
    }

    @Test func `a month without a year fits that month of any year`() {
        let june = TimeExpressions.find(in: "in June", reference: Self.reference)[0]
        #expect(
            june.proximity(to: DateText.parse("2019-06-15")!) > 0.5
                && june.proximity(to: DateText.parse("2019-08-15")!) == 0)
        let day = TimeExpressions.find(in: "8 May 2023", reference: Self.reference)[0]
        #expect(day.proximity(to: DateText.parse("2023-05-08T20:00:00Z")!) == 1)
        #expect(
            day.proximity(to: DateText.parse("2023-05-10")!)
                > day.proximity(to: DateText.parse("2023-05-20")!))
    }

    /// A window that leaves out a time which is near would lose memories without a word.
    @Test(arguments: [
        "on 5 May", "8 May 2023", "last summer", "on February 29", "Christmas Eve", "last week", "in June",
        "2026-W48", "in 2022", "on 31 December and in March",
    ])
    func `times that are near lie in the windows of what a question names`(text: String) {
        let times = TimeExpressions.find(in: text, reference: Self.reference)
        var random = Seeded(state: UInt64(text.utf8.count) &* 71)
        let last = Self.reference.timeIntervalSinceReferenceDate
        let bounds = last - 9 * 365 * 86_400...last
        #expect(!times.isEmpty)
        for nearness: Float in [0, 1e-30, 0.01, 0.3, 0.59, 0.61, 1] {
            let windows = TimeWindows(times, nearness: nearness, within: bounds)
            var outside = 0
            for _ in 0..<2_000 {
                let seconds = Double.random(in: bounds, using: &random)
                let date = Date(timeIntervalSinceReferenceDate: seconds)
                let near = Float(times.map { $0.proximity(to: date) }.max()!)
                if near > 0, near >= nearness { #expect(windows.contains(seconds), "\(date) \(nearness)") }
                if !windows.contains(seconds) { outside += 1 }
            }
            #expect(nearness < 0.3 || outside > 0)
        }
    }

    @Test(arguments: [
        ("I love dark chocolate", MemoryType.preference),
        ("My name is Ana and I live in Lisbon", .core),
        ("How to prune roses: make sure to cut above a bud", .procedural),
        ("1. Boil water\n2. Add tea", .procedural),
        ("We went to the zoo yesterday", .episodic), ("The capital of France is Paris", .semantic),
        ("What do I like?", .episodic), ("I love the sea, don't you?", .preference),
        ("Guess where I live? I live in Bergen now. And you?", .core),
        ("Do I live in Bergen? Who knows where my husband is?", .episodic),
    ])
    func `kinds are found by rule`(text: String, type: MemoryType) {
        #expect(TextFacts.type(of: text, words: TextAnalyzer.words(text)) == type)
    }

    @Test func `names are found, openers and sentence starts are not`() {
        let found = TextFacts.entities(
            in:
                "Hey Caroline! Yesterday we flew to New York with Bob's dog. Write to ana@example.org",
            speaker: "Tim")
        #expect(
            found.contains("Caroline") && found.contains("New York") && found.contains("Bob")
                && found.contains("ana@example.org") && found.contains("Tim"))
        #expect(!found.contains("Hey") && !found.contains("Yesterday"))
    }

    @Test(arguments: [
        ("Ana moved to Lisbon in May.", ["Lisbon"]),
        ("We meet Tom on Monday and Thursday", ["Tom"]),
        ("It rains in Bergen every October, on Sundays above all", ["Bergen"]),
        ("The Porto office moves on 5 May, not in April 2027", ["Porto"]),
        ("We missed the May deadline in Faro", ["Faro"]),
        ("Yesterday I met May and April in Faro", ["May", "April", "Faro"]),
        ("In May we visited June in Porto", ["June", "Porto"]),
        ("We heard June Carter on Friday", ["June Carter"]),
        ("My brother Jan came on 3 Jan", ["Jan"]),
    ])
    func `months and weekdays are no names, but people called so are`(
        text: String, names: [String]
    ) {
        #expect(TextFacts.entities(in: text, speaker: nil) == names)
    }

    @Test func `parts of a long text join to the original`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            let text = (0..<Int.random(in: 1...900)).map { _ in
                ["word", "a", "sentence.", "\n\n", "é😀", "x\n"].randomElement(using: &random)!
            }.joined(
                separator: " ")
            let parts = Segmenter.parts(of: text)
            #expect(parts.joined() == text)
            #expect(parts.allSatisfy { $0.count <= 1250 })
        }
    }

    @Test func `analyses survive encoding`() throws {
        let text = "Did Tom and Maria meet two days ago?"
        let analysis = Analysis(
            text: text, words: TextAnalyzer.words(text), entities: ["Tom", "Maria", "Ana", "tom"],
            speaker: "Ana",
            eventTime: Self.reference,
            analyzer: TextAnalyzer())
        let read = try #require(Analysis(encoded: analysis.encoded))
        #expect(
            read.hasTime && read.hasNumber && read.names == 2 && read.entities == analysis.entities
                && read.entities.count == 2 && read.terms == analysis.terms)
        #expect(
            Analysis(encoded: []) == nil && Analysis(encoded: [0, 1]) == nil
                && Analysis(encoded: [0xf0]) == nil)
    }

    @Test(arguments: [
        ("2026-03-01", true), ("2026-03-01T09:30:00Z", true), ("2026-03-01 09:30", true),
        ("2026-03-01T09:30:00.123+02:00", true), ("1700000000", true),
        ("tomorrow", false), ("2026-13-01", false), ("12:00", false), ("", false),
    ])
    func `dates are read as people write them`(text: String, valid: Bool) {
        #expect((DateText.parse(text) != nil) == valid)
    }
}
