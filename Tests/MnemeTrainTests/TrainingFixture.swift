import Foundation
import MnemeFormats
import MnemeModels
import MnemeNumerics
import MnemeTrain
import Testing

/// The tiny Llama of `scripts/make_golden_train.py`, its adapter, and what torch and peft make of it.
enum TrainingFixture {
    struct Golden: Decodable {
        struct Sequence: Decodable {
            var tokens: [Int32]
            var prompt: Int
        }
        var sequences: [Sequence]
        var norm: Double
        var losses: [Double]
        var last: Double
    }

    static var shape: AdapterShape {
        var shape = AdapterShape()
        (shape.rank, shape.alpha) = (4, 8)
        return shape
    }

    /// A file in `Golden`, where `scripts/make_golden_train.py` writes.
    static func path(_ name: String) -> String {
        let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        return here.appendingPathComponent("Golden").appendingPathComponent(name).path
    }

    /// What a script wrote into a folder of `Golden`; that of the low-rank adapter if none is named.
    static func golden(_ folder: String = ".") throws -> Golden {
        try JSONDecoder().decode(
            Golden.self, from: Data(contentsOf: URL(fileURLWithPath: path("\(folder)/golden.json"))))
    }

    static func batch(_ folder: String = ".") throws -> TrainingBatch {
        var batch = TrainingBatch()
        for sequence in try golden(folder).sequences {
            batch.add(sequence.tokens, promptTokens: sequence.prompt)
        }
        return batch
    }

    /// Computes a model's loss and gradient of a folder's batch, and expects its loss and the gradient's length.
    static func expectLoss(_ model: AdapterModel, _ folder: String = ".") throws {
        let (golden, batch) = (try golden(folder), try batch(folder))
        let count = batch.targetCount
        let loss = model.addGradient(batch, weight: 1 / Float(count)) / Double(count)
        #expect(abs(loss - golden.losses[0]) < 2e-5)
        #expect(abs(model.loss(batch) / Double(count) - golden.losses[0]) < 2e-5)
        #expect(abs(model.parameters.gradientNorm - golden.norm) < 1e-4)
    }

    /// Makes ten steps of AdamW, and expects the losses that a folder has.
    static func expectSteps(_ model: AdapterModel, _ folder: String = ".") throws {
        let (golden, batch) = (try golden(folder), try batch(folder))
        let count = batch.targetCount
        var optimizer = AdamW(count: model.parameterCount)
        for expected in golden.losses {
            model.parameters.clearGradients()
            let loss = model.addGradient(batch, weight: 1 / Float(count)) / Double(count)
            #expect(abs(loss - expected) < 1e-4)
            optimizer.step(
                model.parameters.values.pointer, gradients: model.parameters.gradients.pointer,
                scale: Float(min(1, 1 / (model.parameters.gradientNorm + 1e-6))), rate: 5e-3, decay: 0.01)
        }
        #expect(abs(model.loss(batch) / Double(count) - golden.last) < 1e-4)
    }

    /// The model with the golden adapter.
    static func model(
        threads: Int = 1, precision: TrainingPrecision = .f32,
        features: ProcessorFeatures = .current, savedTensors: String = "checkpoint"
    ) throws -> AdapterModel {
        let model = try AdapterModel(
            ModelSource(path: path("tiny")), shape: shape, batchTokens: 100, keptTokens: 60, seed: 1,
            pool: ThreadPool(threads: threads), precision: precision, features: features,
            strategies: strategies(savedTensors))
        let values = try factors("adapter.safetensors", model)
        for i in values.indices { model.parameters.values.pointer[i] = values[i] }
        return model
    }

    /// Strategies by the names that commands use.
    static func strategies(
        _ savedTensors: String, route: String = "backprop", placement: BasePlacement = .mapped
    ) throws -> TrainingStrategies {
        var strategies = TrainingStrategies()
        strategies.savedTensors = try SavedTensors(savedTensors)
        strategies.route = try LearningRoute(route)
        strategies.placement = placement
        return strategies
    }

    /// Factors in one of the golden files, in the order of the parameters.
    static func factors(_ name: String, _ model: AdapterModel) throws -> [Float] {
        let file = try SafetensorsFile(path: path(name))
        var all = [Float](repeating: 0, count: model.parameterCount)
        for slot in model.parameters.slots {
            let module = "base_model.model.model.layers.\(slot.layer).\(slot.linear.peftPath)"
            let a = try file.floats(
                module + ".lora_A.weight", shape: [slot.rank, slot.inputs]
            ).array
            let b = try file.floats(
                module + ".lora_B.weight", shape: [slot.outputs, slot.rank]
            ).array
            all.replaceSubrange(slot.a..<slot.a + a.count, with: a)
            if let lengths = slot.magnitudes {
                all.replaceSubrange(
                    lengths..<lengths + slot.outputs,
                    with: try file.floats(module + ".lora_magnitude_vector", shape: [slot.outputs]).array)
            }
            for o in 0..<slot.outputs {
                for r in 0..<slot.rank {
                    all[slot.b + r * slot.outputs + o] = b[o * slot.rank + r]
                }
            }
        }
        return all
    }

    static func gradients(_ model: AdapterModel) -> [Float] {
        Array(
            UnsafeBufferPointer(
                start: model.parameters.gradients.pointer, count: model.parameterCount))
    }

    static func values(_ model: AdapterModel) -> [Float] {
        Array(
            UnsafeBufferPointer(
                start: model.parameters.values.pointer, count: model.parameterCount))
    }

    /// The length of the difference, by that of the second.
    static func distance(_ a: [Float], _ b: [Float]) -> Double {
        var (difference, length) = (0.0, 0.0)
        for (x, y) in zip(a, b) {
            difference += Double(x - y) * Double(x - y)
            length += Double(y) * Double(y)
        }
        return (difference / length).squareRoot()
    }

    /// Calls `body` with a folder that is gone afterwards.
    static func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
        let folder = NSTemporaryDirectory() + "mneme-train-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try body(folder)
    }

    /// The tiny Llama with a tokenizer of characters: for trainings from text.
    static func writeModel(_ folder: String) throws -> ModelSource {
        let to = folder + "/tiny"
        try FileManager.default.copyItem(atPath: path("tiny"), toPath: to)
        let marks = ["<|im_start|>", "<|im_end|>"]
        let tokens =
            ["Ċ", "Ġ"] + (33...126).map { String(Character(Unicode.Scalar(UInt8($0)))) } + marks
        let ids = Dictionary(uniqueKeysWithValues: tokens.enumerated().map { ($1, $0) })
        let tokenizer: [String: Any] = [
            "model": ["type": "BPE", "vocab": ids, "merges": [String]()] as [String: Any],
            "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false] as [String: Any],
            "added_tokens": marks.map {
                ["id": ids[$0] ?? 0, "content": $0, "special": true] as [String: Any]
            },
        ]
        let template =
            "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}{{ '<|im_start|>assistant\\n' }}"
        for (name, value) in [
            "tokenizer": tokenizer,
            "tokenizer_config": ["eos_token": "<|im_end|>", "chat_template": template],
        ] {
            try JSONSerialization.data(withJSONObject: value)
                .write(to: URL(fileURLWithPath: "\(to)/\(name).json"))
        }
        return try ModelSource(path: to)
    }
}
