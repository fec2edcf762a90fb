/// Questions that a claim answers, by rule: "Where does Ana live?".
///
/// A fact that a model learned from one question is often not found by another; so each claim is
/// asked for in several ways.
public enum ClaimQuestion {
    /// Questions in other words, the plainest first; at least one.
    ///
    /// - Parameters:
    ///   - subject: as it is to be written; nil is the user, who asks about themself.
    ///   - attribute: such as `home`, `employer`, `email`, `opinion of coffee`.
    public static func texts(subject: String?, attribute: String) -> [String] {
        let name = subject ?? "I"
        let does = subject == nil ? "do" : "does"
        let whose = subject.map { $0 + ($0.hasSuffix("s") ? "'" : "'s") } ?? "my"
        let whom = subject ?? "me"
        let be = subject == nil ? "am" : "is"
        // "Tell me where Ana lives", "where I live".
        func third(_ verb: String) -> String { subject == nil ? verb : verb + "s" }
        switch attribute {
        case "home":
            return [
                "Where \(does) \(name) live?", "In which place \(does) \(name) live?",
                "What is \(whose) home town?", "Tell me where \(name) \(third("live")).",
            ]
        case "employer":
            return [
                "Where \(does) \(name) work?", "Who employs \(whom)?",
                "Which company \(does) \(name) work for?", "What is \(whose) workplace?",
            ]
        case "age":
            return [
                "How old \(be) \(name)?", "What is \(whose) age?", "Tell me how old \(name) \(be).",
            ]
        case "time":
            return [
                "When \(be) \(name)?", "At what time \(be) \(name)?", "Tell me when \(name) \(be).",
            ]
        case "place":
            return [
                "Where \(be) \(name)?", "In which place \(be) \(name)?",
                "Tell me where \(name) \(be).",
            ]
        case "diet":
            return [
                "What \(does) \(name) eat?", "What is \(whose) diet?",
                "Tell me what \(name) \(third("eat")).",
            ]
        default:
            let opinion = "opinion of "
            guard attribute.hasPrefix(opinion) else {
                return [
                    "What is \(whose) \(attribute)?", "Tell me \(whose) \(attribute).",
                    "Which \(attribute) \(does) \(name) have?",
                    "What do you know about \(whose) \(attribute)?",
                ]
            }
            let what = attribute.dropFirst(opinion.count)
            return [
                "What \(does) \(name) think of \(what)?", "\(subject == nil ? "Do" : "Does") \(name) like \(what)?",
                "What is \(whose) opinion of \(what)?",
            ]
        }
    }
}
