/// What becomes of the keys and values of a sequence that is put back or has ended, beyond what the
/// prefix cache keeps: copied to the machine's other memory and back, or computed again.
package protocol ContextSwitch: Sendable {
    /// Whether blocks are copied to the other memory.
    var copies: Bool { get }
    /// Whether steps of others go on meanwhile.
    var isAsynchronous: Bool { get }
    /// Whether copies stay when they are read, so that a block is written once, however often its
    /// sequence is put back, and for all turns of a conversation.
    var keepsCopies: Bool { get }
    /// Copies that are made of blocks which stand in so many pieces of memory.
    func calls(blocks: Int, pieces: Int) -> Int
}

/// Copies nothing: what the cache has lost is computed again, as the engine does.
package struct Recompute: ContextSwitch {
    package let copies = false, isAsynchronous = false, keepsCopies = false

    /// It has no settings.
    package init() {}

    package func calls(blocks: Int, pieces: Int) -> Int { 0 }
}

/// Copies block by block, and all wait (vLLM's swapping, Kwon et al. 2023).
package struct BlockSwap: ContextSwitch {
    package let copies = true, isAsynchronous = false, keepsCopies = false

    /// It has no settings.
    package init() {}

    package func calls(blocks: Int, pieces: Int) -> Int { blocks }
}

/// The ways to switch by name.
package enum ContextSwitchCatalog {
    /// Their names, as options take them.
    package static let names = ["recompute", "swap", "fastswitch"]

    /// The way of a name.
    ///
    /// - Throws: `EngineError` if there is none of that name.
    package static func named(_ name: String) throws -> any ContextSwitch {
        switch name {
        case "recompute": Recompute()
        case "swap": BlockSwap()
        case "fastswitch": FastSwitch()
        default:
            throw EngineError(
                .invalidRequest,
                "There is no switch '\(name.prefix(80))'. There are \(names.joined(separator: ", ")).")
        }
    }
}
