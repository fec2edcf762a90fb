/// Copies neighbouring blocks as one piece, while steps of others go on, and what the other memory
/// holds already not again (FastSwitch, Shen et al. 2024).
///
/// The allocator gives a sequence neighbours where it can, so that pieces are long. Copies stay valid
/// as blocks do not change once they are full: a sequence that is put back twice, or a conversation's
/// next turn, writes only what is new.
package struct FastSwitch: ContextSwitch {
    package let copies = true, isAsynchronous = true, keepsCopies = true

    /// It has no settings.
    package init() {}

    package func calls(blocks: Int, pieces: Int) -> Int { pieces }
}
