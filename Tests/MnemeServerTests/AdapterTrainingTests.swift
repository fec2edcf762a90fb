import Foundation
import Mneme
import MnemeBase
import MnemeChat
import MnemeEngine
import MnemeKV
import MnemeModels
import MnemeStore
import MnemeTrain
import NIOConcurrencyHelpers
import Testing

/// Trainings from a plan to an adapter, and anew after a memory was erased.
@Suite(.serialized) struct AdapterTrainingTests {
    /// What a body gets: a base, memories in use, and adapters that follow their erasure.
    struct Fixture {
        let memory: MemoryOS
        let model: LanguageModel
        let adapters: AdapterStore
        let base: AdapterTraining.Base
        let folder: String
        let owner = Owner(user: "ana")

        /// A plan for all memories, of a few steps.
        var plan: TrainingPlan {
            var plan = TrainingPlan(model: "tiny")
            (plan.from, plan.user) = ("all", owner.user)
            var settings = TrainingSettings()
            (settings.steps, settings.keep) = (6, 0)
            settings.shape.rank = 2
            plan.settings = settings
            return plan
        }

        /// Trains to the end.
        @discardableResult
        func train(_ name: String, _ plan: TrainingPlan, replacing: Bool = false) throws -> AdapterRecord {
            var training = try AdapterTraining(name, plan, in: adapters, on: base)
            let trainer = try training.begin(plan.chosen(in: memory.store, by: .local))
            while !trainer.isDone { try trainer.step() }
            let record = training.record(trainer.progress)
            try training.finish(trainer.adapter, record, replacing: replacing)
            return record
        }

        func read(_ name: String) throws -> Adapter {
            try adapters.folder(name).read(for: base.source.configuration())
        }
    }

