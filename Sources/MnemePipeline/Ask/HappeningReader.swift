import Foundation

/// Reads what people did from sentences of conversations, in English, by rule.
///
/// One clause tells of one thing at most: a subject ("I", "we", a name; none where the text begins with the verb), a verb
/// in the past, and what stands behind it. What did not happen, lies ahead or goes on is marked as such. Sentences of
/// which nothing was read are kept by their words, so that an answer can say that it may miss something.
struct HappeningReader {
    /// What was read.
    private(set) var happenings: [Happening] = []
    /// Stems of sentences of which nothing was read, with the memory's place.
    private(set) var unread: [(memory: Int, stems: Set<String>)] = []

    /// - Complexity: O(*n*) in the length of all texts.
    init(_ memories: [AskMemory]) {
        for (place, memory) in memories.enumerated() {
            var sentence: [AskWord] = []
            for word in AskWord.words(of: memory.text) {
                sentence.append(word)
                if word.endsSentence {
                    read(sentence, memory, place)
                    sentence = []
                }
            }
            read(sentence, memory, place)
        }
    }

    private mutating func read(_ sentence: [AskWord], _ memory: AskMemory, _ place: Int) {
        guard let last = sentence.last, !last.mark.contains("?") else { return }
        var subject: Clause.Subject?
        var found = false
        for words in Clause.parted(sentence) {
            guard let clause = Clause(words, memory, place, after: subject) else { continue }
            subject = clause.subject
            happenings.append(clause.happening)
            found = true
        }
        if !found { unread.append((place, Set(sentence.map(\.stem)))) }
    }
}

/// A part of a sentence that tells of one thing.
struct Clause {
    /// Who does it.
    struct Subject: Equatable {
        /// In lower case; nil is whoever keeps the memory.
        var name: String?
        /// "We".
        var isShared = false
    }
    /// Who does it.
    private(set) var subject: Subject
    /// What it tells of.
    private(set) var happening: Happening

    private static let openings: Set<String> = [
        "i", "we", "it", "he", "she", "they", "my", "his", "her", "our", "that", "there", "this",
    ]

    /// Cuts a sentence where another subject or verb begins: behind "but", at a comma before a pronoun, at an "and" before
    /// a verb.
    static func parted(_ sentence: [AskWord]) -> [[AskWord]] {
        var parts: [[AskWord]] = []
        var part: [AskWord] = []
        for (i, word) in sentence.enumerated() {
            let isAnd =
                word.lower == "and" && i + 1 < sentence.count
                && (isPast(sentence[i + 1]) && !sentence[i + 1].isCapital
                    || ["i", "we"].contains(sentence[i + 1].lower))
            if ["but", "because", "although", "while"].contains(word.lower) || isAnd {
                parts.append(part)
                part = []
                if !isAnd, !["but", "although"].contains(word.lower) { part.append(word) }
                continue
            }
            part.append(word)
            if word.mark.contains(where: { ",;:".contains($0) }), i + 1 < sentence.count,
                openings.contains(sentence[i + 1].lower) || word.mark.contains(";")
            {
                parts.append(part)
                part = []
            }
        }
        return (parts + [part]).filter { !$0.isEmpty }
    }

    /// True for a form that tells of the past.
    static func isPast(_ word: AskWord) -> Bool {
        ActionWords.pastForms.contains(word.lower) || word.lower.hasSuffix("ed") && word.lower.count > 4
    }

    /// - Parameter last: the subject of the clause before.
    /// - Returns: nil if nothing was read.
    init?(_ words: [AskWord], _ memory: AskMemory, _ place: Int, after last: Subject?) {
        if words.contains(where: { ["if", "unless", "wish"].contains($0.lower) }) { return nil }
        let speaker = memory.speaker?.lowercased()
        guard let (subject, start) = Self.subject(of: words, speaker: speaker, after: last) else { return nil }
        self.subject = subject
        happening = Happening(
            memory: place, actor: subject.name, isShared: subject.isShared, action: "", verb: "",
            time: Self.time(of: memory))
        happening.stems = Set(words.map(\.stem))
        let amounts = AskAmount.find(in: words)
        happening.amounts = amounts.map(\.amount)
        let kinds = amounts.map(\.amount.kind)
        happening.isSeveral =
            Set(kinds).count < kinds.count
            || words.contains { ["twice", "times", "several", "both"].contains($0.lower) }
        let figures = Set(amounts.flatMap { Array($0.place) })
        // "My run this morning was 10 km."
        if start < words.count, ["my", "our"].contains(words[start].lower) {
            let head = words[(start + 1)...].prefix(3)
            guard let noun = head.compactMap({ ActionWords.nouns[$0.stem] }).first,
                words.contains(where: { ["was", "were"].contains($0.lower) }), !amounts.isEmpty
            else { return nil }
            (happening.action, happening.verb) = (noun, AskWord.stem(noun))
            return
        }
        guard let verb = readVerb(words, from: start) else { return nil }
        ClauseObject(words, verb: verb, figures: figures).fill(&happening)
        if words.contains(where: { ["every", "each", "usually", "daily", "weekly"].contains($0.lower) }) {
            happening.status = .unfinished
        }
    }

