import MnemeIndex
public import MnemeStore

/// Extraction by rules, without a language model: cuts long texts, keeps every part as it is, and
/// finds its type, entities, keywords, dates and claims.
///
/// A pure function of its input: the same text gives the same drafts, so that a repeated import
/// finds its memories again.
public struct RuleExtractor: MemoryExtractor {
    /// The most dates that are kept of one text.
    private static let dateLimit = 16

    /// Rules have no settings.
    public init() {}

    /// One draft a part of the text; a short text is one part. The type is found by rule unless the
    /// input names it.
    /// - Complexity: O(n) in the length of the text.
    public func drafts(of input: MemoryInput, in context: ExtractionContext) -> [Draft] {
        let parts = Segmenter.parts(of: input.text)
        return parts.enumerated().map { number, part in
            let text = String(part)
            let words = TextAnalyzer.words(text)
            let type = input.type ?? TextFacts.type(of: text, words: words)
            var cube = context.cube(text, type: type, of: input, part: number, parts: parts.count)
            enrich(&cube, words: words)
            return Draft(cube, words: words)
        }
    }

    /// Fills in entities, keywords, dates and claims of a memory from its text. Dates are counted
    /// from the event time on the speaker's clock.
    public func enrich(_ cube: inout MemCube, words: [String]) {
        cube.entities = TextFacts.entities(in: cube.text, speaker: cube.speaker)
        // What stands for something that was taken out is nobody's name.
        let text = cube.text
        if text.contains("]") {
            cube.entities.removeAll { text.contains("[\($0)]") && Redactor.names.contains($0) }
        }
        cube.keywords = TextFacts.keywords(words)
        cube.dates = TimeExpressions.find(in: cube.text, words: words, reference: cube.localTime)
            .prefix(Self.dateLimit)
            .map { DateMention(text: $0.text, start: $0.start, end: $0.end) }
        cube.claims = Claims.find(in: cube.text, words: words, speaker: cube.speaker)
    }
}
