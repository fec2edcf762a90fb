import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeModels

extension AdaptersCommand {
    /// `mneme adapters gather FOLDER ADAPTER --of N`: brings an adapter to a mean that others bring theirs to,
    /// each when it has one; whoever brings the last one of a group makes the group's mean.
    ///
    /// What Mneme knows of the memories behind an adapter stays where it is, as with `export`. Exit code 2
    /// if all came already, or the folder was begun with other numbers.
    struct Gather: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "gather",
            abstract: "Bring an adapter to a mean that several make, each when it is done.",
            discussion: """
                The folder may be in memory (/dev/shm). When the last of --of adapters has come, FOLDER/mean holds the mean of \
                all, by their weights, to be imported with `mneme adapters import`. Memories behind the adapters are not named \
                there: erasing one does not reach the mean.
                """)

        @Argument(help: "The folder in which they are gathered.") var folder: String
        @Argument(help: "An adapter: a name, or a folder as PEFT writes it.") var adapter: String
        @Option(help: ArgumentHelp("Adapters in all.", valueName: "number")) var of: Int
        @Option(help: ArgumentHelp("Adapters that one mean is made of.", valueName: "number")) var group = 4
        @Option(help: "What it counts beside the others, such as the number of its examples.") var weight = 1.0
        @Option(help: "The model, if the adapter's record does not name it.") var model: String?

        func run() async throws {
            let one = try adapter.contains("/") ? AdapterFolder(path: adapter) : Home.adapters.folder(adapter)
            let record = try one.record()
            if let why = record?.withdrawn {
                throw InputError("The adapter '\(adapter)' was taken out of use: \(why)")
            }
            guard let base = try model ?? record?.base ?? one.baseName() else {
                throw InputError("The adapter does not name its model. Name it: --model NAME.")
            }
            let shape = try ModelSource(path: Home.languageModelPath(base)).configuration()
            let gathering = try AdapterGathering(folder, expected: of, group: group)
            let progress = try gathering.put(try one.read(for: shape), weight: weight, base: (base, shape))
            let copied = String(format: "%.2f MB", Double(progress.copiedBytes) / 1e6)
            print("\(progress.come) of \(progress.expected), \(copied) copied")
            if progress.isDone { print(gathering.mean.path) }
        }
    }
}
