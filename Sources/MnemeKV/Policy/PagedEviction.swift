/// Evicts whole pages whose values are short and keys long (PagedEviction, Chitty-Venkata et al.
/// 2025).
///
/// A page is a run of rows of a block's length; the last stays. No attention weights are needed:
/// the ratio of lengths stands for them. As whole pages go, memory comes free without moving rows.
public struct PagedEviction: TokenScorer {
    /// A policy part without settings.
    public init() {}
    /// The policy needs no attention weights.
    public var needs: AttentionNeed { .none }
    /// Rows of a page go together.
    public var wholePages: Bool { true }
    /// The mean of |value|/|key| over a row's page; infinity for the last page.
    public func scores(_ rows: KVRows) -> [Float] {
        let page = KVShape.blockTokens
        func length(_ x: [Float]) -> Float { x.reduce(0) { $0 + $1 * $1 }.squareRoot() }
        var result: [Float] = []
        for start in stride(from: 0, to: rows.count, by: page) {
            let part = start..<min(start + page, rows.count)
            let mean =
                part.reduce(Float(0)) {
                    $0 + length(rows.value($1)) / max(length(rows.key($1)), 1e-6)
                }
                / Float(part.count)
            result += part.map { _ in part.upperBound + page > rows.count ? .infinity : mean }
        }
        return result
    }
}