    /// The subject, and the place where the verb is looked for.
    private static func subject(of words: [AskWord], speaker: String?, after last: Subject?) -> (Subject, Int)? {
        for (i, word) in words.prefix(7).enumerated() {
            switch word.lower {
            case "i", "i've", "i'm", "i'll", "i'd": return (Subject(name: speaker), word.lower == "i" ? i + 1 : i)
            case "we", "we've", "we're", "we'll", "we'd":
                return (Subject(name: speaker, isShared: true), word.lower == "we" ? i + 1 : i)
            case "my", "our":
                if i == 0 { return (Subject(name: speaker, isShared: word.lower == "our"), 0) }
            default: break
            }
        }
        // "Went for a run": the speaker; behind "and", whoever did the thing before.
        guard let first = words.first else { return nil }
        if isPast(first), words.count > 1 { return (last ?? Subject(name: speaker), 0) }
        // "Camille bought a house", "Frau Lindqvist went home"
        let start = words.prefix { ActionWords.adverbs.contains($0.lower) }.count
        let name = words[start...].prefix { $0.isCapital && !$0.isPossessive && $0.mark.isEmpty }
        guard let head = name.first, name.count < 4, name.endIndex < words.count,
            !["the", "a", "an"].contains(head.lower)
        else { return nil }
        let next = words[name.endIndex]
        guard isPast(next) || ["has", "will", "never", "didn't"].contains(next.lower) else { return nil }
        return (Subject(name: name.map(\.lower).joined(separator: " ")), name.endIndex)
    }

    /// The verb's place; what stands before it settles whether it happened.
    private mutating func readVerb(_ words: [AskWord], from start: Int) -> Int? {
        var i = start
        while i < words.count {
            let word = words[i]
            let next = i + 1 < words.count ? words[i + 1] : nil
            if word.lower == "have" || word.lower == "has" || word.lower == "had" {
                guard let next,
                    Self.isPast(next) || ActionWords.adverbs.contains(next.lower)
                        || ActionWords.unreal.contains(next.lower) || next.lower == "been"
                else { return Self.isPast(word) || happening.status != .done ? i : nil }
            } else if ActionWords.unreal.contains(word.lower) {
                happening.status = .unreal
            } else if ActionWords.unfinished.contains(word.lower) {
                if happening.status == .done { happening.status = .unfinished }
            } else if word.lower == "been", next?.lower == "to" {
                return i
            } else if word.lower == "to" || word.lower == "been" || ActionWords.adverbs.contains(word.lower) {
                // Between them and the verb nothing changes.
            } else {
                guard word.lower.first?.isLetter ?? false,
                    word.mark.isEmpty || i + 1 == words.count || Self.isPast(word)
                else { return nil }
                // "I run": again and again.
                if happening.status == .done, !Self.isPast(word) { happening.status = .unfinished }
                return i
            }
            if i > start, !word.mark.isEmpty { return nil }
            i += 1
        }
        return nil
    }

    /// The time that the text names for what is past, or else the day on which it was said.
    private static func time(of memory: AskMemory) -> Range<Date> {
        let day = AskCalendar.day(of: memory.time)
        let named = memory.dates.first {
            $0.lowerBound < day.upperBound && $0.upperBound.timeIntervalSince($0.lowerBound) <= 32 * 86_400
        }
        return named ?? day
    }
}

/// Days and months, in UTC.
enum AskCalendar {
    static let calendar: Calendar = {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = TimeZone(secondsFromGMT: 0) ?? calendar.timeZone
        return calendar
    }()

    /// The day that holds a moment.
    static func day(of time: Date) -> Range<Date> {
        let start = calendar.startOfDay(for: time)
        return start..<start.addingTimeInterval(86_400)
    }

    /// `2026-03-15`.
    static func name(_ time: Date) -> String {
        let parts = calendar.dateComponents([.year, .month, .day], from: time)
        func two(_ value: Int?) -> String { ((value ?? 0) < 10 ? "0" : "") + String(value ?? 0) }
        return "\(parts.year ?? 0)-\(two(parts.month))-\(two(parts.day))"
    }

    static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]

    /// `January 2026`.
    static func month(_ time: Date) -> String {
        let parts = calendar.dateComponents([.year, .month], from: time)
        return "\(months[(parts.month ?? 1) - 1]) \(parts.year ?? 0)"
    }
}
