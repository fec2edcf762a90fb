import MnemeKV
import MnemeModels
import NIOConcurrencyHelpers

/// Answers with procedures that are learned tokens (TokMem) [61]: the answer begins with those of the procedure whose
/// address is nearest to the model's state, and goes on with another's where that is likelier than any token of the
/// vocabulary, so that one answer can follow several. These tokens have no text.
extension Engine {
    /// Room for a step's logits of procedures, for as long as the step is.
    struct ScoreRoom {
        let scores: ProcedureScores
        private let values: UnsafeMutablePointer<Float>

        init(tokens: Int) {
            values = .allocate(capacity: tokens * ProcedureScores.stride)
            scores = ProcedureScores(values)
        }

        func deallocate() { values.deallocate() }
    }

    /// Nil where no running sequence has procedures.
    func procedureScores(_ running: [EngineSequence]) -> ScoreRoom? {
        running.contains { $0.adapter?.weights.procedures != nil }
            ? ScoreRoom(tokens: decoder.stepLogits) : nil
    }

    /// The most tokens of an answer with those of its first procedure, which do not count, as far as there is
    /// memory.
    func room(for procedures: DecoderProcedures, behind prompt: Int, _ most: Int) -> Int {
        let more = most + procedures.tokensEach
        let fits = prompt + more <= context && KVShape.blocks(prompt + more) <= cache.capacity
        return fits ? more : most
    }

    /// Puts a procedure's tokens into an answer, in place of a sampled one, if one begins here.
    ///
    /// Where the answer must fit a schema, or be calls of tools, it follows the first one alone.
    ///
    /// - Parameters:
    ///   - row: of the sequence's last token among those that got logits.
    ///   - logits: the vocabulary's, behind that token.
    func beginProcedure(
        _ sequence: inout EngineSequence, _ scores: ProcedureScores?, row: Int,
        _ logits: UnsafeMutableBufferPointer<Float>
    ) -> Bool {
        guard let scores, let procedures = sequence.adapter?.weights.procedures,
            let best = scores.best(row: row, of: procedures)
        else { return false }
        if let last = sequence.answer.last {
            let left = sequence.maxTokens - sequence.answer.count
            guard sequence.constraint == nil, !procedures.holds(last), left > procedures.tokensEach,
                best.logit > logits[Int(Sampler.argmax(logits))]
            else { return false }
        } else if sequence.maxTokens <= procedures.tokensEach {
            return false
        }
        sequence.answer += procedures.tokens(of: best.procedure)
        sequence.usage.procedures.append(procedures.names[best.procedure])
        shared.withLockedValue { $0.statistics.completionTokens += procedures.tokensEach }
        return true
    }
}
