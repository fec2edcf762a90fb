import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeChat
import MnemeCube
import MnemeEmbedding
import MnemeModels
import MnemeStore
import MnemeTrain
import Testing

@Suite struct EmbedderTrainingTests {
    /// Memories of a user, the folder of embedding models, and a base: the tiny BERT of `MnemeTrainTests`.
    private struct Fixture {
        var memory: MemoryOS
        var embedders: AdapterStore
        var base: EmbedderTraining.Base

        var plan: TrainingPlan {
            var plan = TrainingPlan(model: "tinybert")
            (plan.from, plan.user) = ("all", "ana")
            var settings = EmbedderTrainer.defaults
            settings.steps = 2
            plan.settings = settings
            return plan
        }

        func memories(_ plan: TrainingPlan) throws -> [MemCube] { try plan.chosen(in: memory.store, by: .local) }

        func train(_ name: String, _ plan: TrainingPlan, replacing: Bool = false) throws -> AdapterFolder {
            var training = try EmbedderTraining(name, plan, in: embedders, on: base)
            let trainer = try training.begin(memories(plan))
            while !trainer.isDone { try trainer.step() }
            try training.finish(trainer, replacing: replacing, shares: trainer.heldOutShares())
            return try embedders.folder(name)
        }
    }

    private func withFixture(_ body: (Fixture) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "mneme-embedder-\(UUID().uuidString)"
        try Privacy.makeFolder(folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let path = tests.appendingPathComponent("MnemeTrainTests/Golden/tinybert").path
        let embedders = AdapterStore(path: folder + "/models")
        let memory = try MemoryOS(
            store: SQLiteMemoryStore(path: folder + "/memory.db", analyzer: MemoryOS.analyzerVersion),
            embedder: nil, indexFolder: folder + "/index")
        memory.attach(AdapterMemory(embedders))
        let base = EmbedderTraining.Base(folder: path, try LazyEmbedder(folder: path))
        try await body(Fixture(memory: memory, embedders: embedders, base: base))
        await memory.close()
    }

    private static let facts = [
        "I painted the kitchen door yellow and hung two copper lamps above the table.",
        "My brother repairs violins in a small workshop near the railway station.",
        "We counted eleven seals on the rocks before the fog came over the bay.",
        "The doctor said that walnuts and raw apples are what makes my throat itch.",
        "Last winter our choir sang in the old tannery because the chapel had no heating.",
        "She keeps bees on the roof of the library and sells honey every second Sunday.",
        "They moved the chess evening to Thursday since the hall is used for dancing.",
        "Grandfather built a wooden canoe from cedar planks without a single nail.",
        "A heavy storm broke the greenhouse, so the tomatoes now grow along the garage wall.",
        "For the marathon he trains on forest paths with his neighbour's spotted dog.",
        "The bakery on the corner burned its first batch of rye bread this morning.",
        "Our daughter collects stamps that show lighthouses from northern islands.",
    ]

    private func remember(_ f: Fixture) async throws -> [Remembered] {
        try await f.memory.remember(
            Self.facts.enumerated().map { i, text in
                MemoryInput(
                    text, speaker: i % 2 == 0 ? "Ana" : "Bo", eventTime: Date(timeIntervalSince1970: Double(i)),
                    session: "talk \(i / 4)")
            } + [MemoryInput("Cleo lives in Bergen.", eventTime: Date(timeIntervalSince1970: 100))],
            scope: Scope(user: "ana"))
    }

    @Test func `pairs are questions, next turns and words of memories, with a memory that is near and wrong`()
        async throws
    {
        try await withFixture { f in
            _ = try await remember(f)
            // Three talks of four turns, and a note by itself.
            var memories = try f.memories(f.plan).sorted { $0.header.eventTime < $1.header.eventTime }
            try #require(memories.count == 13)
            for i in 0..<12 { memories[i].header.scope.session = "talk \(i / 4)" }
            let embedder = HashedWordsEmbedder()
            let pairs = try MemoryPairs(memories).pairs(mining: embedder)
            #expect(pairs.contains { $0.question == "Where does Cleo live?" && $0.text == "Cleo lives in Bergen." })
            let next = pairs.filter { $0.sources.count == 2 }
            #expect(next.count == 12 - 3)
            #expect(next[0].question == "Ana: " + Self.facts[0] && next[0].text == "Bo: " + Self.facts[1])
            let words = pairs.filter { $0.sources.count == 1 && $0.text == "Bo: " + Self.facts[1] }
            #expect(words.count == 1 && words[0].question.hasPrefix("Bo ") && words[0].question.count < 40)
            let texts = Dictionary(
                memories.map { (MemoryOS.embeddingText($0.text, speaker: $0.speaker), "\($0.id)") },
                uniquingKeysWith: { first, _ in first })
            #expect(pairs.contains { !$0.negatives.isEmpty })
            for pair in pairs {
                for negative in pair.negatives {
                    #expect(negative != pair.text && negative != pair.question)
                    #expect(!pair.sources.contains(try #require(texts[negative])))
                }
            }
            // The same memories give the same pairs: a training that goes on needs them.
            #expect(try MemoryPairs(memories).pairs(mining: embedder) == pairs)
        }
    }

    @Test func `an embedder that learned an erased memory is out of use, and is learned anew without it`()
        async throws
    {
        try await withFixture { f in
            let facts = try await remember(f)
            // A model that was fetched lies beside it: its record is of another kind, and it is no adapter.
            let fetched = f.embedders.path + "/fetched"
            try Privacy.makeFolder(fetched)
            try AtomicFile.write(Data(#"{"source": "hub:a/b@c", "files": {}}"#.utf8), to: fetched + "/mneme.json")
            try AtomicFile.write(Data([1]), to: fetched + "/model.safetensors")
            let folder = try f.train("mine", f.plan)
            let record = try #require(try folder.record())
            #expect(Set(record.memories) == Set(facts.map(\.id.description)) && record.owner == "ana")
            #expect(record.baseHash == f.base.embedder.identifier && record.training["firstHeldOutLoss"] != nil)
            #expect(f.embedders.names() == ["mine"])
            let loaded = try LazyEmbedder(folder: folder.path)
            let before = try loaded.embed(["Where does Cleo live?"])
            #expect(before.dimension == f.base.embedder.dimension)
            #expect(before.values != (try f.base.embedder.embed(["Where does Cleo live?"])).values)
            let weights = folder.path + "/model.safetensors"
            let bytes = try #require(FileManager.default.contents(atPath: weights))

            try await f.memory.erase(facts[3].id, owner: Owner(user: "ana"))
            #expect(try folder.record()?.withdrawn != nil)
            #expect(try AdapterMemory(f.embedders).outOfUse(madeOf: [facts[3].id.description]) == ["mine"])
            #expect(!FileManager.default.fileExists(atPath: weights))
            #expect(FileManager.default.fileExists(atPath: fetched + "/model.safetensors"))
            let error = #expect(throws: ModelError.self) { _ = try loaded.embed(["Where does Cleo live?"]) }
            #expect(error?.code == .withdrawn && error?.message.contains("was erased") == true)

            let plan = try #require(try TrainingPlan.read(in: folder.path)).again("mine")
            let again = try f.train("mine", plan, replacing: true)
            #expect(try again.record()?.memories == record.memories.filter { $0 != facts[3].id.description })
            #expect(try again.record()?.withdrawn == nil)
            #expect(try #require(FileManager.default.contents(atPath: weights)) != bytes)
            _ = try LazyEmbedder(folder: again.path).embed(["Where does Cleo live?"])
        }
    }

    @Test func `one pass over few pairs is refused, and a number of steps is done`() async throws {
        try await withFixture { f in
            _ = try await remember(f)
            var plan = f.plan
            plan.settings?.steps = nil
            var training = try EmbedderTraining("mine", plan, in: f.embedders, on: f.base)
            let error = #expect(throws: TrainingError.self) { _ = try training.begin(f.memories(plan)) }
            #expect(error?.code == .emptySelection && error?.message.contains("--steps") == true)
            #expect(!FileManager.default.fileExists(atPath: training.folder))
            #expect(try f.train("mine", f.plan).record()?.training["steps"] == 2)
        }
    }

    @Test func `an embedder is a memory with edges, beside an adapter of its name`() async throws {
        try await withFixture { f in
            let facts = try await remember(f)
            let owner = Owner(user: "ana")
            let caller = Caller(.local, operation: "embedder train", reason: "asked")
            func train(_ plan: TrainingPlan, replacing: Bool) async throws -> MemCube {
                var training = try EmbedderTraining("mine", plan, in: f.embedders, on: f.base)
                let trainer = try training.begin(f.memories(plan))
                while !trainer.isDone { try trainer.step() }
                let (made, record) = try training.finish(trainer, replacing: replacing, shares: nil)
                #expect(made.hash == (try LazyEmbedder(folder: f.embedders.path + "/mine").identifier))
                return try await f.embedders.remember(made, record, in: f.memory, by: caller)
            }
            let cube = try await train(f.plan, replacing: false)
            #expect(cube.form == .adapter && cube.adapter?.kind == .embedder && cube.adapter?.name == "mine")
            #expect(cube.text == "The embedding model mine, learned from tinybert")
            #expect(cube.provenance.source == "embedder" && cube.metadata["steps"] == "2")
            let links = try f.memory.store.links(of: cube.id, owner: owner, by: .local)
            #expect(Set(links.map(\.target)) == Set(facts.map(\.id)))
            // As JSON tells it, and reads it again.
            let json = try OperationTable.encode(cube)
            #expect(json.contains(#""kind":"embedder""#))
            // An adapter of the same name is another memory.
            let adapter = try await f.memory.keep(
                AdapterReference(name: "mine", model: "tiny", hash: "00", parameters: 8), figures: [:],
                scope: Scope(user: "ana"), by: caller)
            #expect(adapter.id != cube.id && adapter.adapter?.kind == nil)
            #expect(try f.memory.adapters(of: owner).count == 2)
            // An erased memory takes it out of use; learned anew it is the same memory.
            try await f.memory.erase(facts[3].id, owner: owner)
            let states = Dictionary(
                try f.memory.adapters(of: owner).map { ($0.id, $0.state) }, uniquingKeysWith: { first, _ in first })
            #expect(states == [cube.id: .archived, adapter.id: .activated])
            let again = try #require(try TrainingPlan.read(in: f.embedders.path + "/mine")).again("mine")
            let next = try await train(again, replacing: true)
            #expect(next.id == cube.id && next.state == .activated && next.version > cube.version)
            // Its memory erased: the model is gone with its files.
            try await f.memory.erase(next.id, owner: owner)
            #expect(f.embedders.names().isEmpty)
            #expect(try f.memory.adapters(of: owner).map(\.id) == [adapter.id])
        }
    }

    @Test func `a training that runs while a memory is erased leaves nothing`() async throws {
        try await withFixture { f in
            let facts = try await remember(f)
            var training = try EmbedderTraining("mine", f.plan, in: f.embedders, on: f.base)
            let trainer = try training.begin(f.memories(f.plan))
            try trainer.step()
            try await f.memory.erase(facts[0].id, owner: Owner(user: "ana"))
            let error = #expect(throws: TrainingError.self) {
                try training.finish(trainer, replacing: false, shares: nil)
            }
            #expect(error?.code == .emptySelection)
            #expect(f.embedders.names().isEmpty)
            #expect(!FileManager.default.fileExists(atPath: training.folder))
        }
    }
}
