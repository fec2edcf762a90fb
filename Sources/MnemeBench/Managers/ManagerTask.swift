import MnemeRecipes

/// One thing that a manager is trained on, or judged by: its choices have an outcome, which was taken from real recalls.
struct ManagerTask {
    /// What choices come to.
    struct Outcome {
        /// The share of what was asked that is found, from 0 to 1.
        var found: Double
        /// What it costs, as a share of the most that it could.
        var price: Double
    }

    /// Plays it once.
    let play: (_ choose: PolicyTrainer.Choose) -> Outcome
    /// Parts of it that are learned from in its place, where it has many choices that share one outcome: single choices, all
    /// others being as they would be without a manager.
    private(set) var lessons: [ManagerTask] = []

    /// A task, and what is learned from in its place.
    init(lessons: [ManagerTask] = [], play: @escaping (_ choose: PolicyTrainer.Choose) -> Outcome) {
        (self.lessons, self.play) = (lessons, play)
    }

    /// A single choice whose outcomes are known.
    init(_ options: [[Double]], _ outcomes: [Outcome]) {
        self.init { choose in outcomes[choose(options)] }
    }

    /// The task as a trainer attempts it.
    ///
    /// - Parameter weight: of the price beside what is found.
    func attempt(price weight: Double) -> PolicyTrainer.Attempt {
        { [play] choose in
            let outcome = play(choose)
            return outcome.found - weight * outcome.price
        }
    }

    /// The mean outcome of some tasks whose choices are given, one after the other.
    static func mean(_ tasks: [ManagerTask], _ choices: [Int]) -> Outcome {
        mean(
            tasks.map { task in
                ManagerTask { _ in
                    var place = -1
                    return task.play { _ in
                        place += 1
                        return choices[place]
                    }
                }
            }
        ) { _ in 0 }
    }

    /// The mean outcome of some tasks.
    static func mean(_ tasks: [ManagerTask], _ choose: PolicyTrainer.Choose) -> Outcome {
        let sum = tasks.reduce(Outcome(found: 0, price: 0)) { sum, task in
            let outcome = task.play(choose)
            return Outcome(found: sum.found + outcome.found, price: sum.price + outcome.price)
        }
        let count = Double(max(1, tasks.count))
        return Outcome(found: sum.found / count, price: sum.price / count)
    }
}

/// Turns that a question may be answered with, in the order in which recall found their memories.
struct RankedTurns {
    /// Of each memory the turns that it counts for.
    var turns: [Set<String>]
    /// The turns that answer the question.
    var evidence: Set<String>

    /// The mean of any@1, any@5, any@10 and all@10 among those that are kept.
    ///
    /// - Parameter isKept: says it of a place.
    func found(where isKept: (_ place: Int) -> Bool) -> Double {
        var rank = 0
        var found: Set<String> = []
        var score = 0.0
        for (place, own) in turns.enumerated() where isKept(place) {
            rank += 1
            let hit = !evidence.isDisjoint(with: own)
            if hit, found.isEmpty { score += rank == 1 ? 3 : rank <= 5 ? 2 : 1 }
            found.formUnion(evidence.intersection(own))
            if rank == 10 { break }
        }
        return (score + (found == evidence ? 1 : 0)) / 4
    }
}
