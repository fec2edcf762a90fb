import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeChat
import MnemeKV
import MnemeModels
import MnemeStore

extension AdaptersCommand {
    /// `mneme adapters average`: one adapter that adds to the model the mean of what others add, such
    /// as those that several people trained, each on their own machine.
    ///
    /// Exit code 2 for adapters of another model, of several owners, or of too high ranks.
    struct Average: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "average",
            abstract: "Make one adapter of several: the mean of what they add to the model.",
            discussion: """
                The mean is exact; its rank is the sum of theirs. A mean of means, with --weights that count what is behind each, is \
                the mean of all. Memories behind any of them count as memories of the new one: erasing one takes it out of use.
                """)

        @Argument(help: "The new adapter's name.") var name: String
        @Argument(help: "Adapters: names, or folders as PEFT writes them.") var adapters: [String]
        @Option(help: "The model, if the adapters' records do not name it.") var model: String?
        @Option(
            help: ArgumentHelp(
                "A number above 0 for each adapter, with commas; equal if left out.",
                valueName: "numbers"))
        var weights: String?
        @Flag(help: "Replace an adapter of this name.") var replace = false

        func run() async throws {
            let weights = try numbers()
            let folders = try adapters.map { try $0.contains("/") ? AdapterFolder(path: $0) : Home.adapters.folder($0) }
            let records = try folders.map { try $0.record() }
            var record = AdapterRecord(name: name, base: try base(folders, records))
            let source = try ModelSource(path: Home.languageModelPath(record.base))
            let hash = try ModelIdentity.hash(source.path, cache: Home.kv + "/models")
            let parts = try zip(folders, zip(records, weights)).map { folder, facts in
                try check(facts.0, folder, hash)
                return (adapter: try folder.read(for: source.configuration()), weight: facts.1)
            }
            let owners = Set(records.compactMap { $0?.owner })
            guard owners.count <= 1 else {
                throw InputError("The adapters were made from memories of several users; an adapter has one owner.")
            }
            (record.owner, record.baseHash, record.created) = (owners.first, hash, Date())
            for memory in records.flatMap({ $0?.memories ?? [] }) where !record.memories.contains(memory) {
                record.memories.append(memory)
            }
            record.source = "the mean of " + adapters.joined(separator: ", ")
            let mean = try Adapter.mean(of: parts)
            try mean.check(source.configuration())
            // Of the first's place: all that have memories are of one owner.
            let place = records.lazy.compactMap { $0?.memories.isEmpty == false ? $0?.cube : nil }.first
            var cube = AdapterRecord.Cube(user: place?.user ?? owners.first ?? "default")
            if let place { (cube.tenant, cube.store) = (place.tenant, place.store) }
            record.cube = cube
            if replace { try Home.adapters.checkReplaceable(name, by: Owner(tenant: cube.tenant, user: cube.user)) }
            _ = try Home.adapters.add(mean, record, replacing: replace)
            try await Home.remember(mean, record, "adapters average")
            print("\(name)  rank \(mean.ranks.upperBound), \(mean.parameters) values")
        }

        private func numbers() throws -> [Double] {
            guard let weights else { return adapters.map { _ in 1 } }
            let found = weights.split(separator: ",").compactMap { Double($0) }
            guard found.count == adapters.count, found.allSatisfy({ $0 > 0 && $0.isFinite }) else {
                throw InputError("--weights needs \(adapters.count) numbers above 0, with commas between them.")
            }
            return found
        }

        /// The model's name, from the command line or the first adapter that names one.
        private func base(_ folders: [AdapterFolder], _ records: [AdapterRecord?]) throws -> String {
            let named = records.lazy.compactMap { $0?.base }.first
            guard let base = try model ?? named ?? folders.lazy.compactMap({ try $0.baseName() }).first else {
                throw InputError("No adapter's record names the model. Name it: --model NAME.")
            }
            return base
        }

        private func check(_ record: AdapterRecord?, _ folder: AdapterFolder, _ hash: String) throws {
            let name = URL(fileURLWithPath: folder.path).lastPathComponent
            if let why = record?.withdrawn {
                throw InputError("The adapter '\(name)' was taken out of use: \(why)")
            }
            guard record?.baseHash.map({ $0 == hash }) ?? true else {
                throw AdapterError(.wrongBase, "The adapter '\(name)' was made for another model.")
            }
        }
    }
}
