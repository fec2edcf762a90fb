import ArgumentParser
import MnemeEngine

/// The choice of the next token, for `chat` and `generate`: temperature, top-k, top-p, min-p,
/// typical-p and repetition penalty. Without options the likeliest token is taken, so that answers repeat.
///
/// A value out of bounds ends the command with exit code 2.
struct SamplingOptions: ParsableArguments {
    /// Temperature: logits are divided by it before the softmax.
    @Option(help: "0 takes the likeliest token; higher is more varied.") var temperature = 0.0
    /// Top-k: the number of tokens that stay.
    @Option(help: "Only the k likeliest tokens; 0 for all.") var topK = 0
    /// Top-p (nucleus sampling): the probability that the kept tokens have together; 1 keeps all.
    @Option(help: "Only the likeliest tokens that add up to this probability.") var topP = 1.0
    /// Min-p: the least probability as a part of the highest one; 0 keeps all.
    @Option(help: "Only tokens at least so likely, relative to the likeliest.") var minP = 0.0
    /// Typical-p (locally typical sampling, Meister et al. 2023); 1 keeps all.
    @Option(
        help: "Only the tokens nearest to the expected surprise that add up to this probability.")
    var typicalP = 1.0
    /// Repetition penalty for tokens of the text so far (CTRL, Keskar et al. 2019).
    @Option(help: "Makes tokens that occurred less likely; 1 does nothing.") var repetitionPenalty =
        1.0
    /// The seed of the random numbers that tokens are chosen with.
    @Option(help: "Makes the answer repeatable.") var seed: UInt64?

    /// The options as the engine takes them; it checks their bounds.
    var parameters: SamplingParameters {
        var parameters = SamplingParameters()
        parameters.temperature = temperature
        parameters.topK = topK
        parameters.topP = topP
        parameters.minP = minP
        parameters.typicalP = typicalP
        parameters.repetitionPenalty = repetitionPenalty
        parameters.seed = seed
        return parameters
    }
}
