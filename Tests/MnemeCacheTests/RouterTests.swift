import MnemeCache
import Testing

@Suite struct RouterTests {
    /// Questions whose small model is good where the first element is high.
    private func question(_ angle: Float, confidence: Double? = nil, judged: Double? = nil) -> RoutedQuestion {
        var question = RoutedQuestion(
            "q \(angle)", small: angle > 0, large: true, confidence: confidence, judged: judged)
        let length = (1 + angle * angle).squareRoot()
        question.vector = [angle / length, 1 / length]
        return question
    }

    @Test func `routers learn which questions a small model answers`() throws {
        let examples = (-20...20).map { question(Float($0) / 10) }
        for kind in [SimilarityRouter.self, ClassifierRouter.self] as [any ModelRouter.Type] {
            let router = kind.init(examples: examples)
            #expect(try #require(router.share(question(1.55))) > 0.7, "\(kind.name)")
            #expect(try #require(router.share(question(-1.55))) < 0.3, "\(kind.name)")
            #expect(router.share(RoutedQuestion("no vector", small: true, large: true)) == nil)
            #expect(kind.init(examples: []).share(question(1)) == nil)
        }
    }

    @Test func `a cascade goes by confidence, a judge by what it was told`() {
        let one = question(0, confidence: 0.9, judged: 0.2)
        #expect(CascadeRouter(examples: []).share(one) == 0.9)
        #expect(JudgeRouter(examples: []).share(one) == 0.2)
        #expect(CascadeRouter(examples: []).share(question(0)) == nil)
        #expect(RouterCatalog.all.map { $0.name } == ["similarity", "classifier", "cascade", "judge"])
    }
}
