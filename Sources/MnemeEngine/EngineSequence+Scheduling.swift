import MnemeKV

/// The sequence as the scheduler handles it.
extension EngineSequence: ScheduledSequence {
    var key: String { request.key }
    var startTokens: Int { compression?.exactTokens ?? tokens }
    var extraBlocks: Int { compression?.blocks ?? 0 }
    var answered: Int { answer.count }
    var remaining: Int { maxTokens - answer.count }
    var unsharedBlocks: Int { session?.unsharedBlocks ?? compressed?.pages.blocks ?? 0 }

    /// One that is compressed counts blocks of pages: its position is where the next tokens take as
    /// many new ones as they need.
    var view: EngineView.Running {
        let pending = isFilling ? 0 : reach - position
        guard isCompressed, let compressed else {
            return EngineView.Running(
                id: id, position: position, pending: pending, blocks: session?.blocks ?? 0)
        }
        let tokens = min(pending, compressed.stepTokens)
        let pages = compressed.pages
        let new = compressed.newPages(tokens)
        let blocks = pages.blocks
        let needed = pages.blocksNeeded(new.halves, .halves) + pages.blocksNeeded(new.codes, .codes)
        return EngineView.Running(
            id: id, position: (blocks + needed) * KVShape.blockTokens - tokens, pending: tokens,
            blocks: blocks)
    }

    mutating func putBack() {
        release()
        position = 0
        (parts, rebasing, moved, ahead) = ([], nil, [], nil)
        (session, compressed, taken) = (nil, nil, nil)
    }
}
