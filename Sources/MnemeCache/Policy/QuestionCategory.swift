/// Kinds of questions whose answers keep for different times and whose wordings lie differently
/// close (Wang et al., category-aware semantic caching, 2025).
///
/// Found by words alone, so that a question's category never depends on what is stored. What changes
/// soon comes first, as it does most harm when it is old: "the price of gold in Python" is live.
/// A question in another language is mostly a ``fact``; its policy is set like any other.
public enum QuestionCategory: String, Sendable, Codable, CaseIterable, CodingKeyRepresentable {
    /// What changes by the hour: prices, weather, news, scores.
    case live
    /// What is about the one who asks.
    case personal
    /// Programs, commands, error messages.
    case code
    /// Calculations and conversions.
    case math
    /// Something to be written, translated or drawn up.
    case task
    /// What holds for long: who, when, where, how.
    case fact
    /// Everything else: conversation, instructions.
    case other

    /// The category of a question.
    public init(of question: String) { self.init(of: QuestionWords(question), question) }

    /// The category of a question that is read already.
    init(of words: QuestionWords, _ text: String) {
        let stems = Set(words.stems)
        if !stems.isDisjoint(with: Self.lively) || words.numbers.contains(where: Self.days.contains) {
            self = .live
        } else if words.quoted.contains(where: { _ in text.contains("`") })
            || !stems.isDisjoint(with: Self.technical)
        {
            self = .code
        } else if words.owners.contains(1) {
            self = .personal
        } else if words.kind == .task {
            self = .task
        } else if words.numbers.count > 0,
            words.signs.contains(where: { "+*/=%^<>".contains($0) })
                || !stems.isDisjoint(with: Self.measures)
        {
            self = .math
        } else {
            self = [.statement].contains(words.kind) && words.stems.count > 12 ? .other : .fact
        }
    }

    private static func stems(_ words: String) -> Set<String> {
        Set(words.split(whereSeparator: \.isWhitespace).map { Stem.of(String($0)) })
    }
    private static let days: Set<String> = [
        "today", "tomorrow", "yesterday", "tonight", "monday", "tuesday", "wednesday", "thursday",
        "friday", "saturday", "sunday",
    ]
    private static let lively = stems(
        """
        now current currently latest newest recent weather forecast news stock stocks share price
        score scores raining snowing temperature traffic exchange breaking live trending moment
        """)
    private static let technical = stems(
        """
        python java javascript typescript swift rust golang ruby php perl kotlin scala haskell html
        css sql json xml yaml regex git docker kubernetes linux bash shell npm pip cargo http api
        compile compiler exception function method array list string variable pointer thread
        database query server container commit branch merge sigterm sigkill file stacktrace segfault
        """)
    private static let measures = stems(
        """
        km miles mile kilometers meters feet inches cm kg pounds pound grams ounces liters gallons
        celsius fahrenheit percent square root sum plus minus times divided multiplied squared
        """)
}
