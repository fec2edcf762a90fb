import Foundation
import Mneme
public import MnemeBase
public import MnemeCube
import MnemeIndex
public import MnemeTrain

/// Pairs that an embedder learns from, made of memories by rule alone: questions that a memory answers
/// (`ClaimQuestion`, `StatementQuestion`), a turn of a conversation and the
/// next, and a question in a few of a memory's own words, the rarest.
///
/// To each comes a hard negative: the nearest memory by the base's vectors that is clearly less near
/// than the right one (positive-aware mining; Moreira et al. 2024), since the nearest wrong one is
/// often right.
public struct MemoryPairs {
    /// Of a memory's words, those that a question keeps.
    private static let keptWords = 4
    /// The fewest words of a turn that has a next one.
    private static let turnWords = 5
    /// A negative is at most so near, by the score of the right text.
    private static let nearest: Float = 0.95

    private let memories: [MemCube]
    /// As they are embedded: who said it, and what.
    private let texts: [String]

    /// - Parameter memories: the oldest first.
    public init(_ memories: [MemCube]) {
        self.memories = memories
        texts = memories.map { MemoryOS.embeddingText($0.text, speaker: $0.speaker) }
    }

    /// The pairs, each with a negative where there is one.
    ///
    /// - Parameters:
    ///   - embedder: the base.
    ///   - others: pairs that come from files; those without negatives get them, too.
    /// - Throws: what the embedder throws.
    /// - Complexity: that of embedding all memories and questions once, and a search for each.
    public func pairs(mining embedder: any TextEmbedder, and others: [TextPair] = []) throws -> [TextPair] {
        let pairs = plainPairs + others
        let words = Array(Set(texts + others.map(\.text))).sorted()
        guard words.count > 1, !pairs.isEmpty else { return pairs }
        let index = try FlatIndex(dimension: embedder.dimension)
        var places: [String: Int] = [:]
        for start in stride(from: 0, to: words.count, by: 256) {
            let some = Array(words[start..<min(start + 256, words.count)])
            let vectors = try embedder.embed(some, as: .document)
            try index.apply(
                VectorChanges(
                    inserted: some.indices.map { (key: start + $0, vector: vectors[$0]) },
                    position: Int64(start + some.count)))
            for (i, word) in some.enumerated() { places[word] = start + i }
        }
        let sources = Dictionary(
            zip(texts, memories.map { "\($0.id)" }).map { ($0, [$1]) }, uniquingKeysWith: +)
        return try stride(from: 0, to: pairs.count, by: 256).flatMap { start in
            let some = pairs[start..<min(start + 256, pairs.count)]
            let questions = try embedder.embed(some.map(\.question), as: .query)
            return try some.enumerated().map { i, pair in
                guard pair.negatives.isEmpty else { return pair }
                var pair = pair
                let question = questions[i]
                let own = places[pair.text].flatMap { index.vector($0) } ?? []
                let limit = Self.nearest * zip(own, question).reduce(0) { $0 + $1.0 * $1.1 }
                let found = try index.search(question, VectorSearch(20)).first { match in
                    let text = words[match.key]
                    return match.score < limit && text != pair.text && text != pair.question
                        && Set(sources[text] ?? []).isDisjoint(with: pair.sources)
                }
                pair.negatives = found.map { [words[$0.key]] } ?? []
                return pair
            }
        }
    }

    /// The pairs without negatives.
    package var plainPairs: [TextPair] {
        let counts = wordCounts
        var last: [String: Int] = [:]
        return memories.indices.flatMap { i -> [TextPair] in
            let (memory, text) = (memories[i], texts[i])
            let source = "\(memory.id)"
            var pairs = memory.trainingExamples.filter { !$0.prompt.isEmpty }.map {
                TextPair($0.prompt, text, sources: [source])
            }
            if let question = Self.question(of: memory, counts) {
                pairs.append(TextPair(question, text, sources: [source]))
            }
            guard let session = memory.scope.session, !session.isEmpty else { return pairs }
            if let before = last[session], memories[before].text.split(separator: " ").count >= Self.turnWords,
                memory.text.split(separator: " ").count >= Self.turnWords
            {
                pairs.append(TextPair(texts[before], text, sources: ["\(memories[before].id)", source]))
            }
            last[session] = i
            return pairs
        }
    }

    /// In how many memories each word is.
    private var wordCounts: [Substring: Int] {
        memories.reduce(into: [:]) { counts, memory in
            for word in Set(Self.words(memory.text)) { counts[word, default: 0] += 1 }
        }
    }

    /// A question in the rarest words of a memory, in their order, with who said it; nil for a text of
    /// fewer than two words.
    private static func question(of memory: MemCube, _ counts: [Substring: Int]) -> String? {
        let all = words(memory.text)
        let rarest = all.enumerated().sorted {
            (counts[$0.element, default: 0], $0.offset) < (counts[$1.element, default: 0], $1.offset)
        }
        var seen: Set<Substring> = []
        let kept = rarest.filter { seen.insert($0.element).inserted }.prefix(keptWords)
        // A text that has no more words than these would be asked for by itself.
        guard kept.count >= 2, Set(all).count > kept.count else { return nil }
        let words = kept.sorted { $0.offset < $1.offset }.map { String($0.element) }
        return ([memory.speaker].compactMap { $0 } + words).joined(separator: " ")
    }

    /// A text's words of letters, three and more, in small letters.
    private static func words(_ text: String) -> [Substring] {
        text.lowercased().split { !$0.isLetter && $0 != "'" }.filter { $0.count > 2 }
    }
}
