import Foundation

/// When: spans that a question names.
extension AskPlanReader {
    /// Spans, with the word before them: "in", "after", "before", "between … and".
    mutating func readTimes(_ times: [AskTime]) {
        var spans: [(Range<Date>, String)] = []
        for time in times {
            let wanted = time.words.split(separator: " ").map(String.init)
            guard !wanted.isEmpty,
                let start = words.indices.first(where: { i in
                    i + wanted.count <= words.count && zip(words[i...], wanted).allSatisfy { $0.lower == $1 }
                })
            else { continue }
            let link = start > 0 ? words[start - 1].lower : ""
            let isLink = ["after", "before", "since", "until", "between", "from", "in", "on", "during", "and", "to"]
                .contains(link)
            words.removeSubrange((isLink ? start - 1 : start)..<(start + wanted.count))
            spans.append((time.span, link))
        }
        // "between February and May": the second one is no time by itself.
        if spans.count == 1, ["between", "from"].contains(spans[0].1), let end = monthEnd(after: spans[0].0) {
            plan.spans = [spans[0].0.lowerBound..<end]
            return
        }
        if spans.count == 2, ["between", "from"].contains(spans[0].1), ["and", "to", "until"].contains(spans[1].1) {
            plan.spans = [spans[0].0.lowerBound..<max(spans[1].0.upperBound, spans[0].0.upperBound)]
            return
        }
        plan.spans = spans.map { span, link in
            switch link {
            case "after": span.upperBound..<max(span.upperBound, .distantFuture)
            case "since": span.lowerBound..<max(span.lowerBound, .distantFuture)
            case "before": min(span.lowerBound, .distantPast)..<span.lowerBound
            case "until": min(span.upperBound, .distantPast)..<span.upperBound
            default: span
            }
        }
    }

    /// The end of the month that "and" or "to" names, the first after a span; takes both words out.
    private mutating func monthEnd(after span: Range<Date>) -> Date? {
        guard
            let place = words.indices.dropFirst().first(where: { i in
                ["and", "to", "until"].contains(words[i - 1].lower) && AskCalendar.months.contains(words[i].text)
            }), let month = AskCalendar.months.firstIndex(of: words[place].text)
        else { return nil }
        words.removeSubrange((place - 1)...place)
        let calendar = AskCalendar.calendar
        let start = calendar.nextDate(
            after: span.lowerBound.addingTimeInterval(-1), matching: DateComponents(month: month + 1, day: 1, hour: 0),
            matchingPolicy: .nextTime)
        return start.flatMap { calendar.date(byAdding: .month, value: 1, to: $0) }
    }
}
