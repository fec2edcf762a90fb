import MnemeIndex
import MnemeStore

/// Puts the latest word on a matter before what was said of it earlier, and the earlier one first
/// where a question asks for what was. Both stay, and nothing else changes its order.
struct LatestWord {
    let plan: QuestionPlan
    let analyzer: TextAnalyzer
    /// Memories that are looked at, from the best on.
    static let reach = 20
    /// Memories that are ranked at least, however few are wanted.
    static let pool = 10

    /// An answer's place: which memory, its score, and words of the question that it holds.
    struct Place {
        var id: CubeID
        var score: Float
        var matched: [String]
        /// Whether it has ended, by what was found when it was stored.
        var isEnded: Bool
    }

    /// Whether the order can change at all: a question about a certain time, or in the past tense,
    /// is left as it is.
    static func applies(to plan: QuestionPlan, _ request: RecallRequest) -> Bool {
        guard request.mode == .fused, request.at == nil else { return false }
        guard plan.times.allSatisfy({ $0.start <= request.now && request.now < $0.end }) else {
            return false
        }
        return plan.asksFormer || plan.asksLatest || !plan.asksPast
    }

    /// The new order, as places of `places`, each with the score that fits there.
    func order(_ places: [Place], _ cubes: [CubeID: MemCube]) -> [(place: Int, score: Float)] {
        struct Said {
            var saying: Saying, asked: Set<String>
        }
        var order = places.indices.map { (place: $0, score: places[$0].score) }
        var said: [Int: Said] = [:]
        for (number, place) in places.prefix(Self.reach).enumerated() {
            guard let cube = cubes[place.id], let saying = Saying(cube, analyzer: analyzer) else {
                continue
            }
            said[number] = Said(saying: saying, asked: Set(place.matched))
        }
        func updates(_ later: Said, _ earlier: Said) -> Bool {
            later.saying.updates(earlier.saying, asked: later.asked, earlierAsked: earlier.asked)
        }
        // The one that comes to stand before all moves last.
        let movers = said.sorted { a, b in
            let (a, b) =
                plan.asksFormer
                ? (b.value.saying.cube, a.value.saying.cube)
                : (a.value.saying.cube, b.value.saying.cube)
            return (a.eventTime, a.id) < (b.eventTime, b.id)
        }
        for (number, moving) in movers where plan.asksFormer || !places[number].isEnded {
            guard let from = order.firstIndex(where: { $0.place == number }) else { continue }
            let to = order[..<from].firstIndex { other in
                guard let before = said[other.place] else { return false }
                return plan.asksFormer ? updates(before, moving) : updates(moving, before)
            }
            guard let to else { continue }
            var moved = order.remove(at: from)
            moved.score = max(moved.score, order[to].score)
            order.insert(moved, at: to)
        }
        return order
    }
}
