import Foundation
import MnemeBase
import NIOConcurrencyHelpers

/// Embeds questions. Those that come while one is worked on are embedded together: each pass over the model's weights serves all that wait.
final class QuestionQueue: Sendable {
    private struct Waiting: Sendable {
        var question: String
        var result = NIOLockedValueBox<Result<QueryVectors, any Error>?>(nil)
        var done = DispatchSemaphore(value: 0)
    }
    private let embedder: any TextEmbedder, formerEmbedder: (any TextEmbedder)?
    private let waiting = NIOLockedValueBox<[Waiting]>([])
    private let queue = DispatchQueue(label: "mneme.questions")

    init(_ embedder: any TextEmbedder, former: (any TextEmbedder)?) {
        self.embedder = embedder
        formerEmbedder = former
    }

    /// A question's vectors. Blocks.
    func vectors(of question: String) throws -> QueryVectors {
        let own = Waiting(question: question)
        let isFirst = waiting.withLockedValue { waiting in
            waiting.append(own)
            return waiting.count == 1
        }
        if isFirst { queue.async { self.drain() } }
        own.done.wait()
        return try own.result.withLockedValue { $0! }.get()
    }

    private func drain() {
        let group = waiting.withLockedValue { waiting in
            defer { waiting = [] }
            return waiting
        }
        let results = Result { () -> [QueryVectors] in
            let questions = group.map(\.question), present = try embedder.embed(questions),
                former = try formerEmbedder?.embed(questions)
            return questions.indices.map { QueryVectors(present: present[$0], former: former?[$0]) }
        }
        for (i, item) in group.enumerated() {
            item.result.withLockedValue { $0 = results.map { $0[i] } }
            item.done.signal()
        }
    }
}

/// A question's vectors, of the present embedder and of the former one.
struct QueryVectors: Sendable {
    var present: [Float]
    var former: [Float]?
}
