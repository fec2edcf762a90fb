package import Foundation

/// Who did what to what, as triples of words, by the rules that aggregation reads sentences with.
package enum SentenceTriples {
    /// A subject, a relation and an object, as words.
    package struct Triple: Sendable, Hashable {
        package var subject, relation, object: String

        /// "ana, buy: a canoe".
        package var text: String { "\(subject), \(relation): \(object)" }
    }

    /// The triples of a text: one for each thing that a clause tells of, none for what is asked, denied or lies ahead.
    ///
    /// - Parameters:
    ///   - text: English sentences.
    ///   - speaker: who stands for "I"; without one, "i".
    ///   - time: when it was said.
    /// - Complexity: O(*n*) in the length of the text.
    package static func find(in text: String, speaker: String?, time: Date) -> [Triple] {
        let reader = HappeningReader([AskMemory(text: text, speaker: speaker, time: time)])
        var seen = Set<Triple>()
        return reader.happenings.compactMap { happening in
            let object = ([happening.object] + happening.places + happening.people).filter { !$0.isEmpty }
            guard happening.status != .unreal, !object.isEmpty, !happening.action.isEmpty else { return nil }
            let triple = Triple(
                subject: happening.actor ?? "i", relation: happening.action, object: object.joined(separator: ", "))
            return seen.insert(triple).inserted ? triple : nil
        }
    }
}
