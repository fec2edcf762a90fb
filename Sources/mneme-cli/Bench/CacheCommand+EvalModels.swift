import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeCache
import MnemeEngine

/// `mneme cache eval --examples` and `--cascade`: caches before several models.
extension CacheCommand.Eval {
    /// Kept answers handed out, and shown to a smaller model as examples.
    ///
    /// - Throws: `InputError`, and what the models throw.
    func compareExamples(_ bytes: Data) async throws {
        let questions = try ExampleEvaluation.read(bytes)
        let language = try Home.languageModel(model)
        let engine = try Engine(language)
        defer { engine.close() }
        let evaluation = try ExampleEvaluation(
            questions, embedder: Home.embedder(embedder ?? Settings.current.text(.embedder) ?? "minilm")
        ) { messages in
            var request = GenerationRequest(prompt: try language.tokens(of: messages))
            request.maxTokens = 32
            (request.key, request.scope, request.timeout) = ("eval", "eval", .seconds(300))
            var text = ""
            for try await event in try engine.generate(request) {
                if case .token(let piece, _, _, _) = event { text += piece }
            }
            return text.split(separator: "\n").first.map(String.init) ?? ""
        }
        let line = ProgressLine()
        let rows = try await evaluation.run { line.show($0, $1, "ways") }
        line.end()
        if json { return print(try OperationTable.encode(rows, pretty: true)) }
        print("way                  offloaded  reused   right  small calls  large calls  examples")
        for row in rows {
            let all = Double(max(1, row.questions))
            let shares = [row.offloaded, Double(row.reused) / all, row.quality].map {
                String(format: "%.1f%%", $0 * 100).leftPadded(to: 8)
            }.joined()
            print(
                row.name.padded(to: 22) + shares + "\(row.smallCalls)".leftPadded(to: 13)
                    + "\(row.largeCalls)".leftPadded(to: 13)
                    + String(format: "%.1f", Double(row.examples) / Double(max(1, row.smallCalls))).leftPadded(to: 10))
        }
    }

    /// A memory of exact inputs and a cascade of two small models, beside a large one.
    ///
    /// - Throws: `InputError`, and what the embedder throws.
    func compareCascade(_ bytes: Data) throws {
        guard let train, let learned = FileManager.default.contents(atPath: train) else {
            throw InputError("\(train ?? "") cannot be read.")
        }
        func read(_ data: Data) throws -> [CascadeEvaluation.Question] {
            try data.split(separator: UInt8(ascii: "\n")).enumerated().map { number, line in
                do { return try JSONDecoder().decode(CascadeEvaluation.Question.self, from: Data(line)) } catch {
                    throw InputError("Line \(number + 1) is no question: {\"question\": text, \"category\": text}.")
                }
            }
        }
        let evaluation = try CascadeEvaluation(
            training: read(learned), asked: read(bytes),
            embedder: Home.embedder(embedder ?? Settings.current.text(.embedder) ?? "minilm"))
        if record {
            for question in evaluation.routed { print(try OperationTable.encode(question, pretty: false)) }
            return
        }
        let rows = evaluation.rows(times: times)
        if json { return print(try OperationTable.encode(rows, pretty: true)) }
        print("threshold \(String(format: "%.2f", evaluation.threshold)), chosen on a part of \(train)")
        print("way                       right   asked none   first  second   large  mJ a question")
        for row in rows {
            let all = Double(max(1, row.questions))
            let shares = [row.remembered, row.first, row.second, row.large].map {
                String(format: "%.1f%%", Double($0) / all * 100).leftPadded(to: 8)
            }.joined()
            print(
                row.name.padded(to: 24) + String(format: "%.1f%%", Double(row.right) / all * 100).leftPadded(to: 7)
                    + "     " + shares + String(format: "%.4f", row.joules / all * 1_000).leftPadded(to: 14))
        }
    }
}
