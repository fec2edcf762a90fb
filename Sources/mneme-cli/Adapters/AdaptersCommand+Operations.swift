import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeChat
import MnemeEngine
import MnemeModels
import MnemeTrain

extension AdaptersCommand {
    /// The operation of a name.
    ///
    /// - Throws: `InputError` for others, and where no memories are selected.
    static func operation(_ name: String, from: String?) throws -> TaughtOperation {
        guard let operation = TaughtOperation(rawValue: name) else {
            throw InputError("'\(name)' is no operation on memories; it is one of \(TaughtOperation.names).")
        }
        guard from != nil else { throw InputError("An operation is learned of memories: --from all, or tag:NAME.") }
        return operation
    }

    /// `mneme adapters operations`: how well a model extracts, updates and answers, as it is and with the
    /// adapter that has learned each.
    ///
    /// Exit code 2 if no adapter is named, or the rules find nothing to ask about.
    struct Operations: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "operations",
            abstract: "Measure operations on memories, each with its own adapter and without.",
            discussion: """
                Questions and right answers are made of memories by rule, as for `mneme adapters train --operation`; of memories that \
                the adapter has not learned, if some are left. Claims are scored by F1, all else by right answers.
                """)

        @Option(help: "The adapter that has learned what a text claims.") var extract: String?
        @Option(help: "The adapter that has learned what a statement does to an older one.") var update: String?
        @Option(help: "The adapter that has learned to answer by memories in the prompt.") var answer: String?
        @Option(help: "The model, if not the one that they were made for.") var model: String?
        @Option(
            help: ArgumentHelp(
                "Memories to ask about: all, tag:NAME, type:NAME, session:NAME or agent:NAME.",
                valueName: "selection"))
        var from = "all"
        @OptionGroup var whose: OwnerOptions
        @OptionGroup var store: StoreFileOptions
        @Option(help: "Questions of an operation at most.") var limit = 50
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            guard (1...10_000).contains(limit) else { throw InputError("--limit is 1 to 10000.") }
            let named: [(operation: TaughtOperation, adapter: String)] = [
                (TaughtOperation.extract, extract), (.update, update), (.answer, answer),
            ].compactMap { operation, name in name.map { (operation, $0) } }
            guard let first = named.first else {
                throw InputError("Name an adapter: --extract NAME, --update NAME or --answer NAME.")
            }
            let folder = try Home.adapters.folder(first.adapter)
            let base = try model ?? folder.record()?.base ?? folder.baseName() ?? ""
            var plan = TrainingPlan(model: base)
            (plan.from, plan.user, plan.tenant) = (from, whose.user, whose.tenant)
            plan.store = Home.remembered(store.path)
            let memories = try TrainingRun.memories(plan)
            let language = try Home.languageModel(base)
            let engine = try Engine(language, adapters: Home.adapters)
            defer { engine.close() }
            let line = ProgressLine()
            defer { line.end() }
            var scores: [OperationScore] = []
            for (operation, name) in named {
                try Home.requireInUse(name)
                let learned = Set(try Home.adapters.folder(name).record()?.memories ?? [])
                let others = memories.filter { !learned.contains($0.id.description) }
                let cases = operation.cases(of: others.isEmpty ? memories : others)
                guard !cases.isEmpty else {
                    throw InputError(
                        "The rules find nothing to ask about for '\(operation.rawValue)' in \(memories.count) memories."
                    )
                }
                let asked = Array(cases.prefix(limit))
                var score = OperationScore(operation, adapter: name)
                let adapted = EngineOracle(language, engine, adapter: name)
                try await score.ask(asked, of: (EngineOracle(language, engine), adapted)) {
                    line.show($0, asked.count, operation.rawValue)
                }
                scores.append(score)
            }
            line.end()
            if json { return print(try OperationTable.encode(scores, pretty: true)) }
            for score in scores {
                print(
                    Terminal.line(
                        score.operation.rawValue.padded(to: 8)
                            + String(format: "  %d questions: %.3f", score.cases, score.without)
                            + String(format: " → %.3f with ", score.with) + score.adapter))
            }
        }
    }
}
