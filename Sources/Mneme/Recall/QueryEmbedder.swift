import MnemeBase

/// Embeds questions, those that wait at the same time in one batch.
final class QueryEmbedder: Sendable {
    private let embedder: any TextEmbedder
    private let formerEmbedder: (any TextEmbedder)?
    private let batches = BatchQueue<String, QueryVectors>(label: "mneme.questions")

    init(_ embedder: any TextEmbedder, former: (any TextEmbedder)?) {
        self.embedder = embedder
        formerEmbedder = former
    }

    /// A question's vectors.
    func vectors(of question: String) async throws -> QueryVectors {
        try await batches.run(question) { [embedder, formerEmbedder] questions in
            do {
                let present = try embedder.embed(questions)
                let former = try formerEmbedder?.embed(questions)
                return questions.indices.map {
                    .success(QueryVectors(present: present[$0], former: former?[$0]))
                }
            } catch { return questions.map { _ in .failure(error) } }
        }
    }
}

/// A question's vectors, of the present embedder and of the former one.
struct QueryVectors: Sendable {
    var present: [Float]
    var former: [Float]?
}
