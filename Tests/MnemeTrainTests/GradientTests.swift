import CMnemeKernels
import Foundation
import MnemeBase
import MnemeModels
import MnemeNumerics
import MnemeTrain
import Testing

@Suite struct GradientTests {
    @Test func `loss and gradients of all factors are those of torch and peft`() throws {
        let model = try TrainingFixture.model()
        try TrainingFixture.expectLoss(model)
        let expected = try TrainingFixture.factors("gradients.safetensors", model)
        let found = TrainingFixture.gradients(model)
        for slot in model.parameters.slots {
            for range in [
                slot.a..<slot.a + slot.rank * slot.inputs,
                slot.b..<slot.b + slot.rank * slot.outputs,
            ] {
                let distance = TrainingFixture.distance(
                    Array(found[range]), Array(expected[range]))
                #expect(distance < 1e-5, "\(slot.linear) of layer \(slot.layer)")
            }
        }
    }

    @Test func `ten steps of AdamW give the losses and factors of torch and peft`() throws {
        let model = try TrainingFixture.model()
        try TrainingFixture.expectSteps(model)
        let trained = try TrainingFixture.factors("trained.safetensors", model)
        #expect(TrainingFixture.distance(TrainingFixture.values(model), trained) < 1e-3)
    }

    @Test func `gradients are the same bits on any number of threads and any path of floats`()
        throws
    {
        let batch = try TrainingFixture.batch()
        func gradients(_ threads: Int, _ features: ProcessorFeatures) throws -> [Float] {
            let model = try TrainingFixture.model(threads: threads, features: features)
            _ = model.addGradient(batch, weight: 0.1)
            return TrainingFixture.gradients(model)
        }
        let one = try gradients(1, .current)
        #expect(try gradients(3, .current) == one)
        for (name, features) in ProcessorFeatures.machinePaths {
            #expect(try gradients(2, features) == one, "\(name)")
        }
    }

    @Test(.enabled(if: ProcessorFeatures.current.contains(.amxBF16)))
    func `bfloat16 gives gradients within two percent, the same bits on any number of threads`()
        throws
    {
        let batch = try TrainingFixture.batch()
        func run(_ threads: Int) throws -> (loss: Double, gradients: [Float], model: AdapterModel) {
            let model = try TrainingFixture.model(threads: threads, precision: .bf16)
            let loss = model.addGradient(batch, weight: 1 / Float(batch.targetCount))
            return (
                loss / Double(batch.targetCount), TrainingFixture.gradients(model), model
            )
        }
        let one = try run(1)
        let two = try run(2)
        #expect(one.gradients == two.gradients && one.loss == two.loss)
        let expected = try TrainingFixture.factors("gradients.safetensors", one.model)
        #expect(TrainingFixture.distance(one.gradients, expected) < 0.02)
        #expect(abs(one.loss - (try TrainingFixture.golden().losses[0])) < 0.01)
    }

    @Test func `what is learned becomes an adapter and comes back`() throws {
        let model = try TrainingFixture.model()
        let before = TrainingFixture.values(model)
        let adapter = model.parameters.adapter(TrainingFixture.shape, model.configuration)
        try adapter.check(model.configuration)
        for i in before.indices { model.parameters.values.pointer[i] = 0 }
        try model.parameters.load(adapter, model.configuration)
        #expect(TrainingFixture.values(model) == before)
    }
}

/// Central differences of a function at `x`, against the gradient that is claimed of the sum of
/// `weights`·output.
private func expectGradient(
    _ claimed: [Float], at x: [Float], weights: [Float], step: Float = 1e-2,
    _ function: ([Float]) -> [Float]
) {
    for i in x.indices {
        var (up, down) = (x, x)
        up[i] += step
        down[i] -= step
        let difference = zip(zip(function(up), function(down)), weights).reduce(0.0) {
            $0 + (Double($1.0.0) - Double($1.0.1)) * Double($1.1)
        }
        let numeric = difference / Double(up[i] - down[i])
        #expect(
            abs(numeric - Double(claimed[i])) < 2e-3 * max(1, abs(numeric)), "element \(i)")
    }
}

@Suite struct FiniteDifferenceTests {
    private let features = ProcessorFeatures.current.rawValue

    private func random(_ count: Int, _ seed: UInt64) -> [Float] {
        var generator = SplitMix64(seed: seed)
        return (0..<count).map { _ in Float(2 * generator.unit() - 1) }
    }

    @Test func `the gradient of RMS norm is that of differences`() {
        let n = 32
        let x = random(2 * n, 1)
        let weight = random(n, 2)
        let dy = random(2 * n, 3)
        var dx = [Float](repeating: 0, count: 2 * n)
        mnk_rms_norm_backward(features, x, weight, 1e-5, 2, n, dy, &dx)
        expectGradient(dx, at: x, weights: dy) { x in
            var y = [Float](repeating: 0, count: 2 * n)
            mnk_rms_norm(features, x, weight, 1e-5, 2, n, 0, &y)
            return y
        }
    }

