public import Foundation
import MnemeBase

/// What a recipe's manager chooses by: a softmax over options, linear in what is known of each.
///
/// One form serves all trained recipes: a tier of search, the conversations that are searched, what becomes of a memory.
/// An option is a row of numbers, one for each of the policy's features; its chance is exp(weights · row) over the sum of
/// all. In use the likeliest option is taken, so that the same memories always have the same outcome.
///
/// ```json
/// {"manager": "budgetmem", "weights": {"low": 0.4, "low.words": -1.2, "high": -0.3}}
/// ```
public struct ManagerPolicy: Sendable, Equatable {
    /// The recipe whose manager it is.
    public let manager: String
    /// The names of features, in the order of rows.
    public let features: [String]
    /// A weight for each feature.
    public var weights: [Double]
    /// Memories of a bounded state, where the manager keeps one; nil takes the recipe's own bound.
    public var bound: Int?

    /// A policy that takes every option as likely as any other: all weights are zero.
    package init(manager: String, features: [String]) {
        (self.manager, self.features) = (manager, features)
        weights = [Double](repeating: 0, count: features.count)
    }

    /// The chance of each option.
    ///
    /// - Parameter options: rows of as many numbers as there are features; at least one row.
    /// - Complexity: O(options · features).
    package func chances(of options: [[Double]]) -> [Double] {
        let scores = options.map(score)
        let most = scores.max() ?? 0
        let raised = scores.map { exp($0 - most) }
        let sum = raised.reduce(0, +)
        return raised.map { $0 / sum }
    }

    /// The sum of a row's numbers, each times its weight.
    package func score(_ row: [Double]) -> Double { zip(weights, row).reduce(0) { $0 + $1.0 * $1.1 } }

    /// The likeliest option, the first of equals.
    package func best(of options: [[Double]]) -> Int {
        var best = (place: 0, score: -Double.infinity)
        for (place, row) in options.enumerated() {
            let score = score(row)
            if score > best.score { best = (place, score) }
        }
        return best.place
    }

    /// The gradient of log chance of one option by the weights: its row less the mean row.
    package func gradient(of choice: Int, among options: [[Double]]) -> [Double] {
        var gradient = options[choice]
        for (chance, row) in zip(chances(of: options), options) {
            for i in gradient.indices { gradient[i] -= chance * row[i] }
        }
        return gradient
    }
}

/// Files of policies: an object with `manager` and `weights` by feature; a feature that is left out weighs nothing.
extension ManagerPolicy {
    private struct File: Codable {
        var manager: String, weights: [String: Double], bound: Int?
    }

    /// Bytes of a file at most.
    private static let longest = 65_536

    /// True if a file is meant to be a policy: an object with a `manager`.
    public static func isPolicy(_ json: Data) -> Bool {
        ((try? JSONSerialization.jsonObject(with: json)) as? [String: Any])?["manager"] != nil
    }

    /// Reads a policy.
    ///
    /// - Parameter known: the features of a manager, by its name.
    /// - Throws: `InputError` that says what is wrong, and which features there are; what `known` throws.
    init(json: Data, known: (_ manager: String) throws -> [String]) throws {
        guard json.count <= Self.longest, let file = try? JSONDecoder().decode(File.self, from: json) else {
            throw InputError("A policy is a JSON object with a manager's name and weights as numbers by feature.")
        }
        self.init(manager: file.manager, features: try known(file.manager))
        guard file.bound ?? 1 > 0 else { throw InputError("A policy's bound is at least 1.") }
        bound = file.bound
        for (name, weight) in file.weights {
            guard let place = features.firstIndex(of: name), weight.isFinite, abs(weight) <= 1e6 else {
                throw InputError(
                    "'\(name)' is no feature of '\(manager)' with a weight: \(features.joined(separator: ", ")).")
            }
            self.weights[place] = weight
        }
    }

    /// The policy as a file, members in order.
    public var json: Data {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            return try encoder.encode(
                File(
                    manager: manager, weights: Dictionary(uniqueKeysWithValues: zip(features, weights)), bound: bound))
        }
    }

    /// The name of the recipe with these weights: the manager's, and a number that tells weights apart.
    public var name: String {
        let mixed = weights.reduce(UInt64(bound ?? 0)) { SplitMix64.mixed($0 ^ $1.bitPattern) }
        return manager + "-" + String(mixed % 0x100_0000 | 0x100_0000, radix: 16).dropFirst()
    }
}