    func withFixture(_ body: (Fixture) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-\(UUID().uuidString)"
        ).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await TinyModel.with { model, _ in
            let adapters = AdapterStore(path: folder + "/adapters")
            let memory = try MemoryOS(
                store: SQLiteMemoryStore(
                    path: folder + "/memory.db", analyzer: MemoryOS.analyzerVersion),
                embedder: nil, indexFolder: folder + "/index")
            memory.attach(AdapterMemory(adapters))
            let source = try ModelSource(path: model.path)
            let base = AdapterTraining.Base(source, hash: try ModelIdentity.hash(model.path))
            try await body(Fixture(memory: memory, model: model, adapters: adapters, base: base, folder: folder))
            await memory.close()
        }
    }

    @Test func `an adapter is learned anew without what was erased, to the bits of one that never saw it`()
        async throws
    {
        try await withFixture { f in
            let facts = try await f.memory.remember(
                ["Ana lives in Bergen.", "Bo works at Novex.", "Cleo plays the oboe."].map { MemoryInput($0) },
                scope: Scope(user: "ana"))
            let ids = facts.map(\.id.description)
            let first = try f.train("facts", f.plan)
            #expect(Set(first.memories) == Set(ids) && first.owner == "ana")
            #expect(!FileManager.default.fileExists(atPath: f.adapters.trainingFolder("facts")))
            let before = try f.read("facts")
            let scope = Owner(user: "ana")
            try await f.memory.erase(facts[1].id, owner: scope)
            let folder = try f.adapters.folder("facts")
            #expect(try folder.record()?.withdrawn != nil)
            #expect(try AdapterMemory(f.adapters).outOfUse(madeOf: [ids[1]]) == ["facts"])
            #expect(try AdapterMemory(f.adapters).outOfUse(madeOf: ["other"]) == [])
            // What came meanwhile is not what the adapter was made from.
            _ = try await f.memory.remember([MemoryInput("Dan sails.")], scope: Scope(user: "ana"))
            let plan = try #require(try TrainingPlan.read(in: folder.path)).again("facts")
            let again = try f.train("facts", plan, replacing: true)
            #expect(again.memories == first.memories.filter { $0 != ids[1] })
            #expect(again.withdrawn == nil)
            let anew = try f.read("facts")
            #expect(anew != before)
            var direct = f.plan
            (direct.from, direct.learned) = (nil, again.memories)
            try f.train("direct", direct)
            #expect(try f.read("direct") == anew)
            // Nothing left: said before anything is replaced.
            for id in [facts[0].id, facts[2].id] { try await f.memory.erase(id, owner: scope) }
            let empty = try #require(try TrainingPlan.read(in: folder.path)).again("facts")
            let error = #expect(throws: TrainingError.self) {
                _ = try empty.chosen(in: f.memory.store, by: .local)
            }
            #expect(error?.code == .emptySelection)
        }
    }

    @Test func `what a model says with memories in its prompt is learned without them, where it is right`() async throws
    {
        try await withFixture { f in
            _ = try await f.memory.remember(
                ["Ana lives in Bergen.", "Bo plays the oboe.", "It rained."].map { MemoryInput($0) },
                scope: Scope(user: f.owner.user))
            var plan = f.plan
            plan.distills = true
            let memories = try plan.chosen(in: f.memory.store, by: .local)
            var prompts: [String] = []
            let made = ContextDistillation(memories: memories, leavesProbes: false).examples { asked in
                prompts = asked
                return asked.map { prompt -> String? in
                    if prompt.hasSuffix("Where does Ana live?") { return "In Bergen, by the sea." }
                    return prompt.contains("Bo") ? "I do not know." : nil
                }
            }
            // Each question behind all three memories; one answer is the model's, and all are asked without them.
            #expect(!prompts.isEmpty && made.asked == prompts.count && made.own == 1)
            for prompt in prompts {
                #expect(prompt.contains("Ana lives in Bergen.") && prompt.contains("It rained."), "\(prompt)")
            }
            let rules = memories.flatMap(\.trainingExamples)
            func order(_ examples: [TrainingExample]) -> [String] { examples.map(\.prompt).sorted() }
            #expect(order(made.examples) == order(rules))
            let answer = made.examples.first { $0.prompt == "Where does Ana live?" }
            #expect(answer?.completion == "In Bergen, by the sea.")
            #expect(made.examples.filter { !rules.contains($0) }.count == 1)
            // One question of each memory is left out where they are to judge.
            let judged = ContextDistillation(memories: memories, leavesProbes: true).examples {
                $0.map { _ -> String? in nil }
            }
            #expect(order(judged.examples) == order(memories.flatMap(\.examplesWithoutProbe)))
            // By the model itself: the same again learns the same.
            let record = try f.train("own", plan)
            #expect(record.training["ownAnswers"] != nil)
            let first = try f.read("own")
            let again = try #require(try TrainingPlan.read(in: f.adapters.folder("own").path)).again("own")
            try f.train("own", again, replacing: true)
            #expect(try f.read("own") == first)
        }
    }

    /// Answers in turn, and counts what it is asked.
    private final class Scripted: Oracle {
        let name = "scripted"
        private let answers: NIOLockedValueBox<[String]>
        init(_ answers: [String]) { self.answers = NIOLockedValueBox(answers) }
        func answer(_ question: OracleQuestion) async throws -> String {
            answers.withLockedValue { $0.isEmpty ? "" : $0.removeFirst() }
        }
    }

    @Test func `questions of a model count where the memory bears them out, and go with it`() async throws {
        try await withFixture { f in
            let facts = try await f.memory.remember(
                [MemoryInput("The lighthouse was painted by Ana in June."), MemoryInput("It rained.")],
                scope: Scope(user: f.owner.user))
            var plan = f.plan
            let memories = try plan.chosen(in: f.memory.store, by: .local)
            #expect(memories.map(\.id) == facts.map(\.id))
            func item(_ question: String, _ answer: String) -> String {
                "{\"question\":\"\(question)\",\"answer\":\"\(answer)\"}"
            }
            let good = [item("Who gave the tower its colour?", "Ana"), item("When was that?", "in june")]
            let bad = [
                item("Was it Ana?", "Ana"), item("Which colour was it?", "white"), item("Tell me more.", "June"),
                item("Who gave the tower its colour?", "Ana"),
            ]
            let all = "{\"questions\":[" + (bad.prefix(3) + good + bad.suffix(1)).joined(separator: ",") + "]}"
            // The second memory's answers cannot be read: it is asked about twice.
            let asked = try await ModelQuestions(Scripted([all, "?", "{"])).ask(about: memories)
            #expect(asked.map(\.prompt) == ["Who gave the tower its colour?", "When was that?"])
            #expect(asked.allSatisfy { $0.memory == facts[0].id.description && $0.completion == memories[0].text })
            plan.asked = asked
            try f.train("plain", f.plan)
            try f.train("asked", plan)
            #expect(try f.read("plain") != f.read("asked"))
            // The same again, and none of it once the memory is erased.
            let folder = try f.adapters.folder("asked").path
            #expect(try TrainingPlan.read(in: folder)?.again("asked").asked == asked)
            try await f.memory.erase(facts[0].id, owner: f.owner)
            #expect(try #require(try TrainingPlan.read(in: folder)).asked == [])
            for file in try FileManager.default.contentsOfDirectory(atPath: folder) {
                let data = FileManager.default.contents(atPath: folder + "/" + file) ?? Data()
                #expect(data.range(of: Data("tower".utf8)) == nil, "\(file)")
            }
        }
    }

    @Test func `a base says what an engine answers with the likeliest tokens, or nothing whole`() async throws {
        try await withFixture { f in
            let engine = try Engine(f.model)
            defer { engine.close() }
            let prompts = ["Boats", "The harbour of", "a b c"].map { f.model.tokens(of: $0) }
            let said = try BaseWriter(f.base.source).answers(to: prompts, tokens: 40)
            for (prompt, said) in zip(prompts, said) {
                var request = GenerationRequest(prompt: prompt)
                request.maxTokens = 40
                var (text, reason) = ("", FinishReason?.none)
                for try await event in try engine.generate(request) {
                    switch event {
                    case .token(let part, _, _, _): text += part
                    case .finished(let why, _): reason = why
                    }
                }
                #expect(said == (reason == .stop ? text : nil))
            }
        }
    }

    @Test func `the answer of an erasure names the adapters that are out of use`() async throws {
        try await withFixture { f in
            let facts = try await f.memory.remember(
                [MemoryInput("Ana lives in Bergen."), MemoryInput("Bo works at Novex.")],
                scope: Scope(user: "ana"))
            var plan = f.plan
            (plan.from, plan.learned) = (nil, [facts[0].id.description])
            try f.train("home", plan)
            func erase(_ id: CubeID) async throws -> JSONValue {
                guard
                    case .value(let value) = try await EraseOperation.call(
                        ["id": .string(id.description), "user": "ana"],
                        OperationContext(memory: f.memory, principal: .local), surface: .http)
                else { return .null }
                return try JSONDecoder().decode(
                    JSONValue.self, from: Data(try OperationTable.encode(value).utf8))
            }
            #expect(try await erase(facts[1].id)["adapters"] == nil)
            #expect(try await erase(facts[0].id)["adapters"] == ["home"])
        }
    }

    @Test func `a plan that is damaged, or of before settings were kept, is refused`() async throws {
        try await withFixture { f in
            let path = f.folder + "/" + AdapterStore.trainingFile
            #expect(try TrainingPlan.read(in: f.folder) == nil)
            try f.plan.write(in: f.folder)
            #expect(try TrainingPlan.read(in: f.folder) == f.plan)
            // As plans were before.
            let old = #"{"model":"tiny","files":[],"user":"ana","tenant":"default","memories":["a"]}"#
            try Data(old.utf8).write(to: URL(fileURLWithPath: path))
            let plan = try #require(try TrainingPlan.read(in: f.folder))
            #expect(plan.memories == ["a"])
            #expect(throws: TrainingError.self) { try plan.again("facts") }
            try Data("{".utf8).write(to: URL(fileURLWithPath: path))
            #expect(throws: TrainingError.self) { try TrainingPlan.read(in: f.folder) }
        }
    }

    @Test func `the operations list what was learned of an owner's memories, and erase it by name`() async throws {
        try await withFixture { f in
            _ = try await f.memory.remember([MemoryInput("Ana lives in Bergen.")], scope: Scope(user: "ana"))
            func call(_ operation: any Mneme.Operation.Type, _ arguments: [String: JSONValue], _ user: String = "ana")
                async throws -> JSONValue
            {
                let context = OperationContext(memory: f.memory, principal: .local)
                let output = try await operation.call(
                    arguments.merging(["user": .string(user)]) { own, _ in own }, context, surface: .http)
                guard case .value(let value) = output else { return .null }
                return try JSONValue(parsing: Array(try OperationTable.encode(value).utf8))
            }
            let caller = Caller(.local, operation: "adapters train", reason: "asked")
            let record = try f.train("facts", f.plan)
            let cube = try await f.adapters.remember(f.read("facts"), record, in: f.memory, by: caller)
            var embedder = AdapterReference(name: "facts", model: "minilm", hash: "00", parameters: 8)
            embedder.kind = .embedder
            let other = try await f.memory.keep(embedder, figures: [:], scope: Scope(user: "ana"), by: caller)
            let listed = try await call(AdaptersOperation.self, [:])["adapters"]?.array ?? []
            #expect(Set(listed.compactMap { $0["memory"]?.string }) == ["\(cube.id)", "\(other.id)"])
            let row = try #require(listed.first { $0["kind"] == nil })
            #expect(row["name"] == "facts" && row["model"] == "tiny" && row["serves"] == true && row["sources"] == 1)
            #expect(row["figures"]?["steps"] == "6")
            #expect(try await call(AdaptersOperation.self, ["name": "none"])["adapters"] == [])
            #expect(try await call(AdaptersOperation.self, [:], "bo")["adapters"] == [])
            // Archived it does not serve.
            _ = try await call(ForgetOperation.self, ["id": .string("\(cube.id)")])
            let archived = try await call(AdaptersOperation.self, [:])["adapters"]?.array ?? []
            #expect(archived.first { $0["kind"] == nil }?["serves"] == false)
            // Erased by name, of the kind that is said; its files go with it.
            await #expect(throws: StoreError.self) {
                _ = try await call(AdaptersOperation.Erase.self, ["name": "facts"], "bo")
            }
            let gone = try await call(AdaptersOperation.Erase.self, ["name": "facts", "reason": "old"])
            #expect(gone["erased"]?.string == "\(cube.id)" && f.adapters.names() == [])
            #expect(try f.memory.adapters(of: f.owner).map(\.id) == [other.id])
            _ = try await call(AdaptersOperation.Erase.self, ["name": "facts", "embedder": true])
            #expect(try f.memory.adapters(of: f.owner) == [])
        }
    }

    @Test func `the operations show, measure, hand out and take in adapters`() async throws {
        try await withFixture { f in
            _ = try await f.memory.remember([MemoryInput("Ana lives in Bergen.")], scope: Scope(user: "ana"))
            func call(
                _ operation: any Mneme.Operation.Type, _ arguments: [String: JSONValue], _ user: String = "ana"
            ) async throws -> JSONValue {
                let principal = Principal(name: user, permissions: Set(Permission.allCases), user: user)
                let context = OperationContext(memory: f.memory, principal: principal)
                let output = try await operation.call(arguments, context, surface: .http)
                guard case .value(let value) = output else { return .null }
                return try JSONValue(parsing: Array(try OperationTable.encode(value).utf8))
            }
            let record = try f.train("facts", f.plan)
            let caller = Caller(.local, operation: "adapters train", reason: "asked")
            let cube = try await f.adapters.remember(f.read("facts"), record, in: f.memory, by: caller)
            await #expect(throws: InputError.self, "no language model") {
                _ = try await call(AdaptersOperation.Show.self, ["name": "facts"])
            }
            let engine = try Engine(f.model, adapters: f.adapters)
            defer { engine.close() }
            f.memory.attach(adapters: ServedAdapters(f.model, engine, named: "tiny", in: f.adapters))

            let shown = try await call(AdaptersOperation.Show.self, ["name": "facts"])
            #expect(shown["details"]?["hash"]?.string == (try f.read("facts").hash))
            #expect(shown["details"]?["lowestRank"] == 2 && shown["adapter"]?["memory"]?.string == "\(cube.id)")
            let questions: JSONValue = [["prompt": "Where does Ana live?", "answer": "Bergen"]]
            let scores = try await call(
                AdaptersOperation.Evaluate.self,
                ["name": "facts", "questions": questions, "text": "Bo works at Novex.", "max_tokens": 4])
            let (with, without) = (scores["with"], scores["without"])
            #expect(scores["questions"] == 1 && (scores["textTokens"]?.double ?? 0) > 3)
            #expect(try #require(with?["answerLoss"]?.double) < (try #require(without?["answerLoss"]?.double)))
            #expect(with?["perplexity"]?.double != without?["perplexity"]?.double)
            for wrong: JSONValue in [[], [["prompt": "x"]], [["prompt": " ", "answer": "x"]]] {
                await #expect(throws: InputError.self) {
                    _ = try await call(AdaptersOperation.Evaluate.self, ["name": "facts", "questions": wrong])
                }
            }

            // What is handed out is taken in as it was, and tells nothing of memories.
            let out = try await call(AdaptersOperation.Export.self, ["name": "facts"])
            let config = try #require(out["config"]?.string)
            let weights = try #require(out["weights"]?.string)
            #expect(!config.contains(f.folder))
            let again = try #require(out.object).merging(["name": "copy"]) { $1 }
            let taken = try await call(AdaptersOperation.Import.self, again, "bo")
            #expect(taken["adapter"]?["name"] == "copy" && taken["adapter"]?["sources"] == 0)
            #expect(try f.read("copy").hash == f.read("facts").hash)
            #expect(try f.adapters.folder("copy").record()?.cube?.user == "bo")
            #expect(try FileManager.default.contentsOfDirectory(atPath: f.adapters.path).sorted() == ["copy", "facts"])

            // One that is there, somebody else's, damaged, or none at all.
            await #expect(throws: AdapterError.self) { _ = try await call(AdaptersOperation.Import.self, again, "bo") }
            _ = try await call(AdaptersOperation.Import.self, again.merging(["replace": true]) { $1 }, "bo")
            await #expect(throws: InputError.self) {
                _ = try await call(AdaptersOperation.Import.self, again.merging(["replace": true]) { $1 }, "ana")
            }
            for (config, weights) in [("{}", weights), (config, "AAAA"), (config, "?"), (config, nil)] {
                var wrong: [String: JSONValue] = ["name": "wrong", "config": .string(config)]
                wrong["weights"] = weights.map(JSONValue.string)
                await #expect(throws: (any Error).self) { _ = try await call(AdaptersOperation.Import.self, wrong) }
            }
            await #expect(throws: AdapterError.self) {
                _ = try await call(AdaptersOperation.Import.self, ["name": "wrong", "gguf": "R0dVRg=="])
            }
            #expect(f.adapters.names() == ["copy", "facts"])

            // Others', erased and archived ones are not there.
            for operation: any Mneme.Operation.Type in [AdaptersOperation.Show.self, AdaptersOperation.Export.self] {
                await #expect(throws: StoreError.self) { _ = try await call(operation, ["name": "facts"], "bo") }
            }
            _ = try await call(ForgetOperation.self, ["id": .string("\(cube.id)")])
            await #expect(throws: StoreError.self) {
                _ = try await call(AdaptersOperation.Export.self, ["name": "facts"])
            }
            // A name that another adapter has by now gives no way to that.
            _ = try await call(RestoreOperation.self, ["id": .string("\(cube.id)")])
            try f.adapters.erase("facts")
            _ = try await call(AdaptersOperation.Import.self, again.merging(["name": "facts"]) { $1 }, "bo")
            await #expect(throws: AdapterError.self) {
                _ = try await call(AdaptersOperation.Export.self, ["name": "facts"], "ana")
            }
        }
    }

    @Test func `an adapter is a memory with an owner, a history and edges, and is not recalled`()
        async throws
    {
        try await withFixture { f in
            let facts = try await f.memory.remember(
                [MemoryInput("Ana lives in Bergen."), MemoryInput("Bo works at Novex.")],
                scope: Scope(user: "ana"))
            let ids = facts.map(\.id)
            let record = try f.train("facts", f.plan)
            let caller = Caller(.local, operation: "adapters train", reason: "asked")
            let cube = try await f.adapters.remember(f.read("facts"), record, in: f.memory, by: caller)
            #expect(cube.form == .adapter && cube.scope.user == "ana" && cube.adapter?.name == "facts")
            #expect(Set(cube.adapter?.sources ?? []) == Set(ids.map(\.description)))
            #expect(cube.metadata["steps"] == "6")
            #expect(try f.adapters.folder("facts").record()?.cube?.id == cube.id.description)
            func links() throws -> Set<CubeID> {
                Set(try f.memory.store.links(of: cube.id, owner: f.owner, by: .local).map(\.target))
            }
            #expect(try links() == Set(ids))
            let found = try await f.memory.recall(
                RecallRequest("Which adapter of tiny has Ana's facts?", owner: f.owner)
            ).memories
            #expect(!found.isEmpty && !found.contains { $0.memory.id == cube.id })
            func listed(_ form: MemoryForm) throws -> [CubeID] {
                var filter = CubeFilter(owner: f.owner)
                filter.form = form
                return try f.memory.store.list(filter, by: .local).map(\.id)
            }
            #expect(try listed(.adapter) == [cube.id] && listed(.kv) == [])
            #expect(try Set(listed(.text)) == Set(ids))
            // Its text is not anybody's to change.
            await #expect(throws: StoreError.self) {
                _ = try await UpdateOperation.call(
                    ["id": .string(cube.id.description), "text": "another", "user": "ana"],
                    OperationContext(memory: f.memory, principal: .local), surface: .http)
            }
            try await f.memory.recordUse(ofAdapter: "facts", owner: f.owner, time: Date())

            // Archived, the record finds it in the store and says why it is not used; restored, it does not.
            let kept = try #require(try f.adapters.folder("facts").record())
            #expect(try kept.archivedMemory(in: f.memory.store) == nil)
            _ = try f.memory.store.commit([.archive(cube.id)], owner: f.owner, by: .local)
            #expect(try kept.archivedMemory(in: f.memory.store) == cube.id)
            #expect(AdapterError.archived("facts", memory: cube.id).message.contains("\(cube.id)"))
            _ = try f.memory.store.commit([.restore(cube.id)], owner: f.owner, by: .local)
            #expect(try kept.archivedMemory(in: f.memory.store) == nil)

            // Out of use, with the memory that was erased.
            try await f.memory.erase(ids[0], owner: f.owner)
            let out = try #require(try f.memory.adapters(of: f.owner).first)
            #expect(out.id == cube.id && out.state == .archived)
            // Anew: the same memory, a next version.
            let plan = try #require(try TrainingPlan.read(in: f.adapters.folder("facts").path)).again("facts")
            let again = try f.train("facts", plan, replacing: true)
            let next = try await f.adapters.remember(f.read("facts"), again, in: f.memory, by: caller)
            #expect(next.id == cube.id && next.state == .activated)
            #expect(next.adapter?.sources == [ids[1].description] && next.adapter?.hash != cube.adapter?.hash)
            #expect(try links() == [ids[1]])
            let history = try f.memory.store.history(cube.id, owner: f.owner, by: .local).map(\.operation)
            #expect(history.filter { $0 != .link } == [.add, .archive, .restore, .archive, .restore, .update])
            // The memory erased: the adapter is gone with its files.
            try await f.memory.erase(cube.id, owner: f.owner)
            #expect(try f.adapters.names() == [] && f.memory.adapters(of: f.owner) == [])
            #expect(try f.memory.store.cube(ids[1], owner: f.owner, asOf: nil, by: .local) != nil)
        }
    }
}
