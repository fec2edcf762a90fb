/// The part of an English word that its forms share, found by endings alone. It is a key for
/// comparing, not a word.
///
/// The index's stemmers (Snowball) find a word in many texts, where a wrong match costs little: they
/// make one stem of "university" and "universe". Here a wrong match is a wrong answer, so that only
/// the endings of inflection go.
enum Stem {
    /// Forms that endings do not give.
    private static let irregular = [
        "wrote": "write", "written": "write", "made": "make", "built": "build", "bought": "buy",
        "sold": "sell", "began": "begin", "begun": "begin", "found": "find", "got": "get",
        "went": "go", "gone": "go", "did": "do", "done": "do", "died": "die", "dying": "die",
        "born": "bear", "men": "man", "women": "woman", "children": "child", "people": "people",
        "feet": "foot", "mice": "mouse", "teeth": "tooth", "lost": "lose", "won": "win",
        "ate": "eat", "eaten": "eat", "drank": "drink", "drunk": "drink", "sent": "send",
        "kept": "keep", "left": "left", "ran": "run", "grew": "grow", "grown": "grow",
        "paid": "pay", "said": "say", "took": "take", "taken": "take", "gave": "give",
        "given": "give", "chose": "choose", "chosen": "choose", "taught": "teach",
        "learnt": "learn", "spent": "spend", "cooked": "cook", "led": "lead", "fell": "fall",
        "fallen": "fall", "better": "better", "species": "species", "news": "news",
    ]

    /// The stem of a lower-case word.
    static func of(_ word: String) -> String {
        if let known = irregular[word] { return withoutEnd(known) }
        // Short words, and those with digits or letters of other scripts, stay as they are.
        guard word.utf8.count > 3, word.utf8.allSatisfy({ (97...122).contains($0) }) else {
            return word
        }
        var stem = word
        func drop(_ ending: String, least: Int = 3) -> Bool {
            guard stem.hasSuffix(ending), stem.utf8.count - ending.utf8.count >= least else {
                return false
            }
            stem.removeLast(ending.utf8.count)
            return true
        }
        if stem.hasSuffix("ss") || stem.hasSuffix("us") || stem.hasSuffix("is") {
            return withoutEnd(stem)
        }
        if drop("ies") {
            stem += "y"
        } else if stem.hasSuffix("sses") || stem.hasSuffix("xes") || stem.hasSuffix("ches")
            || stem.hasSuffix("shes")
        {
            stem.removeLast(2)
        } else if drop("s") {
            // The form of one.
        }
        if drop("ied", least: 2) {
            stem += "y"
        } else if drop("ing") || drop("ed") {
            let end = stem.suffix(2)
            // "stopping" has the letter twice; "falling" keeps it.
            if end.first == end.last, let last = end.last, !"lsz".contains(last) { stem.removeLast() }
        }
        return withoutEnd(stem)
    }

    /// Without an `e` at the end, which "making" does not have.
    private static func withoutEnd(_ stem: String) -> String {
        stem.utf8.count > 3 && stem.hasSuffix("e") ? String(stem.dropLast()) : stem
    }
}
