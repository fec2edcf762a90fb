import ArgumentParser
import Foundation
import MnemeBase
import MnemeBench

extension RecipesCommand {
    /// `mneme recipes made`: the conversations that managers are trained on where no file is named, as a file.
    ///
    /// Exit code 2 for a number that is out of bounds.
    struct Made: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "made",
            abstract: "Print made conversations in LoCoMo's form, with questions and their evidence.",
            discussion: """
                What changes, is said again or taken back, what is alike and not the same, what holds for long of a person, \
                what happened when, and talk. Every second conversation is worded in another way. mneme eval --data takes it.
                """)
        @Option(help: "How many conversations.") var count = 40
        @Option(help: "The same seed makes the same.") var seed: UInt64 = 1
        @Flag(help: "Ask for what holds for long of a person alone.") var persons = false

        /// Prints one line of JSON.
        func run() throws {
            guard (1...10_000).contains(count) else { throw InputError("--count lies between 1 and 10000.") }
            let file = try ManagerSample.file(count, seed: seed, isOfPersons: persons)
            print(String(decoding: file, as: UTF8.self))
        }
    }
}
