public import MnemeBase
public import MnemeCache

/// What each router would have cost and given on questions that two models have answered.
public enum RouteEvaluation {
    /// What came of one way to route.
    public struct Row: Sendable, Codable {
        /// The router's name; `small` and `large` ask one model always.
        public var router: String
        /// When it chooses; nil where nothing is chosen.
        public var stage: RouterStage? = nil
        /// Questions.
        public var questions = 0
        /// Questions that the small model alone answered.
        public var small = 0
        /// Good answers.
        public var good = 0
        /// What all answers cost, in answers of the large model.
        public var cost = 0.0
    }

    /// Learns from every other question and routes the rest.
    ///
    /// - Parameters:
    ///   - threshold: the least share from which the small model is asked.
    ///   - price: what an answer of the small model costs, in answers of the large one.
    /// - Throws: what the embedder throws.
    public static func run(
        _ questions: [RoutedQuestion], embedder: any TextEmbedder, threshold: Double, price: Double
    ) throws -> [Row] {
        let vectors = try embedder.embed(questions.map(\.question))
        let known = questions.enumerated().map { place, question in
            var question = question
            question.vector = vectors[place]
            return question
        }
        let examples = known.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
        let asked = known.enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
        var rows = [("small", true), ("large", false)].map { name, isSmall in
            var row = Row(router: name)
            for question in asked { add(question, isSmall, isSmall ? price : 1, to: &row) }
            return row
        }
        for kind in RouterCatalog.all {
            let router = kind.init(examples: examples)
            var row = Row(router: kind.name, stage: kind.stage)
            for question in asked {
                // Where a router cannot tell, the large model is asked.
                let isSmall = (router.share(question) ?? 0) >= threshold
                let paid =
                    switch kind.stage {
                    case .before: isSmall ? price : 1
                    case .after: price + (isSmall ? 0 : 1)
                    case .judged: price + (isSmall ? price : 1)
                    }
                add(question, isSmall, paid, to: &row)
            }
            rows.append(row)
        }
        return rows
    }

    private static func add(_ question: RoutedQuestion, _ isSmall: Bool, _ cost: Double, to row: inout Row) {
        row.questions += 1
        row.small += isSmall ? 1 : 0
        row.good += (isSmall ? question.small : question.large) ? 1 : 0
        row.cost += cost
    }
}
