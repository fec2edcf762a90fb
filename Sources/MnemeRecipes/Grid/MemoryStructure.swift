import Foundation
import MnemeCube
import MnemePipeline

/// What memories are made of, after "On the Structural Memory of LLM Agents" [155].
public enum MemoryStructure: String, Sendable, CaseIterable {
    /// Texts as they were said.
    case chunks
    /// Subject, relation and object: claims, and who did what to what.
    case triples
    /// Single statements that can be read by themselves.
    case facts
    /// The sentences that say most of each few messages.
    case summaries
    /// All four.
    case mixed

    /// The structure's extractor.
    func extractor(over base: any MemoryExtractor) -> any MemoryExtractor {
        switch self {
        case .chunks, .summaries: base
        case .triples: StructureExtractor(base: base, parts: [Self.triples])
        case .facts: StructureExtractor(base: base, parts: [Self.facts])
        case .mixed: StructureExtractor(base: base, parts: [Self.triples, Self.facts], keepsText: true)
        }
    }

    /// The structure's maintainer: summaries are made when several messages are there.
    var maintainer: (any MemoryMaintainer)? {
        self == .summaries || self == .mixed ? WindowSummaries() : nil
    }

    /// The tag of memories that are searched; nil searches all.
    var searched: String? { self == .summaries ? WindowSummaries.tag : nil }
}

/// Makes triples and single facts of a text, beside it or in its place.
struct StructureExtractor: MemoryExtractor {
    /// Finds what a text holds.
    var base: any MemoryExtractor
    /// What is made: ``MemoryStructure/triples``, ``MemoryStructure/facts``.
    var parts: [MemoryStructure]
    /// Whether the text itself is kept.
    var keepsText = false

    /// The tag of what is made of texts.
    static let tag = "grid/part"

    func drafts(of input: MemoryInput, in context: ExtractionContext) -> [Draft] {
        let whole = base.drafts(of: input, in: context)
        var made: [Draft] = []
        for (number, draft) in whole.enumerated() {
            let texts =
                (parts.contains(.triples) ? Self.triples(of: draft.cube) : [])
                + (parts.contains(.facts) ? Self.facts(in: draft.cube.text, speaker: input.speaker) : [])
            for text in texts where text != draft.cube.text {
                let cube = context.derived(text, from: draft.cube, of: input, tag: Self.tag)
                made.append(keepsText ? Draft(cube, madeOf: number) : Draft(cube, words: nil))
            }
        }
        return keepsText ? whole + made : made
    }

    func enrich(_ cube: inout MemCube, words: [String]) { base.enrich(&cube, words: words) }

    /// Claims, and what its sentences tell of.
    static func triples(of cube: MemCube) -> [String] {
        let told = SentenceTriples.find(in: cube.text, speaker: cube.speaker, time: cube.eventTime)
        return cube.claims.map(TripletExtractor.text) + told.map(\.text)
    }

    /// The sentences that state something, each with its speaker's name for "I" and "my".
    static func facts(in text: String, speaker: String?) -> [String] {
        var facts: [String] = []
        var sentence: [Substring] = []
        for word in text.split(whereSeparator: \.isWhitespace) {
            sentence.append(word)
            guard let end = word.last, ".!?".contains(end) else { continue }
            facts.append(fact(sentence, speaker))
            sentence = []
        }
        return (facts + [fact(sentence, speaker)]).filter { !$0.isEmpty }
    }

    /// A sentence as a fact; empty for a question and for a few words.
    private static func fact(_ sentence: [Substring], _ speaker: String?) -> String {
        guard sentence.count > 3, sentence.last?.last != "?" else { return "" }
        guard let speaker else { return sentence.joined(separator: " ") }
        let own = [
            "i": speaker, "me": speaker, "my": speaker + "'s", "i'm": speaker + " is", "i've": speaker + " has",
            "i'll": speaker + " will", "i'd": speaker + " would",
        ]
        var isNamed = false
        let words = sentence.map { word -> String in
            guard let name = own[word.lowercased().replacingOccurrences(of: "\u{2019}", with: "'")] else {
                return String(word)
            }
            isNamed = true
            return name
        }
        return (isNamed ? "" : speaker + ": ") + words.joined(separator: " ")
    }
}
