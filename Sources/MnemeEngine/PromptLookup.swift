/// Drafts the next tokens of an answer from the prompt and the answer so far: where the last few
/// tokens stood before, what followed there may follow again (prompt lookup decoding, Saxena 2023).
///
/// Answers that quote recalled memories are drafted well. Nothing is kept beside the tokens
/// themselves, and what a rejected token wrote to the KV cache is overwritten by the next step: the
/// least memory that speculation can take (SpecMemo [167]).
package struct PromptLookup {
    /// Fewest tokens that must have stood before: fewer follow each other by chance.
    private static let shortest = 3
    /// Longest run that is compared; a longer one says no more.
    private static let longest = 12

    /// Prompt and answer.
    private var tokens: [Int32]

    /// Begins with a prompt.
    package init(_ prompt: [Int32]) { tokens = prompt }

    /// Adds a token of the answer.
    package mutating func append(_ token: Int32) { tokens.append(token) }

    /// Tokens behind the longest run of last tokens that stood before; of equal runs, the latest.
    ///
    /// - Parameter most: the most tokens of a draft.
    /// - Returns: up to `most` tokens; empty if the last three never stood before.
    /// - Complexity: O(tokens).
    package func draft(_ most: Int) -> ArraySlice<Int32> {
        guard most > 0, tokens.count > Self.shortest, let last = tokens.last else { return [] }
        return tokens.withUnsafeBufferPointer { all in
            var best = Self.shortest - 1
            var end = 0
            let count = all.count
            for i in stride(from: count - 2, through: Self.shortest - 1, by: -1)
            where all[i] == last {
                var length = 1
                while length < Self.longest, length <= i, all[i - length] == all[count - 1 - length] {
                    length += 1
                }
                guard length > best else { continue }
                (best, end) = (length, i + 1)
                if length == Self.longest { break }
            }
            guard end > 0 else { return [] }
            return tokens[end..<min(count, end + most)]
        }
    }
}
