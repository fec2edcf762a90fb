import MnemeKV
import MnemeModels

/// Keys and values of texts that stood in earlier prompts, for prompts in which they stand
/// elsewhere: recalled memories, mostly.
///
/// Each text is kept as a sequence of its own, as if it stood at the beginning, in a scope that
/// ordinary prompts do not search: what is kept of it depends on what it stood behind. Taken into a
/// prompt, its keys are rotated to the new positions, and the tokens that the question attends to
/// most are recomputed (see ``MnemeKV/ChunkReuse``). Used by the engine's thread alone.
final class TextReuse: Sendable {
    /// The least tokens that are worth it: fewer are computed faster than moved.
    static let least = 64

    private let cache: KVCache
    private let decoder: TransformerDecoder
    private let rebase: KVRebase
    private let recomputeRatio: Double

    init(_ cache: KVCache, _ decoder: TransformerDecoder, recomputeRatio: Double) {
        self.cache = cache
        self.decoder = decoder
        self.recomputeRatio = recomputeRatio
        rebase = KVRebase(decoder.configuration)
    }

    /// A text of a prompt, and the session in which it is looked for.
    struct Part {
        var range: Range<Int>
        var session: KVCache.Session

        var isLoading: Bool { session.isLoading }
        var isComplete: Bool { session.restored == range.count && session.failure == nil }
        func close() { session.close({ _ in 0 }, computed: 0) }
    }

    /// A session with what is cached of a text; nil without address space.
    private func open(
        _ text: ArraySlice<Int32>, _ scope: String, _ sources: Set<String>,
        _ loaded: @escaping @Sendable () -> Void
    ) -> KVCache.Session? {
        // One token is always left to compute: a last one that is none. No name of an owner begins
        // with NUL.
        try? cache.open(
            Array(text) + [-1], positions: text.count + 1, scope: "\0text " + scope,
            sources: sources, keepsShort: true,
            loaded: loaded)
    }

    /// Looks for texts of a prompt.
    func find(_ request: GenerationRequest, loaded: @escaping @Sendable () -> Void) -> [Part] {
        request.texts.compactMap { range in
            open(request.prompt[range], request.scope, request.sources, loaded).map {
                Part(range: range, session: $0)
            }
        }
    }

    /// Texts on their way into a prompt, step by step.
    struct Rebasing {
        var texts: Set<Range<Int>>
        var filling: ChunkReuse
    }

    /// Begins to fill a prompt's keys and values but for its last token.
    ///
    /// - Parameters:
    ///   - cachedTokens: of the prompt's prefix, exact.
    ///   - view: with room for the prompt.
    /// - Returns: what is left to compute, step by step, while the parts are open; nil if it is not
    ///   worth it, and nothing was done.
    func move(_ prompt: [Int32], cachedTokens: Int, parts: [Part], view: KVView) -> Rebasing? {
        let whole = parts.filter {
            $0.isComplete && $0.range.lowerBound >= cachedTokens && $0.range.upperBound < prompt.count
        }
        guard whole.reduce(0, { $0 + $1.range.count }) >= Self.least else { return nil }
        let chunks = whole.map {
            ChunkReuse.Chunk(range: $0.range, source: $0.session.view, position: 0)
        }
        let filling = ChunkReuse(
            decoder, view, tokens: Array(prompt.dropLast()), cachedTokens: cachedTokens, chunks: chunks,
            policy: QuestionAttention(),
            recomputeRatio: recomputeRatio)
        return Rebasing(texts: Set(whole.map(\.range)), filling: filling)
    }

    /// Keeps the texts of a prompt whose keys and values are computed, unless a memory in it was
    /// erased meanwhile.
    func keep(
        _ request: GenerationRequest, of prompt: KVCache.Session, except moved: Set<Range<Int>>
    ) {
        for range in request.texts where !moved.contains(range) {
            let text = request.prompt[range]
            guard let session = open(text, request.scope, request.sources, {}) else { continue }
            // What is erased from now on is seen by the new session, too.
            guard !prompt.wasErased, !session.isLoading, session.restored < text.count,
                (try? session.prepare(positions: text.count)) == true
            else {
                session.close({ _ in 0 }, computed: 0)
                continue
            }
            let restored = session.restored
            rebase.copy(
                range.lowerBound + restored..<range.upperBound, of: prompt.view, to: session.view,
                at: restored)
            session.close({ text[text.startIndex + $0] }, computed: text.count)
        }
    }
}
