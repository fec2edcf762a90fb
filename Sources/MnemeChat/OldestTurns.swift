import MnemeEngine

/// Leaves out a chat's oldest turns, so that the rest fits the model. Leading system messages and the
/// user's last message stay.
enum OldestTurns {
    /// Turns are dropped in fours as far as there are so many, so that the following prompts begin
    /// alike, and what is cached of them is found.
    private static let step = 4

    /// The messages without as many of the oldest turns as must go; all of them if it is of no use.
    ///
    /// - Parameter fits: whether messages fit; those with fewer do if others do.
    /// - Complexity: O(log turns) calls of `fits`.
    static func fitted(_ messages: [ChatMessage], _ fits: ([ChatMessage]) throws -> Bool) rethrows
        -> [ChatMessage]
    {
        guard try !fits(messages) else { return messages }
        let first = messages.firstIndex { $0.role != "system" && $0.role != "developer" } ?? 0
        // A turn ends where the user speaks again.
        let ends = messages.indices.filter { $0 > first && messages[$0].role == "user" }
        func left(_ turns: Int) -> [ChatMessage] {
            Array(messages[..<first] + messages[ends[turns - 1]...])
        }
        guard !ends.isEmpty, try fits(left(ends.count)) else { return messages }
        var low = 1
        var high = ends.count
        while low < high {
            let middle = (low + high) / 2
            if try fits(left(middle)) { high = middle } else { low = middle + 1 }
        }
        return left(min(ends.count, (low + step - 1) / step * step))
    }
}
