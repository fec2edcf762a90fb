import Foundation
import MnemeCube

/// An attempt at a task that a memory tells of: what was asked, the steps that were taken, and what that was worth.
///
/// Read from the metadata `task`, `approach` and `value` (0 to 1), which the cases of `mneme learn` have, and which
/// whoever records an agent's work may write. Memories without them are no traces, and recipes treat them as before.
struct Trace: Sendable {
    /// The memory.
    var cube: MemCube
    /// Words of the task that may tell what it takes, in lower case.
    var words: Set<String>
    /// Steps of the approach, parted by commas or "then", in lower case.
    var steps: [String]
    /// What it was worth, 0 to 1.
    var value: Double

    /// From this value on an attempt counts as one that went well.
    static let goodValue = 0.5
    /// Letters of a word at least.
    private static let leastLetters = 3

    /// The trace that a memory tells; nil if it tells none.
    init?(_ cube: MemCube) {
        guard let task = cube.metadata["task"], let approach = cube.metadata["approach"],
            let value = cube.metadata["value"].flatMap(Double.init)
        else { return nil }
        self.cube = cube
        self.value = value
        words = Set(Self.words(of: task))
        steps = approach.lowercased().replacing(" then ", with: ",").split(separator: ",").map {
            $0.trimmingCharacters(in: .whitespaces)
        }.filter { !$0.isEmpty }
        guard !words.isEmpty, !steps.isEmpty else { return nil }
    }

    /// Words of a text that are long enough to tell something, in lower case.
    static func words(of text: String) -> [String] {
        text.lowercased().split { !$0.isLetter && !$0.isNumber }.filter { $0.count >= leastLetters }.map(String.init)
    }

    /// Traces that went well among memories that no recipe made, in their order.
    static func good(in memories: [MemCube]) -> [Trace] {
        memories.filter { $0.provenance.source != Provenance.recipe }.compactMap(Trace.init).filter {
            $0.value >= goodValue
        }
    }

    /// The share of words that two tasks have in common: the cosine of their sets, 0 to 1.
    func similarity(to other: Trace) -> Double {
        Double(words.intersection(other.words).count)
            / (Double(words.count) * Double(other.words.count)).squareRoot()
    }
}
