/// Where a training stands.
public struct TrainingProgress: Sendable, Equatable {
    /// Steps done.
    public var step = 0
    /// Steps in all.
    public var steps = 0
    /// The step at which this process began: 0 if it did not resume.
    public var firstStep = 0
    /// The last step's mean -log p of a token, before it.
    public var loss = 0.0
    /// KL(base || model) of a token in texts of the base, in the last step, in nats; nil if nothing
    /// is kept.
    public var divergence: Double?
    /// The loss over the held-out examples when it was measured last; nil if none are held out.
    public var heldOutLoss: Double?
    /// The held-out loss before the first step.
    public var firstHeldOutLoss: Double?
    /// Tokens of all steps, also of those before it was resumed.
    public var tokens = 0
    /// Seconds that ``tokens`` took.
    public var seconds = 0.0
    /// Of ``tokens``, those of the processes before this one.
    public var earlierTokens = 0
    /// Of ``seconds``, those of the processes before this one.
    public var earlierSeconds = 0.0

    /// No step yet.
    public init() {}

    /// Goes on from where a checkpoint was written.
    mutating func resume(_ head: TrainingCheckpoint.Head) {
        (step, firstStep) = (head.step, head.step)
        (heldOutLoss, firstHeldOutLoss) = (head.heldOutLoss, head.firstHeldOutLoss)
        (tokens, seconds) = (head.tokens ?? 0, head.seconds ?? 0)
        (earlierTokens, earlierSeconds) = (tokens, seconds)
    }

    /// Seconds that the remaining steps take at this pace; nil before the first.
    public var secondsLeft: Double? {
        step > firstStep
            ? (seconds - earlierSeconds) / Double(step - firstStep) * Double(steps - step) : nil
    }

    /// Tokens a second in this process.
    public var tokensPerSecond: Double {
        let here = seconds - earlierSeconds
        return here > 0 ? Double(tokens - earlierTokens) / here : 0
    }
}
