/// Answers questions that put many memories together: how many, how much, which most, in what order (after GlobalQA
/// [237]). By rule and in English.
package enum Aggregation {
    /// The answer to a question.
    ///
    /// - Parameters:
    ///   - question: in plain words.
    ///   - times: spans that it names.
    ///   - memories: all that may be told of.
    /// - Complexity: linear in the length of all memories.
    package static func answer(_ question: String, times: [AskTime] = [], memories: [AskMemory]) -> AskAnswer {
        let reader = HappeningReader(memories)
        let actors = Set(reader.happenings.compactMap(\.actor)).union(memories.compactMap { $0.speaker?.lowercased() })
        guard let plan = AskPlanReader.plan(question, times: times, actors: actors) else {
            var answer = AskAnswer()
            answer.isUnderstood = false
            answer.doubts = ["the question is none of those that are counted by rule"]
            return answer
        }
        return AskRun(plan, reader, memories).answer()
    }
}
