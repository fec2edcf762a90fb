import MnemeIndex

extension Retriever {
    /// Documents near the times that the question names, and a little those whose conversation holds
    /// its words.
    ///
    /// The nearest days are looked at first: what is found there says how near all else has to be.
    ///
    /// - Complexity: two comparisons a memory, and a score for each that may be among the best.
    func nearInTime(_ limit: Int, _ words: WordSearch) -> [Int] {
        guard !plan.times.isEmpty, limit > 0, let bounds = index.documents.eventTimeBounds else {
            return []
        }
        var best: [(item: Int, score: Float)] = []
        func take(_ document: Int) {
            let time = index.documents.eventTime(document)
            let near = Float(plan.times.map { $0.proximity(to: time) }.max() ?? 0)
            guard near > 0 else { return }
            let score = near * (0.1 + words.sessionScore(document))
            guard score > 0, allowed(document) else { return }
            best.append((document, score))
            // Cut now and then to those that may stay.
            if best.count >= max(4 * limit, 1_024) { best = highest(limit, of: best) }
        }
        let close = TimeWindows(plan.times, nearness: 0.3, within: bounds)
        index.documents.forEach(within: close, take)
        best = highest(limit, of: best)
        // A session's score is at most 1.
        let least = best.count < limit ? 0 : (best.last?.score ?? 0) / 1.1001
        if least < 0.3 {
            let wide = TimeWindows(plan.times, nearness: least, within: bounds)
            index.documents.forEach(within: wide, except: close, take)
        }
        return highest(limit, of: best).map(\.item)
    }
}
