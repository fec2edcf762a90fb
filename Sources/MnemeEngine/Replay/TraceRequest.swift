import MnemeBase

/// A request of a trace: when it came, what its prompt shares with others, and how long its answer
/// was. Its words are not known, nor needed.
package struct TraceRequest: Sendable, Equatable {
    /// Seconds since the trace's beginning.
    package var arrival = 0.0
    /// Tokens of the prompt and of the answer.
    package var promptTokens: Int, completionTokens: Int
    /// The most tokens that the caller asked for; nil if the trace does not tell.
    package var maxTokens: Int?
    /// Whose it is, for fairness.
    package var owner = ""
    /// Names of what the prompt begins with, a name for each `partTokens` tokens: equal names are
    /// equal tokens.
    package var parts: [Int] = []
    package var partTokens = 512
    /// Names all further tokens: requests of equal text are turns of one conversation, each of
    /// which goes on behind the prompt and answer of the last.
    package var text: UInt64

    /// The tokens themselves, of prompt and answer, as far as they are known.
    package var known: [Int32] = []

    /// A request that shares nothing.
    ///
    /// - Parameter text: names its tokens.
    package init(promptTokens: Int, completionTokens: Int, text: UInt64) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.text = text
    }

    /// The token at a position of prompt or answer: made up, and equal where names are.
    package func token(_ index: Int) -> Int32 {
        if index < known.count { return known[index] }
        let part = index / max(1, partTokens)
        // A last part may be named whole: what stands behind the prompt is an answer of its own.
        let isNamed = part < parts.count && index < promptTokens
        let name = isNamed ? UInt64(bitPattern: Int64(parts[part])) &* 2 : text &* 2 &+ 1
        let offset = UInt64(isNamed ? index - part * partTokens : index)
        // 31 bits: token ids are not negative.
        return Int32(SplitMix64.mixed(SplitMix64.mixed(name) ^ offset) >> 33)
    }

    /// Names of the whole blocks of its first tokens, each of which depends on all before it.
    ///
    /// - Parameters:
    ///   - block: tokens of a block.
    ///   - count: tokens of prompt and answer; nil for the prompt.
    /// - Complexity: O(count).
    package func prefixNames(of block: Int, tokens count: Int? = nil) -> [UInt64] {
        var name: UInt64 = 0
        return (0..<(count ?? promptTokens) / block).map { index in
            for i in index * block..<(index + 1) * block {
                name = SplitMix64.mixed(name ^ UInt64(UInt32(bitPattern: token(i))))
            }
            return name
        }
    }
}