    @Test func `the gradients of SwiGLU are those of differences`() {
        let n = 48
        let gate = random(n, 4).map { 3 * $0 }
        let up = random(n, 5)
        let dy = random(n, 6)
        var (dgate, dup) = (dy, dy)
        mnk_swiglu_backward(features, gate, up, dy, n, &dgate, &dup)
        func forward(_ gate: [Float], _ up: [Float]) -> [Float] {
            var y = gate
            mnk_swiglu(features, gate, up, n, &y)
            return y
        }
        expectGradient(dgate, at: gate, weights: dy) { forward($0, up) }
        expectGradient(dup, at: up, weights: dy) { forward(gate, $0) }
    }

    @Test func `the gradient of cross-entropy is that of differences, in chunks of any size`() {
        let n = 37
        let x = random(n, 7).map { 4 * $0 }
        let target = 20
        func loss(_ x: [Float]) -> Float {
            var state = mnk_softmax_state(highest: -.infinity, sum: 0)
            for start in stride(from: 0, to: n, by: 17) {
                let part = Array(x[start..<min(n, start + 17)])
                mnk_softmax_add(features, part, part.count, &state)
            }
            return state.highest + logf(state.sum) - x[target]
        }
        var gradient = x
        mnk_softmax_gradient(features, &gradient, n, loss(x) + x[target], 1)
        gradient[target] -= 1
        expectGradient(gradient, at: x, weights: [1]) { [loss($0)] }
    }

    @Test func `the gradient of layer norm is that of differences`() {
        let n = 32
        let x = random(2 * n, 12)
        let (gamma, beta) = (random(n, 13), random(n, 14))
        let dy = random(2 * n, 15)
        var dx = dy
        mnk_layer_norm_backward(features, x, gamma, 1e-5, 2, n, dy, &dx)
        expectGradient(dx, at: x, weights: dy) { x in
            var y = [Float](repeating: 0, count: 2 * n)
            mnk_layer_norm(features, x, gamma, beta, 1e-5, 2, n, &y)
            return y
        }
    }

    @Test func `the gradient of GELU is that of differences`() {
        let n = 48
        let x = random(n, 16).map { 4 * $0 }
        let dy = random(n, 17)
        var dx = dy
        mnk_gelu_backward(features, x, dy, n, &dx)
        expectGradient(dx, at: x, weights: dy) { x in
            var y = x
            mnk_gelu(features, x, n, &y)
            return y
        }
        var y = x
        mnk_gelu(features, x, n, &y)
        for (x, y) in zip(x, y) { #expect(abs(y - x * 0.5 * (1 + erff(x * Float(0.5).squareRoot()))) < 1e-6) }
    }

    @Test(arguments: [1, 16, 37, 65], [false, true])
    func `the gradients of attention are those of differences`(tokens: Int, isBidirectional: Bool) {
        let dim = 16
        let n = tokens * dim
        let q = random(n, 8)
        let k = random(n, 9)
        let v = random(n, 10)
        let dout = random(n, 11)
        var scratch = [Float](repeating: 0, count: mnk_training_scratch(tokens, dim))
        func run(
            _ q: [Float], _ k: [Float], _ v: [Float],
            backward: (inout mnk_training_attention) -> Void = { _ in }
        ) -> [Float] {
            var (out, lse) = ([Float](repeating: 0, count: n), [Float](repeating: 0, count: tokens))
            q.withUnsafeBufferPointer { q in
                k.withUnsafeBufferPointer { k in
                    v.withUnsafeBufferPointer { v in
                        out.withUnsafeMutableBufferPointer { out in
                            lse.withUnsafeMutableBufferPointer { lse in
                                var a = mnk_training_attention(
                                    q: q.baseAddress, ldq: dim, k: k.baseAddress,
                                    v: v.baseAddress, ldk: dim, tokens: tokens, dim: dim,
                                    scale: 0.5, out: out.baseAddress, ldo: dim,
                                    lse: lse.baseAddress, bidirectional: isBidirectional ? 1 : 0, keys: 0,
                                    delta: nil, adds: 0)
                                mnk_training_attend(features, &a, &scratch)
                                backward(&a)
                            }
                        }
                    }
                }
            }
            return out
        }
        var (dq, dk, dv) = (q, k, v)
        _ = run(q, k, v) {
            mnk_training_attend_backward(features, &$0, dout, &dq, &dk, &dv, dim, &scratch)
        }
        // A few elements of long ones: each difference is a whole pass.
        let some = stride(from: 0, to: n, by: max(1, n / 40))
        for (claimed, at, of) in [
            (dq, q, { run($0, k, v) }), (dk, k, { run(q, $0, v) }), (dv, v, { run(q, k, $0) }),
        ] as [([Float], [Float], ([Float]) -> [Float])] {
            for i in some {
                var (up, down) = (at, at)
                up[i] += 1e-2
                down[i] -= 1e-2
                let difference = zip(zip(of(up), of(down)), dout).reduce(0.0) {
                    $0 + (Double($1.0.0) - Double($1.0.1)) * Double($1.1)
                }
                let numeric = difference / Double(up[i] - down[i])
                #expect(abs(numeric - Double(claimed[i])) < 2e-3 * max(1, abs(numeric)))
            }
        }
    }
}
