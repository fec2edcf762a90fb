public import Foundation
public import MnemeCube

/// One change of memories that a ``Reconciler`` or a ``MemoryMaintainer`` asks for.
///
/// The core redacts and screens what is written, checks access, and applies the change in a
/// transaction with its journal entry. What is not here no recipe can do: erase, release from
/// quarantine, import.
public enum MemoryOperation: Sendable {
    /// Records a memory, with links from it to others.
    case add(MemCube, links: [CubeLink])
    /// Changes the text, type, tags, metadata and priority of a memory; the rest stays as it is.
    case update(MemCube)
    /// Takes a memory out of recall; it can be restored.
    case archive(CubeID)
    /// Takes a memory out of recall, as another one takes its place.
    case merge(CubeID, into: CubeID)
    /// Says since when a memory does not hold.
    case invalidate(CubeID, at: Date)
    /// Says that a memory is right.
    case confirm(CubeID)
    /// Connects two memories.
    case link(CubeLink)
    /// Takes a connection away.
    case unlink(CubeLink)
}
