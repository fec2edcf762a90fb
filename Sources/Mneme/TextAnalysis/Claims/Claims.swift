package import MnemeCube

/// Finds what a text claims of which only one thing holds at a time: homes, employers, favourites,
/// where things lie, who likes what.
///
/// By rule, for English. Rules are narrow: what they do not find is kept and recalled like
/// everything else, but supersedes nothing. Questions, wishes and pronouns that could be anybody
/// are passed over: a wrong claim would hide what is right, a missing one costs nothing.
package enum Claims {
    /// Claims of one text that are kept.
    private static let limit = 8
    /// Bytes of a text that are looked at; long texts are stories and documents.
    private static let longest = 2_000

    /// Claims of a text, of each thing the last one.
    ///
    /// - Parameters:
    ///   - words: `TextAnalyzer.words(_:)` of the text.
    ///   - speaker: whom "I" means.
    package static func find(in text: String, words: [String], speaker: String?) -> [Claim] {
        guard text.utf8.count <= longest, words.contains(where: ClaimWords.triggers.contains) else {
            return []
        }
        var found: [Claim] = []
        let sentences = ClaimSentence.sentences(of: text, speaker: speaker?.lowercased() ?? "i")
        for sentence in sentences where found.count < limit {
            for claim in sentence.claims()
            where !found.contains(claim) && found.count < limit {
                // Of one text the last word counts.
                found.removeAll { $0.subject == claim.subject && $0.attribute == claim.attribute }
                found.append(claim)
            }
        }
        return found
    }
}
