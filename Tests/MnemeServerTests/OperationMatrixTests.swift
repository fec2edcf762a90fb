import Foundation
import Mneme
import MnemeBase
import MnemeChat
import MnemeEngine
import MnemeKV
import MnemeModels
import MnemeNumerics
import MnemeRecipes
import MnemeStore
import MnemeTrain
import Testing

/// Walks the six operations on memory over texts, keys and values, and adapters: each works through
/// public interfaces, or is refused with a reason.
@Suite(.serialized) struct OperationMatrixTests {
    private static let owner = Owner(user: "ana"), scope = Scope(user: "ana")

    /// A check for an operation on a form; nil if it has to be refused.
    private static func check(_ entry: FormOperation) -> (() async throws -> Void)? {
        switch (entry.verb, entry.form) {
        case (.update, .kv), (.compress, .adapter): nil
        case (let verb, .text): { try await text(verb) }
        case (let verb, .kv): { try await keysAndValues(verb) }
        case (let verb, .adapter): { try await adapter(verb) }
        }
    }

    @Test func `the matrix has every operation on every form, once`() {
        #expect(FormOperation.all.count == MemoryVerb.allCases.count * MemoryForm.allCases.count)
        #expect(Set(FormOperation.all.map { "\($0.verb) \($0.form)" }).count == FormOperation.all.count)
    }

    @Test(arguments: FormOperation.all)
    func `each operation works, or is refused with a reason`(entry: FormOperation) async throws {
        guard let check = Self.check(entry) else {
            let error = #expect(throws: InputError.self) {
                try FormOperation.require(entry.verb, on: entry.form)
            }
            #expect(error?.message == entry.note && entry.note.contains("mneme "))
            return
        }
        #expect(try FormOperation.require(entry.verb, on: entry.form).command?.hasPrefix("mneme ") == true)
        try await check()
    }

    // MARK: Texts

    private static func text(_ verb: MemoryVerb) async throws {
        let folder = NSTemporaryDirectory() + "mneme-matrix-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let memory = MemoryOS(
            store: try SQLiteMemoryStore(path: folder + "/m.db", analyzer: MemoryOS.analyzerVersion),
            embedder: nil, recipe: try #require(RecipeCatalog.recipe("hema", over: .standard)))
        defer { Task { await memory.close() } }
        let inputs = [
            "Tea grows on the hill.", "The kiln fires at noon.", "The kiln needs new bricks.",
            "Bricks for the kiln come on Monday.",
        ]
        var first = MemoryInput(inputs[0])
        first.type = .semantic
        let made = try await memory.remember([first] + inputs.dropFirst().map { MemoryInput($0) }, scope: scope)
        let context = OperationContext(memory: memory, principal: .local)
        func found(_ question: String) async throws -> [String] {
            try await memory.recall(RecallRequest(question, owner: owner)).memories.map(\.memory.text)
        }
        func run(_ kind: JobKind) async throws {
            _ = try await memory.enqueue(kind, owner: owner)
            _ = try await JobRunner(memory).drain()
        }
        switch verb {
        case .consolidate:
            var again = MemoryInput("So tea grows on the hill", eventTime: Date(timeIntervalSinceNow: 60))
            again.type = .semantic
            try await memory.remember([again], scope: scope)
            try await run(.consolidate)
            #expect(try memory.store.cubes([made[0].id], owner: owner, by: .local)[0].state == .merged)
        case .update:
            _ = try await UpdateOperation.call(
                ["id": .string("\(made[0].id)"), "text": "Coffee grows on the hill.", "user": "ana"], context,
                surface: .http)
            #expect(try await found("What grows on the hill?").first == "Coffee grows on the hill.")
            #expect(try memory.store.history(made[0].id, owner: owner, by: .local).count == 2)
        case .index, .retrieve: #expect(try await found("When does the kiln fire?").first == inputs[1])
        case .forget:
            try await memory.erase(made[0].id, owner: owner)
            #expect(try await !found("What grows on the hill?").contains(inputs[0]))
        case .compress:
            try await run(.maintain)
            var filter = CubeFilter(owner: owner, limit: 10)
            filter.tag = "hema/compact"
            #expect(try memory.store.list(filter, by: .local).count == 1)
        }
    }

    // MARK: Keys and values

    private static func keysAndValues(_ verb: MemoryVerb) async throws {
        let tests = AdapterServingTests()
        try await tests.withAdapters(disk: true) { model, engine, _ in
            let prompt = String(repeating: "The boat is blue. ", count: 12)
            var request = tests.request(model, prompt, nil)
            request.sources = ["memory"]
            let before = try await tests.answer(engine, request)
            #expect(before.cached == 0)
            switch verb {
            case .consolidate:
                let kept = try await engine.keep(model.tokens(of: prompt), sources: ["memory"])
                #expect((kept?.tokens ?? 0) > 100)
            case .index, .retrieve:
                let after = try await tests.answer(engine, request)
                #expect(after.cached > 100 && after.tokens == before.tokens)
            case .forget:
                try engine.erase(sources: ["memory"])
                #expect(try await tests.answer(engine, request).cached == 0)
            case .compress:
                request.kv = KVCompression(policy: "snapkv", budget: 96, type: .int8)
                #expect(try await !tests.answer(engine, request).tokens.isEmpty)
                #expect(engine.statistics.compressed == 1)
            case .update: Issue.record("it is refused")
            }
        }
    }

    // MARK: Adapters

    private static func adapter(_ verb: MemoryVerb) async throws {
        let tests = AdapterServingTests()
        try await tests.withAdapters { model, engine, store in
            let prompt = "Boat 1 is blue. Boat"
            func said(_ name: String?) async throws -> [Int32] {
                try await tests.answer(engine, tests.request(model, prompt, name)).tokens
            }
            switch verb {
            case .consolidate:
                try learn(model.path, into: store, as: "learned", replacing: false)
                #expect(try await !said("learned").isEmpty)
            case .update:
                let before = try store.folder("one").read(for: model.decoder.configuration)
                try learn(model.path, into: store, as: "one", replacing: true)
                #expect(try store.folder("one").read(for: model.decoder.configuration) != before)
            case .index: #expect(store.names() == ["one", "three", "two"])
            case .forget:
                try store.erase("two")
                #expect(store.names() == ["one", "three"])
            case .retrieve:
                let (with, without) = (try await said("one"), try await said(nil))
                #expect(with != without)
            case .compress: Issue.record("it is refused")
            }
        }
    }

    /// Two steps of training on what two memories say.
    private static func learn(_ path: String, into store: AdapterStore, as name: String, replacing: Bool) throws {
        var settings = TrainingSettings()
        settings.steps = 2
        let trainer = try AdapterTrainer(
            ModelSource(path: path), base: "tiny",
            examples: ["Boat 1 is blue.", "Boat 2 is green."].map { TrainingExample(prompt: "Boats?", completion: $0) },
            settings: settings, checkpoint: store.trainingFolder(name), pool: ThreadPool(threads: 1))
        while !trainer.isDone { try trainer.step() }
        try store.add(trainer.adapter, AdapterRecord(name: name, base: "tiny"), replacing: replacing)
    }
}
