import Foundation
import MnemeBase
import MnemeFormats
import MnemeModels
import MnemeNumerics
import MnemeTrain
import Testing

/// Rows' lengths learned beside low-rank terms, against peft: `scripts/make_golden_dora.py`.
@Suite struct DoRATests {
    enum Family: String, CaseIterable {
        case llama, qwen2
        /// The folder of the base.
        var base: String { self == .llama ? "tiny" : "dora-qwen2/tiny" }
        var rank: Int { self == .llama ? 4 : 3 }

        /// The folder of what peft makes of it.
        var folder: String { "dora-\(rawValue)" }
        var batch: TrainingBatch { get throws { try TrainingFixture.batch(folder) } }

        /// The base with a new adapter.
        func fresh(
            threads: Int = 1, precision: TrainingPrecision = .f32, savedTensors: String = "checkpoint",
            placement: BasePlacement = .mapped
        ) throws -> AdapterModel {
            var shape = AdapterShape()
            (shape.rank, shape.alpha, shape.learnsMagnitudes) = (rank, Double(2 * rank), true)
            return try AdapterModel(
                ModelSource(path: TrainingFixture.path(base)), shape: shape, batchTokens: 100, seed: 1,
                pool: ThreadPool(threads: threads), precision: precision,
                strategies: TrainingFixture.strategies(savedTensors, placement: placement))
        }

        /// The same with the golden adapter.
        func model(
            threads: Int = 1, precision: TrainingPrecision = .f32, savedTensors: String = "checkpoint",
            placement: BasePlacement = .mapped
        ) throws -> AdapterModel {
            let model = try fresh(
                threads: threads, precision: precision, savedTensors: savedTensors, placement: placement)
            for (i, value) in try values("adapter", model).enumerated() {
                model.parameters.values.pointer[i] = value
            }
            return model
        }

        func values(_ name: String, _ model: AdapterModel) throws -> [Float] {
            try TrainingFixture.factors("\(folder)/\(name).safetensors", model)
        }
    }

    @Test(arguments: Family.allCases)
    func `loss and gradients of factors and lengths are those of torch and peft`(family: Family) throws {
        let model = try family.model()
        try TrainingFixture.expectLoss(model, family.folder)
        let expected = try family.values("gradients", model)
        let found = TrainingFixture.gradients(model)
        for slot in model.parameters.slots {
            let lengths = try #require(slot.magnitudes)
            for range in [
                slot.a..<slot.a + slot.rank * slot.inputs, slot.b..<slot.b + slot.rank * slot.outputs,
                lengths..<lengths + slot.outputs,
            ] {
                let distance = TrainingFixture.distance(Array(found[range]), Array(expected[range]))
                #expect(distance < 2e-5, "\(slot.linear) of layer \(slot.layer), \(range)")
            }
        }
    }

    @Test(arguments: Family.allCases)
    func `ten steps of AdamW give the losses and values of torch and peft`(family: Family) throws {
        let model = try family.model()
        try TrainingFixture.expectSteps(model, family.folder)
        let trained = try family.values("trained", model)
        #expect(TrainingFixture.distance(TrainingFixture.values(model), trained) < 1e-3)
    }

    @Test(arguments: Family.allCases)
    func `a new adapter has the base's lengths and changes nothing`(family: Family) throws {
        let (batch, model) = (try family.batch, try family.fresh())
        let with = model.loss(batch)
        // Without lengths, zeros of B make the same.
        var shape = AdapterShape()
        shape.rank = family.rank
        let plain = try AdapterModel(
            ModelSource(path: TrainingFixture.path(family.base)), shape: shape, batchTokens: 100, seed: 1,
            pool: ThreadPool(threads: 1), precision: .f32)
        #expect(abs(with - plain.loss(batch)) < 1e-3)
        #expect(model.parameterCount > plain.parameterCount)
    }

    @Test func `gradients are the same bits on more threads, and however tensors are kept`() throws {
        let batch = try Family.qwen2.batch
        func gradients(_ model: AdapterModel) -> [Float] {
            _ = model.addGradient(batch, weight: 0.1)
            return TrainingFixture.gradients(model)
        }
        let one = gradients(try Family.qwen2.model())
        #expect(gradients(try Family.qwen2.model(threads: 3)) == one)
        for saved in ["none", "tokenswap:0.5"] {
            #expect(gradients(try Family.qwen2.model(savedTensors: saved)) == one, "\(saved)")
        }
        #expect(gradients(try Family.qwen2.model(placement: .streamed)) == one)
        // Sampled inputs are no inputs that lengths can be learned from.
        let error = #expect(throws: TrainingError.self) { _ = try Family.qwen2.fresh(savedTensors: "wtacrs:0.5") }
        #expect(error?.code == .invalidSetting)
    }

    @Test func `what is learned becomes an adapter of PEFT's kind and comes back`() throws {
        let model = try Family.llama.model()
        let before = TrainingFixture.values(model)
        let adapter = model.parameters.adapter(model.shape, model.configuration)
        #expect(adapter.hasMagnitudes && adapter.parameters == model.parameterCount)
        let read = try TrainingFixture.withFolder { folder -> Adapter in
            try AdapterFolder(path: folder + "/out").export(adapter, base: "tiny")
            let file = try SafetensorsFile(path: folder + "/out/adapter_model.safetensors")
            #expect(
                Set(file.tensors.keys)
                    == Set(
                        try SafetensorsFile(path: TrainingFixture.path("dora-llama/adapter.safetensors")).tensors.keys))
            return try AdapterFolder(path: folder + "/out").read(for: model.configuration)
        }
        #expect(read == adapter)
        for i in before.indices { model.parameters.values.pointer[i] = 0 }
        try model.parameters.load(read, model.configuration)
        #expect(TrainingFixture.values(model) == before)
    }

    @Test(arguments: OptimizerKind.allCases)
    func `each optimizer lowers the loss with lengths`(kind: OptimizerKind) throws {
        let (batch, model) = (try Family.qwen2.batch, try Family.qwen2.model())
        let before = model.loss(batch)
        var optimizer = kind.make(model.parameters.matrices)
        for _ in 0..<8 {
            model.parameters.clearGradients()
            _ = model.addGradient(batch, weight: 1 / Float(batch.targetCount))
            optimizer.step(
                model.parameters.values.pointer, gradients: model.parameters.gradients.pointer,
                scale: Float(min(1, 1 / model.parameters.gradientNorm)), rate: 2e-3, decay: 0)
        }
        #expect(model.loss(batch) < before)
    }
}
