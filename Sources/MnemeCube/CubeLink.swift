public import Foundation

/// A typed, directed relation between two cubes.
public struct CubeLink: Hashable, Sendable, Codable {
    /// The kind of a derivation edge: the source was made of the target.
    public static let derivedFrom = "derivedFrom"
    /// From a memory to one that does not hold any more since.
    public static let supersedes = "supersedes"
    /// From a memory to one that said the same.
    public static let consolidates = "consolidates"
    /// From a memory to one that was wrong.
    public static let corrects = "corrects"

    /// The cube that it starts from.
    public var source: CubeID
    /// The cube that it leads to.
    public var target: CubeID
    /// Such as `nearDuplicateOf`, `derivedFrom`, `related`.
    public var kind: String
    /// The time at which it was made.
    public var time: Date

    /// A link.
    public init(source: CubeID, target: CubeID, kind: String, time: Date) {
        self.source = source
        self.target = target
        self.kind = kind
        self.time = time
    }
}
