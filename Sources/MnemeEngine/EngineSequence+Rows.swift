import MnemeKV
import MnemeModels

/// The rows of a sequence, whichever way they are held: all of them, or those that a policy keeps.
extension EngineSequence {
    /// Makes room for further tokens.
    ///
    /// - Returns: false if there is none: something must end first.
    /// - Throws: ``MnemeKV/KVError`` if the system has no addresses left.
    func prepare(_ tokens: Int) throws -> Bool {
        if let session { return try session.prepare(positions: position + tokens) }
        return compressed?.prepare(tokens) ?? false
    }

    /// The sequence's part of a step.
    ///
    /// - Parameters:
    ///   - range: of its tokens among the step's.
    ///   - logits: of the last so many tokens.
    /// - Returns: nil if it has no rows.
    func segment(_ range: Range<Int>, logits: Int) -> DecoderSegment? {
        if let session {
            let observed = compression?.observed(position, range.count) ?? (all: 0, recent: 0)
            return DecoderSegment(
                tokens: range, position: position, view: session.view, logits: logits,
                observation: compressed?.observation(last: observed.all, recent: observed.recent))
        }
        guard let compressed, let compression else { return nil }
        let observed = compression.observedBehind(range.count)
        return DecoderSegment(
            tokens: range, position: compressed.next, view: compressed.view, logits: logits,
            observation: compressed.observation(last: observed.all, recent: observed.recent))
    }

    /// Says that tokens were computed, which `position` counts already.
    mutating func didCompute(_ tokens: Int) {
        guard let compressed, let compression else { return }
        if isCompressed {
            compressed.note(upTo: compressed.next + tokens, token)
            compressed.advance(tokens)
            compressed.encode()
        } else if position == compression.exactTokens {
            taken = 0
        }
    }

    /// The rows that the answer was given from.
    var kept: KeptRows? {
        guard isCompressed, let compressed else { return nil }
        var kept = KeptRows(
            policy: compressed.policy.name, type: compressed.codec,
            tokens: compressed.rowsPerHead, bytes: compressed.keptBytes)
        kept.readBytes = compressed.readBytes
        return kept
    }
}
