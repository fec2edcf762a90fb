import MnemeBase

/// Embeds questions, those that wait at the same time in one batch.
final class QueryEmbedder: Sendable {
    /// The present embedder, and the one before a change of embedder.
    private let embedder: any TextEmbedder
    private let formerEmbedder: (any TextEmbedder)?
    /// Collects the questions that wait.
    private let batches = BatchQueue<String, QueryVectors>(label: "mneme.questions")

    init(_ embedder: any TextEmbedder, former: (any TextEmbedder)?) {
        self.embedder = embedder
        formerEmbedder = former
    }

    /// A question's vectors.
    func vectors(of question: String) async throws -> QueryVectors {
        try await batches.run(question) { [embedder, formerEmbedder] questions in
            do {
                let present = try embedder.embed(questions, as: .query)
                let former = try formerEmbedder?.embed(questions, as: .query)
                return questions.indices.map {
                    .success(QueryVectors(present: present[$0], former: former?[$0]))
                }
            } catch { return questions.map { _ in .failure(error) } }
        }
    }
}

/// A question's vectors, of the present embedder and of the former one.
struct QueryVectors: Sendable {
    /// The vector by the present embedder.
    var present: [Float]
    /// The vector by the former embedder, to compare with memories that have no new vector yet; nil
    /// without one. Vectors of two embedders are never compared with each other.
    var former: [Float]?
}
