/// Keys and values of which a few heads are in memory at a time: a step's attention asks for one
/// group of heads after the other, layer by layer, and says when it is done with each (HeadInfer,
/// Luo et al. 2025).
package final class KVHeadGroups: @unchecked Sendable {
    /// Key-value heads of a group; the last of a layer may have fewer.
    package let size: Int
    private let bring: (_ layer: Int, _ group: Int) -> Void
    private let release: (_ layer: Int, _ group: Int) -> Void

    /// - Parameters:
    ///   - size: heads of a group.
    ///   - bring: returns once the rows of a group are where ``KVView/heads`` says. Called by one
    ///     thread, in order.
    ///   - release: called when a group's new rows are written, and nobody reads it any more.
    package init(
        size: Int, bring: @escaping (Int, Int) -> Void, release: @escaping (Int, Int) -> Void
    ) {
        (self.size, self.bring, self.release) = (size, bring, release)
    }

    func bring(_ group: Int, of layer: Int) { bring(layer, group) }
    func release(_ group: Int, of layer: Int) { release(layer, group) }
}
