import Foundation
import MnemeBase
import MnemeCube

/// A seeded stream of news about a few companies: rumours count for days, reports for weeks, filings for months. What a
/// company is worth follows from all that still counts, and is asked for now and then.
struct NewsStream: Sendable {
    /// One piece of news.
    struct Item: Sendable {
        /// The day, whom it is about, its kind, and whether it is good.
        var day: Int, company: String, form: Form, isGood: Bool
        /// What is written: it does not tell of which kind it is.
        var text: String
    }

    /// Kinds of news: how long one counts, how much, and how often one comes for each company, in days.
    enum Form: CaseIterable, Sendable {
        case rumour, report, filing

        var days: Int { self == .rumour ? 7 : self == .report ? 60 : 250 }
        var weight: Double { self == .rumour ? 1 : self == .report ? 1.5 : 2 }
        var interval: Double { self == .rumour ? 3 : self == .report ? 30 : 110 }
        /// The type that its memory has.
        var type: MemoryType { self == .rumour ? .episodic : self == .report ? .semantic : .core }
    }

    /// All news in their order, and what is asked on which day.
    let items: [Item]
    let questions: [(day: Int, company: String, isGood: Bool)]

    private static let companies = ["Alder", "Birch", "Cedar", "Dogwood"]
    private static let matters = [
        "orders", "margins", "staffing", "licences", "shipping", "patents", "rents", "exports", "audits", "tariffs",
        "warranties", "suppliers",
    ]

    /// Whom a question asks about.
    static func question(_ company: String) -> String { "What is the outlook of \(company)?" }

    /// - Parameters:
    ///   - days: how long it goes.
    ///   - seed: the same gives the same stream.
    init(days: Int, seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var items: [Item] = []
        var questions: [(day: Int, company: String, isGood: Bool)] = []
        for day in 0..<days {
            for company in Self.companies {
                for form in Form.allCases where generator.unit() < 1 / form.interval {
                    let isGood = Bool.random(using: &generator)
                    let matter = Self.matters.randomElement(using: &generator)!
                    items.append(
                        Item(
                            day: day, company: company, form: form, isGood: isGood,
                            text: "\(company): item \(items.count) on \(matter) speaks for "
                                + (isGood ? "gains." : "losses.")))
                }
                // Nothing is asked before all kinds of news had their time, nor where they balance.
                let worth = items.reduce(0.0) { sum, item in
                    guard item.company == company, day - item.day < item.form.days else { return sum }
                    return sum + (item.isGood ? 1 : -1) * item.form.weight
                }
                if day >= days / 4, day % 3 == 0, worth != 0 { questions.append((day, company, worth > 0)) }
            }
        }
        (self.items, self.questions) = (items, questions)
    }
}
