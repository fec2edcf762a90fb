import Foundation

/// A Markdown or plain text file in parts: sections with the heading above them, and what its front
/// matter says.
struct MarkdownNote {
    /// A part of the note, and the heading above it.
    private typealias Part = (heading: String?, text: String)

    /// Values of the front matter by lower-cased name.
    private var facts: [String: [String]] = [:]
    /// Sections in order, without the lines that are observations.
    private var parts: [Part] = []
    /// Lines of a basic-memory note, each of which becomes a memory of its own.
    private var observations: [Part] = []
    /// The file's path in the import.
    private let name: String

    /// - Parameters:
    ///   - name: names the file in references and as the conversation.
    ///   - isMarkdown: whether headings, fences and front matter mean something.
    init(_ text: String, name: String, isMarkdown: Bool) {
        self.name = name
        var lines = text.replacingOccurrences(of: "\r\n", with: "\n").split(
            separator: "\n", omittingEmptySubsequences: false)[...]
        if isMarkdown { (facts, lines) = Self.frontMatter(lines) }
        parts = Self.sections(lines, isMarkdown: isMarkdown)
        guard facts["permalink"] != nil else { return }
        // Notes of basic-memory: what is observed stands in lines of its own.
        (parts, observations) = Self.observations(parts)
    }

    /// One entry a part.
    var entries: [ImportEntry] {
        let title = facts["title"]?.first
        let time = ["created", "created_at", "date", "modified", "updated", "updated_at"].lazy
            .compactMap { ImportTime.date(facts[$0]?.first.map(JSONValue.string)) }.first
        let names = [
            title, facts["permalink"]?.first, (name as NSString).deletingPathExtension,
            (name as NSString).lastPathComponent,
        ]
        .compactMap(\.self)
        return (parts + observations).enumerated().map { number, part in
            var input = MemoryInput(part.text, eventTime: time, session: name)
            (input.source, input.reference) = ("file", "\(name)#\(number)")
            for (key, values) in facts where key != "tags" {
                input.metadata[key] = values.joined(separator: ", ")
            }
            if let heading = part.heading { input.metadata["heading"] = heading }
            input.tags = facts["tags"] ?? []
            if number >= parts.count { Self.describe(&input) }
            return ImportEntry(
                input: input,
                names: names + [
                    ((name as NSString).lastPathComponent as NSString).deletingPathExtension
                ],
                links: Self.links(in: part.text))
        }
    }

    // MARK: Front matter

    /// The lists and values between two lines of dashes at the beginning, and what follows.
    private static func frontMatter(_ lines: ArraySlice<Substring>) -> (
        [String: [String]], ArraySlice<Substring>
    ) {
        guard let first = lines.first, first.trimmingCharacters(in: .whitespaces) == "---",
            let end = lines.dropFirst().firstIndex(where: {
                ["---", "..."].contains($0.trimmingCharacters(in: .whitespaces))
            })
        else { return ([:], lines) }
        var facts: [String: [String]] = [:]
        var key: String?
        for line in lines[(lines.startIndex + 1)..<end] {
            let text = line.trimmingCharacters(in: .whitespaces)
            if text.hasPrefix("- "), let key {
                facts[key, default: []] += values(String(text.dropFirst(2)))
            } else if let colon = text.firstIndex(of: ":"), !text.hasPrefix("#"),
                line.first?.isWhitespace == false
            {
                let name = text[..<colon].trimmingCharacters(in: .whitespaces).lowercased()
                let value = text[text.index(after: colon)...].trimmingCharacters(in: .whitespaces)
                key = name
                guard !name.isEmpty, !value.isEmpty else { continue }
                facts[name] =
                    name == "tags"
                    ? values(value.contains("[") ? value : "[\(value)]") : values(value)
            }
        }
        return (facts.filter { !$0.value.isEmpty }, lines[(end + 1)...])
    }

    /// A value, or those of a list in brackets.
    private static func values(_ text: String) -> [String] {
        let isList = text.hasPrefix("[") && text.hasSuffix("]")
        let items =
            isList ? text.dropFirst().dropLast().split(separator: ",").map(String.init) : [text]
        return items.map {
            $0.trimmingCharacters(in: .whitespaces).trimmingCharacters(in: ["\"", "'", "#"])
        }.filter {
            !$0.isEmpty
        }
    }

    // MARK: Parts

    /// Paragraphs, short ones joined, each with the heading above it. What stands between fences is
    /// one paragraph, and holds no heading.
    private static func sections(_ lines: ArraySlice<Substring>, isMarkdown: Bool) -> [Part] {
        var sections: [Part] = []
        var heading: String?
        var current = ""
        func end() {
            if current.contains(where: { !$0.isWhitespace }) { sections.append((heading, current)) }
            current = ""
        }
        for paragraph in paragraphs(lines, isMarkdown: isMarkdown) {
            if isMarkdown, let title = Self.heading(paragraph) {
                end()
                heading = title
            }
            if current.count + paragraph.count > Segmenter.targetLength { end() }
            current += current.isEmpty ? paragraph : "\n\n" + paragraph
        }
        end()
        return sections
    }

