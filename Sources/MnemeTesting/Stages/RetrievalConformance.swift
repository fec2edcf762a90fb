import Foundation
import MnemeCube
public import MnemePipeline

/// Requirements of every `RetrievalPlan` of MnemePipeline, as checks that a test runs on a value.
public typealias RetrievalConformance = Conformance<any RetrievalPlan>

extension Conformance where Subject == any RetrievalPlan {
    /// Questions of each kind that a plan may look at.
    private static var queries: [RetrievalQuery] {
        [0, 1, 50, 100_000].flatMap { memories in
            [true, false].map { hasVector in
                var query = RetrievalQuery(
                    request: request("When did Ana move to Lisbon?"), memories: memories, round: 0)
                query.words = ["ana", "move", "lisbon"]
                query.weights = [0.2, 0.3, 0.5]
                (query.speaker, query.asksWhen, query.hasVector) = ("ana", true, hasVector)
                return query
            }
        } + [RetrievalQuery(request: request(""), memories: 9, round: 0)]
    }

    private static func request(_ query: String) -> RecallRequest {
        var request = RecallRequest(query, owner: StageSamples.scope.owner)
        request.now = StageSamples.now
        return request
    }

    /// Candidates as an index gives them, best first.
    private static var hits: [RetrievalHit] {
        StageSamples.memories.enumerated().map { number, memory in
            let strength = 1 / Float(number + 1)
            var hit = RetrievalHit(
                number: number * 3 + 1, score: strength,
                features: RecallFeatures([
                    .words: strength, .meaning: 1 - strength, .meaningNearby: strength,
                    .meaningAround: 0.2, .coverage: strength,
                ]))
            (hit.type, hit.speaker, hit.session) = (memory.type, memory.speaker, memory.scope.session)
            (hit.eventTime, hit.matches) = (memory.eventTime, UInt64(number % 8))
            return hit
        }
    }

    /// Fails unless probes ask for something, and for memories that the plan has seen.
    private static func require(_ probes: [Probe], seen: Set<Int>) throws {
        try expect(!probes.isEmpty, "a round without a probe finds nothing")
        for probe in probes {
            let (limit, numbers): (Int, [Int]) =
                switch probe {
                case .everything: (1, [])
                case .words(let limit, _), .wordsNearby(let limit), .dense(let limit, _),
                    .dates(let limit), .text(_, let limit):
                    (limit, [])
                case .walk(let seeds, let limit): (limit, seeds.map(\.number))
                case .like(let numbers, let limit), .linked(let numbers, let limit): (limit, numbers)
                }
            try expect(limit > 0, "a probe without room: \(probe)")
            try expect(seen.isSuperset(of: numbers), "a probe from what was not found: \(probe)")
        }
    }

    /// The steps of a search that finds `hits` in every round.
    private static func steps(
        _ plan: any RetrievalPlan, _ query: RetrievalQuery, _ hits: [RetrievalHit]
    ) -> [RetrievalStep] {
        var query = query
        var steps: [RetrievalStep] = [.probe(plan.first(query))]
        while case .probe = steps[steps.count - 1], steps.count < plan.roundLimit {
            query.round += 1
            steps.append(plan.next(query, after: Array(hits.prefix(plan.hitLimit))))
        }
        return steps
    }

    /// Every check. They may run at the same time.
    public static var all: [Self] {
        [
            Self("it looks at something, and comes to an end") { plan in
                try expect(plan.roundLimit >= 1 && plan.hitLimit >= 1)
            },
            Self("the first round asks for something") { plan in
                for query in queries { try require(plan.first(query), seen: []) }
            },
            // Most stores begin without a model; what only dense search finds would be lost there.
            Self("without vectors it looks by words") { plan in
                for query in queries where !query.hasVector {
                    let found = plan.first(query).contains {
                        switch $0 {
                        case .words, .wordsNearby, .text, .everything: true
                        default: false
                        }
                    }
                    try expect(found, "\(query.memories) memories")
                }
            },
            // The core looks numbers up in the index: one that it never gave out leads elsewhere.
            Self("every step is of memories that were found, with scores that are numbers") { plan in
                for query in queries {
                    for hits in [hits, Array(hits.prefix(1)), []] {
                        let seen = Set(hits.map(\.number))
                        for (number, step) in steps(plan, query, hits).enumerated() {
                            switch step {
                            case .probe(let probes):
                                try require(probes, seen: number == 0 ? [] : seen)
                            case .ranked(let ranked):
                                let numbers = ranked.map(\.number)
                                try expect(seen.isSuperset(of: numbers), "an answer that was not found")
                                try expect(Set(numbers).count == numbers.count, "an answer twice")
                                try expect(ranked.allSatisfy { $0.score.isFinite })
                            case .answer: break
                            }
                        }
                    }
                }
            },
            Self("the same question after the same hits has the same steps") { plan in
                for query in queries {
                    let found = (0..<2).map { _ in steps(plan, query, hits).map { "\($0)" } }
                    try expect(found[0] == found[1])
                }
            },
        ]
    }
}
