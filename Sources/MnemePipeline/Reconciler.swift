public import Foundation
public import MnemeCube

/// The second stage: decides what becomes of a draft, given the memories that are like it.
///
/// The core finds the neighbours that the caller may see, and applies the operations in one
/// transaction.
public protocol Reconciler: Sendable {
    /// Operations that take a draft in: usually one that adds it.
    ///
    /// - Parameters:
    ///   - draft: the new memory.
    ///   - neighbours: memories in use that share the draft's rarest words, the oldest first.
    ///   - time: of the recording.
    func operations(for draft: MemCube, among neighbours: [Neighbour], at time: Date)
        -> [MemoryOperation]
}

/// A stored memory that is like a draft.
public struct Neighbour: Sendable, Equatable {
    /// The memory's id.
    public var id: CubeID
    /// Shared words over all words, with repetition: 1 for the same words.
    public var similarity: Double

    /// A memory and how much it is like the draft.
    public init(_ id: CubeID, similarity: Double) {
        self.id = id
        self.similarity = similarity
    }
}

extension CubeLink {
    /// The source says nearly the same as the target, which was there before.
    public static let nearDuplicateOf = "nearDuplicateOf"
}
