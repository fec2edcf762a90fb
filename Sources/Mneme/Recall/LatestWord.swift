import MnemeIndex
import MnemeStore

/// Puts the latest word on a matter before what was said of it earlier, and the earlier one first
/// where a question asks for what was. Both stay, and nothing else changes its order.
///
/// A reranking of the best few candidates. It reads their texts, which the index does not hold, and
/// so sees updates that no claim was extracted from. It moves a memory up and never drops one: a
/// wrong guess costs a rank, not an answer.
struct LatestWord {
    /// The question, which says whether the present or the former state is asked for.
    let plan: QuestionPlan
    /// Stems words as the index does.
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

    /// Reorders the candidates: each moves in front of the first one that it updates (or, where the
    /// former state is asked for, that updates it), and takes at least that one's score, so that
    /// scores stay sorted where it moved.
    ///
    /// - Parameters:
    ///   - places: the ranking, best first.
    ///   - cubes: the memories read; one that is missing keeps its rank.
    /// - Returns: indexes into `places`, in the new order, each with its score.
    /// - Complexity: O(``reach``²) comparisons of short texts.
    func order(_ places: [Place], _ cubes: [CubeID: MemCube]) -> [(place: Int, score: Float)] {
        /// A candidate as it was said, with the question's terms that it holds.
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
        /// An update of the earlier by the later one, see
        /// ``Saying/updates(_:asked:earlierAsked:)``.
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
