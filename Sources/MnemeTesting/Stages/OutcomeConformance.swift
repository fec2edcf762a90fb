public import MnemePipeline

/// Requirements of every `OutcomeLearner` of MnemePipeline, as checks that a test runs on a value.
public typealias OutcomeConformance = Conformance<any OutcomeLearner>

extension Conformance where Subject == any OutcomeLearner {
    /// Cases of two kinds of tasks, some of which ended well.
    private static let cases = (0..<6).map { number in
        TaskCase(
            task: (number < 4 ? "open the iron gate " : "drain the old mill ") + "\(number)",
            approach: number % 3 == 2 ? "push" : "pull", value: number % 3 == 2 ? 0 : 1, time: StageSamples.now)
    }

    /// Every check. They may run at the same time.
    public static var all: [Self] { changing + offering }

    private static var changing: [Self] {
        [
            // The core looks cases up by these places.
            Self("what an outcome changes are cases that were given, and values lie between 0 and 1") { learner in
                for reward in [0, 0.3, 1] {
                    for count in 0...cases.count {
                        let known = Array(cases.prefix(count))
                        var outcome = cases[0]
                        outcome.value = reward
                        let changes = learner.changes(outcome, among: known)
                        try expect(changes.known.map(known.indices.contains) ?? true)
                        try expect(changes.values.keys.allSatisfy(known.indices.contains))
                        try expect(changes.values.keys.allSatisfy { $0 != changes.known })
                        let values = changes.values.values + [changes.made.value]
                        try expect(values.allSatisfy { (0...1).contains($0) })
                        if let procedure = changes.procedure {
                            try expect(procedure.cases.allSatisfy { (0...known.count).contains($0) })
                            try expect(!procedure.cases.isEmpty && (0...1).contains(procedure.value))
                        }
                    }
                }
            },
            Self("a success is worth no less than a failure") { learner in
                var (good, bad) = (cases[0], cases[0])
                (good.value, bad.value) = (1, 0)
                let known = Array(cases.prefix(1))
                try expect(
                    learner.changes(good, among: known).made.value >= learner.changes(bad, among: known).made.value)
            },
        ]
    }

    private static var offering: [Self] {
        [
            Self("offers are of cases that were given, each once, the best first") { learner in
                for task in cases.map(\.task) + ["something else", "?"] {
                    let offers = learner.offers(for: task, among: cases)
                    try expect(offers.allSatisfy { cases.indices.contains($0.place) })
                    try expect(Set(offers.map(\.place)).count == offers.count)
                    try expect(zip(offers, offers.dropFirst()).allSatisfy { $0.score >= $1.score })
                    try expect(offers.allSatisfy { (0...1).contains($0.similarity) && (0...1).contains($0.value) })
                }
                try expect(learner.offers(for: "open the iron gate", among: [TaskCase]()).isEmpty)
            },
            Self("procedures are offered as cases are") { learner in
                let procedures = [(about: "open iron gate", value: 0.9), (about: "drain mill", value: 0.4)]
                let offers = learner.offers(for: "open the iron gate", among: procedures)
                try expect(offers.allSatisfy { procedures.indices.contains($0.place) })
                try expect(zip(offers, offers.dropFirst()).allSatisfy { $0.score >= $1.score })
                try expect((0...1).contains(learner.leastProcedureValue))
            },
        ]
    }
}
