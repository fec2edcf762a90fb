import MnemeCube
import MnemePipeline

extension ExtractionContext {
    /// Drafts, and behind them memories that each of them tells: made of it, and at its time, with the input's own tags.
    ///
    /// - Parameters:
    ///   - drafts: of the input.
    ///   - tag: theirs; nil for none.
    ///   - texts: what a draft's memory tells besides its text.
    func adding(
        to drafts: [Draft], of input: MemoryInput, tag: String? = nil, _ texts: (MemCube) -> [String]
    ) -> [Draft] {
        drafts
            + drafts.enumerated().flatMap { number, draft in
                texts(draft.cube).map { Draft(derived($0, from: draft.cube, of: input, tag: tag), madeOf: number) }
            }
    }

    /// A memory that another one of the same input tells.
    func derived(_ text: String, from whole: MemCube, of input: MemoryInput, tag: String?) -> MemCube {
        var cube = self.cube(text, type: .semantic, of: input)
        cube.eventTime = whole.eventTime
        if let tag { cube.tags.append(tag) }
        return cube
    }
}
