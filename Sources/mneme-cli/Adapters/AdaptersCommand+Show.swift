import ArgumentParser
import Foundation
import Mneme
import MnemeModels

extension AdaptersCommand {
    /// `mneme adapters show`: what an adapter is and what it was made from. It is read whole, so that a
    /// damaged one is found. Exit code 1 if there is none, or its base model is not here.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show an adapter: base, ranks, matrices, what it was made from.")

        @Argument(help: "The adapter's name.") var name: String
        @Option(help: "The model that it is read for, if not the one it was imported for.")
        var model: String?
        @Flag(help: "Print JSON.") var json = false

        struct Answer: Encodable {
            var name, base: String, hash: String, parameters: Int, lowestRank, highestRank: Int
            var matrices: [String], procedures: [String]?, memories: [String], owner, source, withdrawn, memory: String?
            var created: Date?, training: [String: Double]
        }

        func run() async throws {
            let folder = try Home.adapters.folder(name)
            let record = try folder.record()
            let base = try model ?? record?.base ?? folder.baseName() ?? ""
            let adapter = try folder.read(
                for: ModelSource(path: Home.languageModelPath(base)).configuration())
            let answer = Answer(
                name: name, base: base, hash: adapter.hash, parameters: adapter.parameters,
                lowestRank: adapter.ranks.lowerBound, highestRank: adapter.ranks.upperBound,
                matrices: adapter.linears.map(\.rawValue), procedures: adapter.procedures?.names,
                memories: record?.memories ?? [],
                owner: record?.owner, source: record?.source, withdrawn: try record.flatMap(Home.whyOutOfUse),
                memory: record?.cube?.id,
                created: record?.created, training: record?.training ?? [:])
            if json { return print(try OperationTable.encode(answer, pretty: true)) }
            let ranks =
                answer.lowestRank == answer.highestRank
                ? "\(answer.lowestRank)" : "\(answer.lowestRank) to \(answer.highestRank)"
            func line(_ label: String, _ value: String?) {
                guard let value, !value.isEmpty else { return }
                print(Terminal.line("\(label.padded(to: 12))  \(value)"))
            }
            line("name", name)
            line("base", base)
            line("rank", adapter.terms.isEmpty ? nil : ranks)
            line("matrices", answer.matrices.joined(separator: ", "))
            line("procedures", answer.procedures?.joined(separator: ", "))
            line("side network", adapter.side.map { "width \($0.sizes.width)" })
            line("parameters", "\(answer.parameters)")
            line("hash", answer.hash)
            line("created", answer.created?.formatted(.iso8601))
            line("source", answer.source)
            line("memories", answer.memories.isEmpty ? nil : "\(answer.memories.count)")
            line("out of use", answer.withdrawn)
            line("memory", answer.memory.map { "\($0); mneme history \($0)" })
            for (key, value) in answer.training.sorted(by: { $0.key < $1.key }) {
                line(key, "\(value)")
            }
        }
    }
}
