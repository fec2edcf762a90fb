public import Foundation

/// A conversation of the LoCoMo data set (Maharana et al. 2024) with its questions.
public struct LocomoConversation: Sendable {
    /// One message.
    public struct Turn: Sendable {
        /// The turn's id in the file, its session, who spoke and what.
        public var id, session, speaker, text: String
        /// The time of the session.
        public var time: Date
    }

    /// A question about the conversation.
    public struct Question: Sendable {
        /// The question.
        public var text: String
        /// 1 multi-hop, 2 temporal, 3 open-domain, 4 single-hop, 5 adversarial.
        public var category: Int
        /// Ids of the turns that hold the answer.
        public var evidence: [String]
        /// The answer; nil where there is none, as of adversarial questions.
        public var answer: String?
    }

    /// The conversation's id in the file.
    public var id: String
    /// Messages in order.
    public var turns: [Turn]
    /// Questions with their evidence.
    public var questions: [Question]

    /// Reads a file of conversations.
    ///
    /// A shared photo counts as its caption. Turns of a session are a second apart.
    /// - Throws: `InputError` that names the conversation and what is wrong.
    public static func read(_ data: Data) throws -> [LocomoConversation] {
        guard let list = (try? ImportText.json(data))?.array, !list.isEmpty else {
            throw InputError(
                "The file is not a LoCoMo file: a JSON list of conversations is expected.")
        }
        return try list.enumerated().map { number, entry in
            do { return try read(entry, number: number) } catch let error as InputError {
                throw InputError("Entry \(number): \(error.message)")
            }
        }
    }

    /// Reads one conversation that must be right.
    ///
    /// - Throws: `InputError` that says what is wrong.
    public static func read(_ entry: JSONValue, number: Int) throws -> LocomoConversation {
        var problems: [String] = []
        guard let conversation = read(entry, number, &problems), problems.isEmpty else {
            throw InputError("\(problems.first ?? "it is not a conversation").")
        }
        return conversation
    }

    /// Reads one entry as far as it can be read.
    /// - Parameter problems: gets what cannot, and why.
    static func read(_ entry: JSONValue, _ number: Int, _ problems: inout [String])
        -> LocomoConversation?
    {
        guard let conversation = entry["conversation"]?.object else {
            problems.append("it has no 'conversation'")
            return nil
        }
        let id = entry["sample_id"]?.string ?? "conversation-\(number)"
        let sessions = conversation.keys.compactMap { key in
            key.hasPrefix("session_") ? Int(key.dropFirst(8)) : nil
        }
        var turns: [Turn] = []
        for session in sessions.sorted() {
            guard let messages = conversation["session_\(session)"]?.array else {
                problems.append("\(id): session_\(session) is not a list")
                continue
            }
            guard let text = conversation["session_\(session)_date_time"]?.string,
                let date = date(text)
            else {
                problems.append(
                    "\(id): session_\(session)_date_time is missing or not like '1:56 pm on 8 May, 2023'"
                )
                continue
            }
            for (i, message) in messages.enumerated() {
                guard let speaker = message["speaker"]?.string, let text = message["text"]?.string
                else {
                    problems.append(
                        "\(id): message \(i) of session_\(session) has no speaker or text")
                    continue
                }
                let caption =
                    message["blip_caption"]?.string.map { " [shares a photo of \($0)]" } ?? ""
                turns.append(
                    Turn(
                        id: message["dia_id"]?.string ?? "D\(session):\(i + 1)",
                        session: "session_\(session)",
                        speaker: speaker, text: text + caption,
                        time: date.addingTimeInterval(Double(i))))
            }
        }
        return LocomoConversation(
            id: id, turns: turns, questions: (entry["qa"]?.array ?? []).compactMap(question))
    }

    /// One question of the benchmark; nil if it has no evidence to be found.
    private static func question(_ json: JSONValue) -> Question? {
        guard let text = json["question"]?.string, let category = json["category"]?.int else {
            return nil
        }
        // Some entries hold several ids in one string.
        let evidence = (json["evidence"]?.array ?? []).compactMap(\.string).flatMap {
            $0.split { !($0.isNumber || $0 == "D" || $0 == ":") }.map(String.init)
        }
        let answer: String? =
            switch json["answer"] {
            case .string(let text): text
            case .number(let number): Int(exactly: number).map(String.init) ?? String(number)
            default: nil
            }
        return Question(text: text, category: category, evidence: evidence, answer: answer)
    }

    /// The turns as entries of an import.
    static func document(_ list: [JSONValue]) -> ImportedDocument {
        ImportedDocument.each(list, "entry") { entry, number in
            var document = ImportedDocument()
            var problems: [String] = []
            let conversation = read(entry, number, &problems)
            document.problems = problems.map { "entry \(number + 1): \($0)" }
            guard let conversation else { return document }
            document.entries = conversation.turns.map { turn in
                var input = MemoryInput(
                    turn.text, speaker: turn.speaker, eventTime: turn.time,
                    session: "\(conversation.id)/\(turn.session)")
                input.source = "message"
                input.reference = "\(conversation.id)/\(turn.id)"
                return ImportEntry(input: input)
            }
            return document
        }
    }

    /// "1:56 pm on 8 May, 2023".
    /// - Returns: the time in UTC, since the data set names no zone; nil for any other form.
    static func date(_ text: String) -> Date? {
        let parts = text.lowercased().split(whereSeparator: { " ,:".contains($0) })
        guard parts.count == 7, var hour = Int(parts[0]), let minute = Int(parts[1]),
            parts[3] == "on",
            let day = Int(parts[4]), let year = Int(parts[6]),
            let month = UTCCalendar.monthNames.firstIndex(of: String(parts[5])),
            (1...12).contains(hour),
            (0..<60).contains(minute)
        else { return nil }
        hour = hour % 12 + (parts[2] == "pm" ? 12 : 0)
        return TimeExpressions.calendar.date(
            from: DateComponents(year: year, month: month + 1, day: day, hour: hour, minute: minute)
        )
    }
}
