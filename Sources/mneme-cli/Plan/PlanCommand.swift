import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeTrain

/// `mneme plan`: answers by arithmetic, for machines that are described and need not be there.
struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "What a training would take on a machine that is described.",
        subcommands: [Train.self])

    /// `mneme plan train QUESTION`: ways to train, their times, and the fastest that can be.
    ///
    /// Nothing is trained or measured: times follow from the rates of the description. Exit code 2
    /// for descriptions that are none.
    struct Train: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "train",
            abstract: "Compare ways to train on a described machine, by its rates.",
            discussion: """
                sharding: how weights, gradients, state and sequences are split over devices. partition: the same where nodes' \
                links are narrow. groups, sequences: devices for sequences of different lengths. attention: what a head moves \
                between memories. optimizer: which parameters the host updates. tiers: local memory and memory behind CXL. disk: \
                one device, its state on disks. feedback: calls of several models. networks: nodes with cards of different kinds. \
                Nothing is measured.
                """)

        @Argument(help: "The question: \(PlanQuestion.names).") var question: String
        @Option(help: ArgumentHelp("The model and the machine, as JSON; the example if left out.", valueName: "file"))
        var machine: String?
        @Flag(help: "Print the example's description, to be changed and named with --machine.") var example = false
        @Flag(help: "Print JSON.") var json = false

        func run() throws {
            guard let question = PlanQuestion(rawValue: question) else {
                throw InputError("'\(question.prefix(40))' is no question; they are \(PlanQuestion.names).")
            }
            if example { return print(try Self.text(question.example)) }
            let report = try described(question).report()
            if json { return print(try Self.text(report)) }
            print(report.title)
            for (i, option) in report.options.enumerated() {
                print((i == report.chosen ? "* " : "  ") + Self.line(option))
            }
            print("Computed from the description's rates; nothing was measured. * is the fastest that can be.")
        }

        private func described(_ question: PlanQuestion) throws -> any TrainingQuestion {
            guard let machine else { return question.example }
            guard let data = FileManager.default.contents(atPath: machine) else {
                throw InputError(
                    "\(machine) cannot be read. `mneme plan train \(question.rawValue) --example` prints one.")
            }
            return try question.read(data)
        }

        private static func line(_ option: PlannedOption) -> String {
            var parts = [String(format: "%10.4g s", option.seconds)]
            if let bytes = option.memoryBytes { parts.append(String(format: "%8.2f GB in memory", bytes / 1e9)) }
            if let bytes = option.sentBytes { parts.append(String(format: "%10.4g MB moved", bytes / 1e6)) }
            parts.append(option.name + (option.obstacle.map { " (\($0))" } ?? ""))
            return parts.joined(separator: "  ")
        }

        private static func text(_ value: some Encodable) throws -> String {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            return String(decoding: try encoder.encode(value), as: UTF8.self)
        }
    }
}
