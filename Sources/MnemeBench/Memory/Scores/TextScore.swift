import Foundation

/// Scores of an answer against a reference, as the authors of benchmarks define them. All lie between
/// 0 and 1.
///
/// `scripts/make_golden_scores.py` compares them with the packages and published lines that define
/// them.
public enum TextScore {
    /// Words that carry nothing: SQuAD's three, and LoCoMo's `and`.
    private static let articles: Set<String> = ["a", "an", "the"]

    /// Words of an answer as SQuAD's script compares them (Rajpurkar et al. 2016): lower case, without
    /// ASCII punctuation and articles.
    static func words(_ text: String, without: Set<String> = articles) -> [String] {
        var kept = ""
        for scalar in text.lowercased().unicodeScalars where !isPunctuation(scalar) {
            kept.unicodeScalars.append(scalar)
        }
        // An article is a whole run of letters, digits and underscores.
        var result = ""
        var run = ""
        func end() {
            result += without.contains(run) ? " " : run
            run = ""
        }
        for character in kept.unicodeScalars {
            if character.properties.isAlphabetic || character.properties.numericType != nil || character == "_" {
                run.unicodeScalars.append(character)
            } else {
                end()
                result.unicodeScalars.append(character)
            }
        }
        end()
        return result.split(whereSeparator: \.isWhitespace).map(String.init)
    }

    /// ASCII punctuation, as Python's `string.punctuation` has it.
    private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: true
        default: false
        }
    }

    /// The harmonic mean of precision and recall of words, each counted as often as both have it.
    static func overlap(_ answer: [String], _ reference: [String]) -> Double {
        var counts: [String: Int] = [:]
        for word in reference { counts[word, default: 0] += 1 }
        var common = 0.0
        for word in answer where counts[word, default: 0] > 0 {
            counts[word]! -= 1
            common += 1
        }
        guard common > 0 else { return 0 }
        let precision = common / Double(answer.count)
        let recall = common / Double(reference.count)
        return 2 * precision * recall / (precision + recall)
    }

    /// SQuAD's F1 of words. What says yes, no or noanswer fits itself alone, as MemoryAgentBench has it.
    public static func f1(_ answer: String, _ reference: String) -> Double {
        let words = words(answer)
        let expected = Self.words(reference)
        let alone: Set = [["yes"], ["no"], ["noanswer"]]
        if alone.contains(words) || alone.contains(expected), words != expected { return 0 }
        return overlap(words, expected)
    }

    /// 1 if both are the same words.
    public static func exact(_ answer: String, _ reference: String) -> Double {
        words(answer) == words(reference) ? 1 : 0
    }

    /// 1 if the reference stands in the answer.
    public static func contains(_ answer: String, _ reference: String) -> Double {
        let expected = words(reference).joined(separator: " ")
        // Nothing stands in everything, as Python has it.
        return expected.isEmpty || words(answer).joined(separator: " ").contains(expected) ? 1 : 0
    }

    /// LoCoMo's F1 of stems (`f1_score` of its `evaluation.py`).
    public static func stemF1(_ answer: String, _ reference: String) -> Double {
        func stems(_ text: String) -> [String] {
            words(text.replacing(",", with: ""), without: articles.union(["and"])).map(PorterStems.stem)
        }
        return overlap(stems(answer), stems(reference))
    }

    /// LoCoMo's F1 of lists with commas: the mean over the reference's parts of the best part of the
    /// answer (`f1` of its `evaluation.py`).
    public static func listF1(_ answer: String, _ reference: String) -> Double {
        let parts = answer.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let expected = reference.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let best = expected.map { part in parts.map { stemF1($0, part) }.max() ?? 0 }
        return best.reduce(0, +) / Double(max(1, best.count))
    }

    /// BLEU of single words (Papineni et al. 2002), as MemoryOS [95] reports it for LoCoMo: the share of the answer's words
    /// that the reference has, each as often as there at most, less where the answer is shorter.
    public static func bleu1(_ answer: String, _ reference: String) -> Double {
        let (said, expected) = (words(answer, without: []), words(reference, without: []))
        guard !said.isEmpty, !expected.isEmpty else { return 0 }
        var counts: [String: Int] = [:]
        for word in expected { counts[word, default: 0] += 1 }
        var common = 0
        for word in said where counts[word, default: 0] > 0 {
            counts[word, default: 0] -= 1
            common += 1
        }
        let brevity = min(1, exp(1 - Double(expected.count) / Double(said.count)))
        return brevity * Double(common) / Double(said.count)
    }

    /// The F-measure of the longest common subsequence of stems (ROUGE-L, Lin 2004), as the package
    /// `rouge_score` computes it with its stemmer.
    public static func rougeL(_ answer: String, _ reference: String) -> Double {
        func tokens(_ text: String) -> [String] {
            text.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
                .map { $0.count > 3 ? PorterStems.stem(String($0)) : String($0) }
        }
        let first = tokens(answer)
        let second = tokens(reference)
        guard !first.isEmpty, !second.isEmpty else { return 0 }
        var row = [Int](repeating: 0, count: second.count + 1)
        for word in first {
            var diagonal = 0
            for j in 1...second.count {
                let above = row[j]
                row[j] = word == second[j - 1] ? diagonal + 1 : max(above, row[j - 1])
                diagonal = above
            }
        }
        let common = Double(row[second.count])
        guard common > 0 else { return 0 }
        let precision = common / Double(first.count)
        let recall = common / Double(second.count)
        return 2 * precision * recall / (precision + recall)
    }

    /// The best score over several references; 0 without any.
    public static func best(_ references: [String], _ score: (String) -> Double) -> Double {
        references.map(score).max() ?? 0
    }
}
