import Foundation
import Mneme
import MnemeBase
import MnemeChat
import MnemeEngine
import MnemeKV
import MnemeModels
import MnemeStore
import MnemeTrain
import Testing

/// Promotion of memories to adapters by the job `promote`, and one memory in all three forms.
@Suite(.serialized) struct AdapterPromotionTests {
    private static let texts = ["Ana lives in Bergen.", "Bo plays the oboe.", "Cleo's dog is called Moppel."]

    /// Memories that were recalled once, and a promoter of the tiny model.
    private func withPromotion(_ body: (AdapterTrainingTests.Fixture, [MemCube]) async throws -> Void) async throws {
        try await AdapterTrainingTests().withFixture { f in
            let made = try await f.memory.remember(
                Self.texts.map { MemoryInput($0) }, scope: Scope(user: "ana"))
            for question in ["Where does Ana live?", "What does Bo play?", "What is Cleo's dog called?"] {
                _ = try await f.memory.recall(RecallRequest(question, owner: f.owner))
            }
            f.memory.attach(learner: AdapterLearner(f.model, named: f.model.path, in: f.adapters))
            try await body(f, f.memory.store.cubes(made.map(\.id), owner: f.owner, by: .local))
        }
    }

    /// Runs the job; what it came to, in words.
    private func promote(_ f: AdapterTrainingTests.Fixture, _ arguments: [String: String]) async throws -> String {
        var all = ["adapter": "facts", "uses": "1", "days": "0", "steps": "40"]
        all.merge(arguments) { $1 }
        let job = try await f.memory.enqueue(.promote, owner: f.owner, arguments: all)
        _ = try await JobRunner(f.memory).drain()
        return try f.memory.store.job(job.id, by: .local)?.message ?? ""
    }