    /// The beginning of a fenced block of code, as CommonMark 0.31 has it (section 4.5), at any
    /// indentation: in lists fences stand deeper.
    private struct Fence {
        /// The sign that opened the block, and must close it.
        private let sign: Character
        /// The number of fence characters: fewer do not close it.
        private let length: Int

        /// - Parameter line: without white space around it.
        /// - Returns: nil if the line opens no block: a code span such as "```x```" is text.
        init?(_ line: String) {
            guard let sign = line.first, sign == "`" || sign == "~" else { return nil }
            length = line.prefix { $0 == sign }.count
            guard length >= 3, sign == "~" || !line.dropFirst(length).contains("`") else {
                return nil
            }
            self.sign = sign
        }

        /// True for a line that ends the block: the same sign alone, at least as often.
        func isClosed(by line: String) -> Bool {
            line.count >= length && line.allSatisfy { $0 == sign }
        }
    }

    /// Paragraphs, which empty lines part; a heading begins one, a fenced block is never cut.
    private static func paragraphs(_ lines: ArraySlice<Substring>, isMarkdown: Bool) -> [String] {
        var paragraphs: [String] = []
        var current: [Substring] = []
        var fence: Fence?
        func end() {
            if !current.isEmpty { paragraphs.append(current.joined(separator: "\n")) }
            current = []
        }
        for line in lines {
            let text = line.trimmingCharacters(in: .whitespaces)
            if isMarkdown {
                if let open = fence {
                    if open.isClosed(by: text) { fence = nil }
                } else {
                    fence = Fence(text)
                }
                if fence == nil, heading(String(line)) != nil { end() }
            }
            if fence == nil, text.isEmpty { end() } else { current.append(line) }
        }
        end()
        return paragraphs
    }

    /// The words of a heading, which one to six signs and a space make.
    private static func heading(_ paragraph: String) -> String? {
        let signs = paragraph.prefix { $0 == "#" }
        guard (1...6).contains(signs.count),
            paragraph.dropFirst(signs.count).first.map({ $0 == " " || $0 == "\t" }) ?? false
        else {
            return nil
        }
        let line = paragraph.prefix { $0 != "\n" }.dropFirst(signs.count)
        return line.trimmingCharacters(in: .whitespaces)
    }

    // MARK: Observations and links

    /// Takes lines such as "- [method] Pour slowly #brewing (for a cup)" out of sections.
    private static func observations(_ parts: [Part]) -> (parts: [Part], observations: [Part]) {
        var rest: [Part] = []
        var found: [Part] = []
        for part in parts {
            var kept: [Substring] = []
            for line in part.text.split(separator: "\n", omittingEmptySubsequences: false) {
                if category(String(line)) != nil {
                    found.append((part.heading, String(line)))
                } else {
                    kept.append(line)
                }
            }
            let text = kept.joined(separator: "\n").trimmingCharacters(in: .whitespacesAndNewlines)
            // A heading alone says nothing.
            if text.split(separator: "\n").contains(where: { !$0.hasPrefix("#") && !$0.isEmpty }) {
                rest.append((part.heading, text))
            }
        }
        return (rest, found)
    }

    /// The category of an observation, and what is observed. A box to tick is none.
    private static func category(_ line: String) -> (name: String, text: String)? {
        guard let match = line.wholeMatch(of: /\s*[-*] \[([^\[\]()]{2,60})\]\s+(.*\S)\s*/) else {
            return nil
        }
        return (String(match.1), String(match.2))
    }

    /// Makes a memory of an observation's line: its category and tags beside the text.
    private static func describe(_ input: inout MemoryInput) {
        guard let (name, text) = category(input.text) else { return }
        input.text = text
        input.metadata["category"] = name
        input.tags += text.matches(of: /(?:^|\s)#([\p{L}\p{N}_\/-]+)/).map { String($0.1) }.filter {
            !input.tags.contains($0)
        }
    }

    /// Links such as "[[Coffee]]", of the kind that a list's line begins with: "- relates_to
    /// [[Coffee]]".
    private static func links(in text: String) -> [ImportEntry.Link] {
        text.split(separator: "\n").flatMap { line in
            let kind = line.wholeMatch(of: /\s*[-*] ([\p{L}\p{N}_ -]{1,60}?)\s*\[\[.*/).map {
                String($0.1).trimmingCharacters(in: .whitespaces)
            }
            return line.matches(of: /\[\[([^\[\]|#]{1,200})(?:[|#][^\[\]]*)?\]\]/).map {
                ImportEntry.Link(
                    kind: kind.flatMap { $0.isEmpty ? nil : $0 } ?? "linksTo", target: String($0.1))
            }
        }
    }
}
