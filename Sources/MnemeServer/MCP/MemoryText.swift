import Foundation
import Mneme

/// Memories as a model reads them: a line each with id, date, speaker and text.
enum MemoryText {
    /// A whole answer has at most so many times the characters of the memories in it, unless these
    /// are very short.
    private static let budget = 1.5

    /// A line a memory. Where lines would cost more than half of what they tell, a date stands only
    /// where it is another than in the line before.
    static func lines(_ memories: [JSONValue]) -> String {
        let texts = memories.map { oneLine($0["text"]?.string ?? "") }
        let full = zip(memories, texts).map { memory, text in
            line(memory, text, date: date(of: memory))
        }
        // Characters as JSON counts them, so that everybody measures the same.
        let told = texts.reduce(0) { $0 + $1.unicodeScalars.count }
        let cost = full.reduce(full.count - 1) { $0 + $1.unicodeScalars.count }
        guard Double(cost) > budget * Double(told) else { return full.joined(separator: "\n") }
        // As many memories, each on its own line still.
        var last = ""
        return zip(memories, texts).map { memory, text in
            let date = date(of: memory)
            defer { last = date }
            return line(memory, text, date: date == last ? "" : date)
        }.joined(separator: "\n")
    }

    /// One memory's line.
    static func line(_ memory: JSONValue) -> String {
        line(memory, oneLine(memory["text"]?.string ?? ""), date: date(of: memory))
    }

    /// `7a470a34 2026-03-01 (until 2026-05-02) (disputed) Ana: text`; what is not known is left out.
    private static func line(_ memory: JSONValue, _ text: String, date: String) -> String {
        var parts = [ShortID.of(memory["id"]?.string ?? ""), date]
        if memory["state"] == "archived" { parts.append("(forgotten)") }
        if let end = memory["validUntil"]?.string { parts.append("(until \(end.prefix(10)))") }
        if memory["disputedBy"] != nil { parts.append("(disputed)") }
        if let speaker = memory["speaker"]?.string { parts.append(oneLine(speaker) + ":") }
        return (parts.filter { !$0.isEmpty } + [text]).joined(separator: " ")
    }

    /// The day on which a memory was said, on the speaker's calendar.
    private static func date(of memory: JSONValue) -> String {
        let written = memory["eventTime"]?.string ?? ""
        guard let offset = memory["utcOffset"]?.double, offset != 0,
            let time = DateText.parse(written)
        else { return String(written.prefix(10)) }
        return String(DateText.format(time.addingTimeInterval(offset)).prefix(10))
    }

    /// The first words of a memory, as a name for it.
    static func title(of memory: JSONValue) -> String {
        let speaker = memory["speaker"]?.string.map { oneLine($0) + ": " } ?? ""
        let text = speaker + oneLine(memory["text"]?.string ?? "")
        let limit = 60
        guard text.count > limit else { return text }
        let start = text.prefix(limit)
        // Not in the middle of a word, unless there is but one.
        let end = start.lastIndex(of: " ") ?? start.endIndex
        return start[..<end] + "…"
    }

    /// A text without line breaks and tabs: a line is a memory.
    static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
