/// Scores every row by a copy of its key in two bits an element, and reads the pages that the copy says
/// have most of the attention (the low-bit copy of SpeCache, Jie et al. 2025).
///
/// An element's four levels lie evenly between the lowest and the highest that the prompt's keys have
/// there; later keys are cut off at these. While a token is computed, the pages of the next one are fetched by a
/// guess of its query: the paper computes a guessed token, here the query is taken for the next one's, a position
/// further on. All rows stay in memory, so that fetches, hits and stalls are counted alone.
public struct SpeCache: KVIndexSelector {
    /// A policy part without settings.
    public init() {}
    /// Pages of the next token are fetched ahead.
    public var looksAhead: Bool { true }
    /// Codes of single keys.
    public func index() -> any KVPageIndex { Index() }

    private final class Index: KVPageIndex {
        private var codes = KeyCodes(parts: 0)
        /// Of each element, the lowest level and the distance of two levels.
        private var low: [Float] = [], step: [Float] = []

        var bytes: Int { codes.codes.count + 8 * low.count }

        func add(_ rows: KVPageRows) {
            guard let first = rows.keys.first else { return }
            if low.isEmpty {
                var high = first
                low = first
                for key in rows.keys {
                    for (e, x) in key.enumerated() { (low[e], high[e]) = (min(low[e], x), max(high[e], x)) }
                }
                step = zip(low, high).map { max(($1 - $0) / 3, 1e-9) }
                codes = KeyCodes(parts: (first.count + 3) / 4)
            }
            for key in rows.keys {
                var code = [UInt8](repeating: 0, count: codes.parts)
                for (e, x) in key.enumerated() {
                    let level = min(3, max(0, ((x - low[e]) / step[e]).rounded()))
                    code[e / 4] |= UInt8(level) << UInt8(e % 4 * 2)
                }
                codes.append(code)
            }
        }

        func score(_ query: [Float], at position: Int, into scores: UnsafeMutablePointer<Float>) {
            // What is common to all rows changes no choice.
            var table = [Float](repeating: 0, count: codes.parts << 8)
            for (e, x) in query.enumerated() {
                let part = (e / 4) << 8
                for code in 0..<256 { table[part + code] += x * step[e] * Float(code >> (e % 4 * 2) & 3) }
            }
            codes.score(table, into: scores)
        }
    }
}
