/// Things that a question compares by time.
extension AskPlanReader {
    /// "Did … A before B?", "In what order … A, B and C?", "Which … first, A or B?".
    mutating func readComparison() -> AskPlan.Goal? {
        // Times and names that the question has are taken out by now, and so may be the words that it begins with.
        if says("what order", "which order", "order did") || spaced.hasPrefix(" order "),
            let order = words.firstIndex(where: { $0.lower == "order" })
        {
            let start = words[(order + 1)...].firstIndex { Self.isAction($0) } ?? order
            let items = takeItems(from: start + 1)
            remove(["order"])
            return items.count > 1 ? .order(items, firstOnly: false, lastOnly: false) : nil
        }
        let isFirst = has("first") || has("earlier")
        if isFirst || has("last") || has("later"), has("or"),
            let comma = words.firstIndex(where: { $0.mark.contains(",") })
        {
            let items = takeItems(from: comma + 1)
            guard items.count > 1 else { return nil }
            remove(["first", "earlier", "last", "later", "came"])
            return .order(items, firstOnly: isFirst, lastOnly: !isFirst)
        }
        if spaced.hasPrefix(" did ") || spaced.hasPrefix(" was ") || spaced.hasPrefix(" has "),
            let link = words.firstIndex(where: { ["before", "after"].contains($0.lower) }), link > 0
        {
            let verb = words[..<link].firstIndex(where: Self.isAction) ?? 0
            let first = Self.item(words[(verb + 1)..<link])
            let second = Self.item(words[(link + 1)...])
            let isSwapped = words[link].lower == "after"
            guard !first.isEmpty, !second.isEmpty else { return nil }
            words.removeSubrange((verb + 1)...)
            return .isBefore(first, second, isSwapped: isSwapped)
        }
        return nil
    }

    private static func isAction(_ word: AskWord) -> Bool {
        ActionWords.verbs[word.stem] != nil || ["go", "finish", "see"].contains(word.lower)
    }

    /// Items from a place on, joined by commas, "and" and "or"; takes them out.
    private mutating func takeItems(from start: Int) -> [[String]] {
        guard start < words.count else { return [] }
        var items: [[String]] = []
        var item: [AskWord] = []
        for word in words[start...] {
            if ["and", "or"].contains(word.lower) {
                items.append(Self.item(item[...]))
                item = []
                continue
            }
            item.append(word)
            if word.mark.contains(",") {
                items.append(Self.item(item[...]))
                item = []
            }
        }
        items.append(Self.item(item[...]))
        words.removeSubrange(start...)
        return items.filter { !$0.isEmpty }
    }

    /// The stems that name an item.
    private static func item(_ words: ArraySlice<AskWord>) -> [String] {
        words.filter { !["the", "a", "an", "my", "to", "in", "her", "his"].contains($0.lower) }.map(\.stem)
    }
}
