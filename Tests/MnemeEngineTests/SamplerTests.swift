import Foundation
import MnemeEngine
import MnemeModels
import Testing

/// How a token is chosen among scores, and what of a text is shown: values alone, without a model.
@Suite struct SamplerTests {
    @Test func `text that may begin a stop string is held back`() {
        var held = "abc EN"
        #expect(Engine.release(&held, stop: ["END"], all: false) == ("abc ", nil) && held == "EN")
        held += "D x"
        #expect(Engine.release(&held, stop: ["END"], all: false) == ("", "END"))
        held = "abc EN"
        #expect(Engine.release(&held, stop: ["END"], all: true) == ("abc EN", nil))
    }

    @Test func `filters leave what they should`() {
        var logits: [Float] = [0, 5, 4, 3, -2, 4.9]
        func samples(_ change: (inout SamplingParameters) -> Void) -> Set<Int32> {
            var parameters = SamplingParameters()
            parameters.temperature = 1
            parameters.seed = 7
            change(&parameters)
            var sampler = Sampler(parameters, prompt: [])
            return Set(
                (0..<400).map { _ in
                    var copy = logits
                    return copy.withUnsafeMutableBufferPointer { sampler.next($0) }
                })
        }
        #expect(samples { _ in } == [0, 1, 2, 3, 5] || samples { _ in } == [1, 2, 3, 5])
        #expect(samples { $0.topK = 2 } == [1, 5])
        #expect(samples { $0.topP = 0.4 } == [1])
        #expect(samples { $0.minP = 0.3 } == [1, 2, 5])
        #expect(samples { $0.temperature = 0 } == [1])
        #expect(samples { $0.logitBias = [4: 100] } == [4])
        #expect(
            samples {
                $0.temperature = 0
                $0.frequencyPenalty = 0.2
            }.count > 1)
        logits = [1, 1]
        #expect(samples { $0.temperature = 0 } == [0])
    }

    @Test func `only what the filters leave is sampled, from many tokens too`() {
        let logits = (0..<2000).map { Float(($0 * 7919) % 2000) / 200 }
        let order = logits.indices.sorted { logits[$0] > logits[$1] }
        let total = logits.reduce(0) { $0 + exp(Double($1) / 2) }
        func samples(_ change: (inout SamplingParameters) -> Void) -> [Int: Int] {
            var parameters = SamplingParameters()
            parameters.temperature = 2
            parameters.seed = 3
            change(&parameters)
            var sampler = Sampler(parameters, prompt: [])
            var counts: [Int: Int] = [:]
            for _ in 0..<3000 {
                var copy = logits
                counts[Int(copy.withUnsafeMutableBufferPointer { sampler.next($0) }), default: 0] +=
                    1
            }
            return counts
        }
        var sum = 0.0
        let nucleus = Set(
            order.prefix { token in
                defer { sum += exp(Double(logits[token]) / 2) }
                return sum < 0.6 * total
            })
        #expect(nucleus.isSuperset(of: samples { $0.topP = 0.6 }.keys))
        #expect(Set(order.prefix(700)).isSuperset(of: samples { $0.topK = 700 }.keys))
        #expect(
            samples { $0.minP = 0.5 }.keys.allSatisfy {
                Double(logits[$0]) >= 9.995 + 2 * log(0.5) - 1e-6
            })
        // The nucleus gets its share of the samples, however they are made.
        for change in [{ (_: inout SamplingParameters) in }, { $0.topP = 0.999_999 }] {
            let share =
                Double(samples(change).filter { nucleus.contains($0.key) }.values.reduce(0, +)) / 3000
            #expect(abs(share - 0.6) < 0.04)
        }
    }
}
