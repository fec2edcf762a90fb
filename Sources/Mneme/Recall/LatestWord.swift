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
    struct RankedAnswer {
        var id: CubeID
        var score: Float
        var matched: [String]
        /// True if it has ended, by what was found when it was stored.
        var isEnded: Bool
    }

    /// True if the order can change at all: a question about a certain time, or in the past tense,
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
    ///   - ranking: the ranking, best first.
    ///   - cubes: the memories read; one that is missing keeps its rank.
    /// - Returns: indexes into `ranking`, in the new order, each with its score.
    /// - Complexity: O(``reach``²) comparisons of short texts.
    func order(_ ranking: [RankedAnswer], _ cubes: [CubeID: MemCube]) -> [(rank: Int, score: Float)] {
        /// A candidate as it was said, with the question's terms that it holds.
        struct AskedStatement {
            var statement: Statement, asked: Set<String>
        }
        var order = ranking.indices.map { (rank: $0, score: ranking[$0].score) }
        var statements: [Int: AskedStatement] = [:]
        for (number, answer) in ranking.prefix(Self.reach).enumerated() {
            guard let cube = cubes[answer.id], let statement = Statement(cube, analyzer: analyzer) else {
                continue
            }
            statements[number] = AskedStatement(statement: statement, asked: Set(answer.matched))
        }
        /// An update of the earlier by the later one, see
        /// ``Statement/updates(_:asked:earlierAsked:)``.
        func updates(_ later: AskedStatement, _ earlier: AskedStatement) -> Bool {
            later.statement.updates(earlier.statement, asked: later.asked, earlierAsked: earlier.asked)
        }
        // The one that comes to stand before all moves last.
        let movers = statements.sorted { a, b in
            let (a, b) =
                plan.asksFormer
                ? (b.value.statement.cube, a.value.statement.cube)
                : (a.value.statement.cube, b.value.statement.cube)
            return (a.eventTime, a.id) < (b.eventTime, b.id)
        }
        for (number, moving) in movers where plan.asksFormer || !ranking[number].isEnded {
            guard let from = order.firstIndex(where: { $0.rank == number }) else { continue }
            let to = order[..<from].firstIndex { other in
                guard let before = statements[other.rank] else { return false }
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
