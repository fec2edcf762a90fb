import Foundation
import MnemeBase
import MnemeEmbedding
import MnemeTesting
import Testing

/// What every embedder must do, on a tiny random model of each family.
@Suite struct EmbedderConformanceTests {
    private static let folder =
        Bundle.module.resourceURL!.appendingPathComponent("Golden/encoders").path

    @Test(
        arguments: ["bert-cls", "multilingual-e5-tiny", "roberta-last", "distilbert-dense", "table"],
        EmbedderConformance.all)
    func `every family conforms`(name: String, check: EmbedderConformance) async throws {
        try await check.run(EmbeddingModel.open(folder: "\(Self.folder)/\(name)"))
    }

    @Test(arguments: EmbedderConformance.all)
    func `a model that is read when it is asked first conforms`(check: EmbedderConformance) async throws {
        try await check.run(LazyEmbedder(folder: "\(Self.folder)/bert-cls"))
    }

    @Test(
        .enabled(if: ModelFixture.isPresent, "run `make model` first"),
        arguments: EmbedderConformance.all)
    func `MiniLM conforms`(check: EmbedderConformance) async throws {
        try await check.run(EmbeddingModel.open(folder: ModelFixture.folder))
    }

    /// A model whose vectors depend on the company of a text, as one does that does not mask its
    /// padding.
    private struct Unmasked: TextEmbedder {
        let identifier = "unmasked"
        let dimension = 2
        let maximumTokens = 512
        func tokenCount(_ text: String) -> Int { text.utf8.count }
        func embed(_ texts: [String]) throws -> Embeddings {
            let longest = texts.map(\.utf8.count).max() ?? 0
            return Embeddings(
                dimension: 2,
                values: texts.flatMap { text in
                    let angle = Float(text.utf8.count + longest)
                    return [cos(angle), sin(angle)]
                })
        }
    }

    @Test func `a model that does not mask its padding is found`() async throws {
        var failed: [String] = []
        for check in EmbedderConformance.all {
            do { try await check.run(Unmasked()) } catch is ConformanceFailure {
                failed.append(check.description)
            }
        }
        #expect(failed.contains("a text has the same vector alone and in any batch"))
    }
}
