import Foundation

/// Lets neighbouring layers of the model's second half share the directions of their keys and values, each with
/// lengths of its own (MiniCache, Liu et al. 2024): there, layers hold much the same.
///
/// A row's direction is halfway between those of both layers on the sphere (spherical interpolation). The rows
/// whose keys differ most stay as they are. No row is evicted. In memory each layer has its rows whole: what
/// sharing saves is counted alone.
public struct MiniCache: Sendable {
    /// The first layer that is merged with the next, in share of all layers.
    public var start: Double
    /// The share of rows that stay as they are.
    public var retained: Double

    /// By default from the middle on, and 5 % of the rows stay.
    public init(start: Double = 0.5, retained: Double = 0.05) { (self.start, self.retained) = (start, retained) }

    /// The layer that a layer is merged with later, if it is the lower of two.
    func upper(of layer: Int, layers: Int) -> Int? {
        let first = Int(start * Double(layers))
        return layer >= first && (layer - first).isMultiple(of: 2) && layer + 1 < layers ? layer + 1 : nil
    }

    /// Two vectors with one direction, halfway between theirs, and their own lengths; and the angle that there
    /// was between them.
    ///
    /// Vectors that point opposite ways have no direction in common, and stay.
    public static func merged(_ a: [Float], _ b: [Float]) -> (lower: [Float], upper: [Float], angle: Float) {
        func length(_ x: [Float]) -> Float { x.reduce(0) { $0 + $1 * $1 }.squareRoot() }
        let (lower, upper) = (length(a), length(b))
        guard lower > 0, upper > 0 else { return (a, b, 0) }
        let cosine = zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } / (lower * upper)
        let angle = acos(min(1, max(-1, cosine)))
        let sum = zip(a, b).map { $0 / lower + $1 / upper }
        let size = length(sum)
        guard size > 1e-3 else { return (a, b, angle) }
        return (sum.map { $0 / size * lower }, sum.map { $0 / size * upper }, angle)
    }
}
