public import MnemeModels

/// Evicts what stands in finished subtasks first, and keeps what they came to (the subtask pruning of TIM,
/// Luo et al. 2025).
///
/// The text is a tree of tasks as JSON: `{"thought": …, "subtasks": [ … ], "conclusion": …}`. A list of
/// subtasks whose bracket is closed is finished; the conclusion behind it says what is needed of it. Over
/// the budget, the rows of all finished lists go at once: a part of one would read as something else. Then, if that
/// is not enough, the oldest rows but the first ones go. Rows that stay move together, so that positions are used again.
public struct SubtaskPruning: TokenScorer, HeadAllocator {
    /// The bytes of tokens; nil knows no subtasks.
    public var tokenizer: (any Tokenizer)?
    /// First rows that stay.
    public var sinks: Int
    /// The name of the lists.
    public var list: String

    /// By default the lists are called `subtasks`.
    public init(tokenizer: (any Tokenizer)?, sinks: Int = 4, list: String = "subtasks") {
        (self.tokenizer, self.sinks, self.list) = (tokenizer, sinks, list)
    }

    /// The policy needs no attention weights.
    public var needs: AttentionNeed { .none }
    /// To read the tree.
    public var needsTokens: Bool { true }

    /// The rows that are in no finished list.
    public func measure(_ rows: KVRows) -> [Float] { [Float(scores(rows).count { $0 >= 0 })] }

    /// As many as these, up to the budget.
    public func split(_ budget: Int, heads: [[HeadMeasure]]) -> [[Int]] {
        heads.map { $0.map { min(budget, max(1, Int($0.values[0]))) } }
    }

    /// Positions; negative in finished lists, infinity for the first rows.
    ///
    /// - Complexity: O(bytes of the rows' tokens).
    public func scores(_ rows: KVRows) -> [Float] {
        var scores = rows.positions.indices.map { $0 < sinks ? Float.infinity : Float(rows.positions[$0]) }
        for range in finished(rows.tokens) {
            for row in range where row >= sinks { scores[row] = Float(rows.positions[row]) - 1e9 }
        }
        return scores
    }

    /// The rows within the brackets of each finished list, as they close.
    func finished(_ tokens: [Int32]) -> [Range<Int>] {
        guard let tokenizer else { return [] }
        var ranges: [Range<Int>] = []
        /// Open lists: the row of the bracket, and whether it is one of subtasks.
        var open: [(row: Int, isList: Bool)] = []
        var (text, name): ([UInt8], [UInt8]) = ([], [])
        var (isInText, isEscaped) = (false, false)
        for (row, token) in tokens.enumerated() {
            for byte in tokenizer.bytes(token) {
                if isInText {
                    // No line ends within a text: so what is no JSON does not hide what follows.
                    if byte == UInt8(ascii: "\n") || (byte == UInt8(ascii: "\"") && !isEscaped) {
                        (isInText, name) = (false, text)
                    } else {
                        text.append(byte)
                    }
                    isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
                    continue
                }
                switch byte {
                case UInt8(ascii: "\""): (isInText, isEscaped, text) = (true, false, [])
                case UInt8(ascii: "["): open.append((row, name.elementsEqual(list.utf8)))
                case UInt8(ascii: "]"):
                    if let last = open.popLast(), last.isList, last.row + 1 < row { ranges.append(last.row + 1..<row) }
                case UInt8(ascii: ","), UInt8(ascii: "{"), UInt8(ascii: "}"): name = []
                default: break
                }
            }
        }
        return ranges
    }
}
