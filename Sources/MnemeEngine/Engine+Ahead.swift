import MnemeKV
import MnemeModels
import NIOConcurrencyHelpers

/// Computes what follows a prefix while that comes from a tier; see ``LayeredPrefill``.
extension Engine {
    /// Computes the layers of what follows that have come, if there are any.
    ///
    /// - Parameter tokens: room for ``TransformerDecoder/stepTokens`` ids.
    /// - Returns: whether something was computed.
    func computeAhead(
        _ sequence: inout EngineSequence, _ tokens: UnsafeMutableBufferPointer<Int32>
    ) -> Bool {
        guard sequence.isLoading, sequence.parts.isEmpty, let session = sequence.session,
            let arriving = session.arriving, arriving.layers > (sequence.ahead?.paused.layers ?? 0)
        else { return false }
        if sequence.ahead == nil {
            let count = min(decoder.stepTokens, sequence.tokens - 1 - arriving.position)
            guard count > 0, (try? session.prepare(positions: arriving.position + count)) == true else {
                return false
            }
            sequence.ahead = LayeredPrefill(
                position: arriving.position, count: count,
                paused: PausedStep(tokens: count, width: decoder.configuration.hiddenSize))
        }
        resume(sequence, to: arriving.layers, tokens)
        return true
    }

    /// Computes the layers that are left when all of the prefix is there, and goes on behind them.
    func finishAhead(
        _ sequence: inout EngineSequence, _ shares: inout FairShare,
        _ tokens: UnsafeMutableBufferPointer<Int32>
    ) {
        guard let ahead = sequence.ahead else { return }
        resume(sequence, to: decoder.configuration.layers, tokens)
        sequence.ahead = nil
        sequence.position += ahead.count
        shares.serve(sequence.request.key, tokens: ahead.count)
        shared.withLockedValue { $0.statistics.promptTokens += ahead.count }
    }

    private func resume(
        _ sequence: EngineSequence, to layers: Int, _ tokens: UnsafeMutableBufferPointer<Int32>
    ) {
        guard let ahead = sequence.ahead, let session = sequence.session else { return }
        for i in 0..<ahead.count { tokens[i] = sequence.token(ahead.position + i) }
        var segment = DecoderSegment(
            tokens: 0..<ahead.count, position: ahead.position, view: session.view, logits: 0)
        segment.adapter = sequence.adapter?.weights
        withUnsafePointer(to: segment) {
            decoder.resume(
                ahead.paused, to: layers, tokens: UnsafeBufferPointer(rebasing: tokens[..<ahead.count]),
                segments: UnsafeBufferPointer(start: $0, count: 1))
        }
    }
}
