/// The engine's state as the scheduler sees it: plain values, so that it can be tested and
/// simulated without a model.
public struct EngineView: Sendable, Equatable {
    /// A sequence that holds memory for keys and values.
    public struct Running: Sendable, Equatable {
        /// Names the sequence.
        public var id: Int
        /// Tokens that are computed.
        public var position: Int
        /// Tokens that are not: the prompt's rest, or the one token that was sampled last. 0 while
        /// it is loaded from disk.
        public var pending: Int
        /// Blocks of keys and values that it holds.
        public var blocks: Int
        /// Those of them that no other sequence holds: they come free when it ends.
        public var unsharedBlocks: Int
        /// Tokens of its answer so far, and the most that may still come.
        public var answered = 0, remaining = 0

        /// A sequence with these figures.
        public init(id: Int, position: Int, pending: Int, blocks: Int) {
            self.id = id
            self.position = position
            self.pending = pending
            self.blocks = blocks
            unsharedBlocks = blocks
        }
    }

    /// A request that has not started, or was preempted.
    public struct Waiting: Sendable, Equatable {
        /// Names the sequence.
        public var id: Int
        /// The key of the caller: keys are served in turn.
        public var key: String
        /// Tokens of its prompt that must be computed.
        public var prompt: Int
        /// Blocks that it takes to start, besides those that others hold already.
        public var blocks: Int
        /// Tokens of its answer that were there when it was preempted, and the most that may still
        /// come.
        public var answered = 0, remaining = 0
        /// Positions of memory that others took in front of it when it was its turn, see
        /// ``StepPlan/overtaken``.
        public var overtaken = 0

        /// A request with these figures.
        public init(id: Int, key: String, prompt: Int, blocks: Int) {
            self.id = id
            self.key = key
            self.prompt = prompt
            self.blocks = blocks
        }
    }

    /// Running sequences, in order of their start.
    public var running: [Running]
    /// Waiting requests, in order of arrival.
    public var waiting: [Waiting]
    /// Tokens computed for each key so far.
    public var served: [String: Int]
    /// Blocks that are free, or could be.
    public var freeBlocks: Int
    /// Positions of a block.
    public var blockTokens: Int
    /// Tokens of a step.
    public var stepTokens: Int
    /// Sequences that may run at once.
    public var sequences: Int

    /// A state of these sequences and limits.
    public init(
        running: [Running], waiting: [Waiting], served: [String: Int], freeBlocks: Int,
        blockTokens: Int,
        stepTokens: Int, sequences: Int
    ) {
        self.running = running
        self.waiting = waiting
        self.served = served
        self.freeBlocks = freeBlocks
        self.blockTokens = blockTokens
        self.stepTokens = stepTokens
        self.sequences = sequences
    }
}