    @Test func `one memory goes through text, keys and values and weights, and is erased in all three`()
        async throws
    {
        try await withPromotion { f, made in
            let id = made[0].id
            let files = try KVFolder(path: f.folder + "/kv")
            var limits = Engine.Limits()
            limits.kvBytes = 64 << 20
            let engine = try Engine(f.model, limits: limits, folder: files, adapters: f.adapters)
            defer { engine.close() }
            f.memory.attach(FolderMemory(files))
            f.memory.attach(EngineMemory(engine))
            // Keys and values.
            let prompt = String(repeating: made[0].text + " ", count: 8)
            let kept = try #require(
                try await engine.keep(f.model.tokens(of: prompt), sources: [id.description]))
            let reference = ActivationReference(
                block: kept.end.description, model: f.model.name, modelHash: kept.model.description,
                tokens: kept.tokens, bytes: kept.bytes, sources: [id.description])
            let computed = try await f.memory.keep(reference, text: "Where Ana lives", scope: Scope(user: "ana"))
            #expect(!files.entries().isEmpty)
            // Weights.
            let message = try await promote(f, ["gain": "0", "worse": "1000"])
            #expect(message.contains("facts learned 3 memories in 40 steps"), "\(message)")
            let record = try #require(try f.adapters.folder("facts").record())
            #expect(Set(record.memories) == Set(made.map(\.id.description)))
            #expect(record.training["probes"] == 3 && record.training["answerLoss"] != nil)
            #expect(!FileManager.default.fileExists(atPath: f.adapters.trainingFolder("facts")))
            let learned = try #require(try f.memory.adapters(of: f.owner).first)
            #expect(record.cube?.id == learned.id.description && learned.metadata["steps"] == "40")
            let history = try f.memory.store.history(learned.id, owner: f.owner, by: .local)
            #expect(history.first?.reason?.contains("perplexity elsewhere") == true)
            #expect(try await promote(f, ["gain": "0"]).contains("knows these 3 memories already"))
            var request = GenerationRequest(prompt: f.model.tokens(of: "Ana"))
            (request.adapter, request.maxTokens) = ("facts", 4)
            for try await _ in try engine.generate(request) {}

            let proof = try await f.memory.eraseWithProof(id, owner: f.owner)
            #expect(proof.findings.allSatisfy { $0.offsets.isEmpty }, "\(proof.findings)")
            #expect(try await f.memory.check(proof).problems == [])
            #expect(files.entries().isEmpty)
            #expect(try f.memory.store.cube(computed.id, owner: f.owner, asOf: nil, by: .local) == nil)
            let folder = try f.adapters.folder("facts").path
            let left = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(!left.contains { $0.hasSuffix(".safetensors") })
            let error = #expect(throws: AdapterError.self) { _ = try engine.generate(request) }
            #expect(error?.code == .unavailable)
            #expect(try f.memory.adapters(of: f.owner).first?.state == .archived)
            // Without it, learned anew by the same job.
            #expect(try await promote(f, ["gain": "0", "worse": "1000"]).contains("facts learned 2 memories"))
            #expect(try f.adapters.folder("facts").record()?.memories == made.dropFirst().map(\.id.description))
            #expect(try f.memory.adapters(of: f.owner).first?.id == learned.id)
            // The way back: the texts stay.
            try await f.memory.erase(learned.id, owner: f.owner)
            #expect(f.adapters.names() == [])
            #expect(try f.memory.store.cubes(made.map(\.id), owner: f.owner, by: .local).count == 2)
        }
    }

    @Test func `a form tells which layer knows each field, and what is behind it`() async throws {
        try await withPromotion { f, made in
            func fields() async throws -> [LayerProbes.Field] {
                // A model that has learned what Bo plays.
                try await LayerProbes(f.memory, of: f.owner).fields(of: made) {
                    (false, $0.isAnswered(by: "Bo plays the oboe."))
                }
            }
            let before = try await fields()
            #expect(before.map(\.memory) == made.map(\.id.description))
            #expect(before[0].profile == [made[0].id.description] && before[0].layer == .profile)
            #expect(before.allSatisfy { $0.log.contains($0.memory) && $0.layer != nil })
            #expect(before.map(\.adapter) == [false, true, false])
            // What is erased is in no layer but the weights.
            for cube in made.dropFirst() { try await f.memory.erase(cube.id, owner: f.owner) }
            let after = try await fields()
            #expect(after[1].profile == [] && after[1].log == [] && after[1].layer == .adapter)
            #expect(after[2].layer == nil)
        }
    }

    @Test func `a promotion ends within its minutes, also while the base writes`() async throws {
        try await withPromotion { f, _ in
            let start = ContinuousClock.now
            // Steps for hours; six seconds are a tenth of a minute.
            let message = try await promote(f, ["steps": "1000000", "minutes": "0.1", "gain": "0", "worse": "1000"])
            #expect(ContinuousClock.now - start < .seconds(60))
            #expect(message.contains("learned 3 memories in") || message.contains("was not kept"), "\(message)")
            #expect(!FileManager.default.fileExists(atPath: f.adapters.trainingFolder("facts")))
        }
    }

    @Test func `an adapter that brings too little is not kept`() async throws {
        try await withPromotion { f, _ in
            let message = try await promote(f, ["gain": "1", "steps": "4"])
            #expect(message.contains("facts was not kept: 3 memories in 4 steps"), "\(message)")
            #expect(try f.adapters.names() == [] && f.memory.adapters(of: f.owner) == [])
            #expect(!FileManager.default.fileExists(atPath: f.adapters.trainingFolder("facts")))
        }
    }

    @Test func `promotion to an adapter is asked for, and bounded`() async throws {
        try await withPromotion { f, _ in
            #expect(try await promote(f, ["dry": "true"]).contains("would learn 3 memories as facts"))
            #expect(
                try await promote(f, ["days": "1"]).contains("no memory is stable and used enough for facts"))
            #expect(
                try await promote(f, ["uses": "99"]).contains("no memory is stable and used enough for facts"))
            for bad in [["steps": "0"], ["gain": "2"], ["minutes": "x"], ["adapter": " "]] {
                await #expect(throws: InputError.self, "\(bad)") { _ = try await promote(f, bad) }
            }
            await #expect(throws: InputError.self) {
                _ = try await f.memory.enqueue(.promote, owner: f.owner, arguments: ["gain": "0.5"])
            }
            // An adapter that somebody trained is not touched.
            try f.train("facts", f.plan)
            let before = try f.read("facts")
            #expect(try await promote(f, ["gain": "0"]).contains("Choose another name"))
            #expect(try f.read("facts") == before)
        }
    }

    @Test func `a memory's probe is a question that its training leaves out`() async throws {
        try await withPromotion { _, made in
            for (cube, expected) in zip(made, ["Bergen", "oboe", "Moppel"]) {
                let probe = try #require(cube.probe)
                #expect(probe.expected.lowercased() == expected.lowercased())
                #expect(!probe.prompt.contains(expected))
                let all = cube.trainingExamples
                let learned = cube.examplesWithoutProbe
                #expect(all.contains { $0.prompt == probe.prompt && $0.completion == probe.completion })
                #expect(!learned.contains { $0.prompt == probe.prompt } && learned.count == all.count - 1)
            }
            var other = made[0]
            (other.claims, other.text) = ([], "Rain, and more of it.")
            #expect(other.probe == nil && other.examplesWithoutProbe.count == 1)
        }
    }
}
