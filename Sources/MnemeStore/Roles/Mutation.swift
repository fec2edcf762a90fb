public import Foundation

/// A change to one cube.
public enum Mutation: Sendable {
    /// Records a new cube, unless the owner has one of the same `contentHash` that is in use: then
    /// that one is the result and nothing is written. `analysis` is the cube's index terms; `links`
    /// lead from it to cubes that may be gone by now.
    case add(MemCube, analysis: [UInt8], contentHash: [UInt8], links: [CubeLink] = [])
    /// Takes in a cube of another store under its own id, with the entries of its journal
    /// there, whose times and principals stay as they are. Refused
    /// if the id is not free, see ``CubeStore/availability(of:owner:by:)``. Nobody vouches for it here.
    case adopt(MemCube, history: [JournalEntry], analysis: [UInt8], contentHash: [UInt8])
    /// Replaces the cube of the same id by a next version; its vector is made anew. The cube
    /// carries the version that was read; if another change came first, the store refuses with a
    /// conflict.
    case update(MemCube, analysis: [UInt8], contentHash: [UInt8])
    /// Takes a cube out of recall; it can be restored.
    case archive(CubeID)
    /// As ``update(_:analysis:contentHash:)``, of a cube as it was at a former version.
    case rollback(MemCube, analysis: [UInt8], contentHash: [UInt8])
    /// Takes an archived, merged or frozen cube back into use.
    case restore(CubeID)
    /// Takes a cube out of recall, as another of the same request or store takes its place.
    case merge(CubeID, into: CubeID)
    /// Lets nobody change a cube until it is restored.
    case freeze(CubeID)
    /// Keeps a cube out of recall until it is released.
    case quarantine(CubeID)
    /// Lets a quarantined cube into recall, on the caller's word.
    case release(CubeID)
    /// Says since when a cube does not hold.
    case invalidate(CubeID, at: Date)
    /// Says that a cube is right.
    case confirm(CubeID)
    /// Puts a cube into a tier, and into the topic that another began.
    case move(CubeID, to: MemoryTier, topic: CubeID?)
    /// Removes a cube and every trace of its text, for good.
    case erase(CubeID)
    /// Adds a link between two cubes; one that is there already stays as it is.
    case link(CubeLink)
    /// Removes a link; refused if there is none.
    case unlink(CubeLink)
}

extension Mutation {
    /// Permissions that it takes. Who changes a memory is handed it, so that write alone is enough
    /// for new ones only.
    var permissions: Set<Permission> {
        switch self {
        // Whoever vouches for a text lets it reach others.
        case .add(let cube, _, _, _): cube.vouchedBy == nil ? [.write] : [.write, .share]
        case .adopt: [.write]
        case .release: [.read, .write, .share]
        case .update, .rollback, .archive, .restore, .merge, .freeze, .quarantine, .invalidate,
            .confirm, .move, .link,
            .unlink:
            [.read, .write]
        case .erase: [.erase]
        }
    }

    /// True if there is one cube more afterwards.
    var isAddition: Bool {
        switch self {
        case .add, .adopt: true
        default: false
        }
    }
}

/// One caller's changes, applied all or not at all.
public struct WriteRequest: Sendable {
    /// Changes, in order.
    public var mutations: [Mutation]
    /// Whose memories are changed; no other can be.
    public var owner: Owner
    /// The caller: who asks, and why.
    public var caller: Caller
    /// A repeated request with this key and owner changes nothing and returns what the first
    /// returned.
    public var idempotencyKey: String?

    /// A request; a key makes a repeated one change nothing.
    public init(
        _ mutations: [Mutation], owner: Owner, by caller: Caller, idempotencyKey: String? = nil
    ) {
        self.mutations = mutations
        self.owner = owner
        self.caller = caller
        self.idempotencyKey = idempotencyKey
    }
}
