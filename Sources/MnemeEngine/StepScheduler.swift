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

        /// A sequence with these figures.
        public init(id: Int, position: Int, pending: Int, blocks: Int) {
            self.id = id
            self.position = position
            self.pending = pending
            self.blocks = blocks
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

/// The work of the next step: who starts, who is preempted, and how many tokens each computes.
public struct StepPlan: Sendable, Equatable {
    /// A sequence that must give its memory up and wait again, as another could not go on.
    public var preempted: Int?
    /// Sequences that start, in order.
    public var admitted: [Int] = []
    /// Tokens of each sequence, in the order of the step.
    public var work: [Work] = []

    /// An empty plan.
    public init() {}

    /// A sequence's share of a step.
    public struct Work: Sendable, Equatable {
        /// The sequence.
        public var id: Int
        /// The number of its pending tokens that are computed.
        public var tokens: Int

        /// `tokens` of the sequence `id`.
        public init(id: Int, tokens: Int) {
            self.id = id
            self.tokens = tokens
        }
    }
}

/// Continuous batching with chunked prefill (Orca, Yu et al. 2022; Sarathi-Serve, Agrawal et al.
/// 2024): a pure function.
///
/// Sequences that answer go first, one token each, so that their rate does not suffer; what room is
/// left in the step is filled with prompts. Memory is given block by block as sequences grow. Where
/// one finds none, the youngest is preempted: what it computed stays cached as long as there is
/// room, so that little is lost. A request starts when there is a place, memory for its prompt, and
/// a further block for each that runs. Among keys, the one that was served least goes next; among
/// one key's requests, the oldest. A large request is not overtaken by others of its key, and
/// blocks no other key.
public enum StepScheduler {
    /// The next step; empty if there is nothing to do.
    ///
    /// - Complexity: O((running + waiting)·started).
    public static func plan(_ view: EngineView) -> StepPlan {
        var plan = StepPlan()
        var room = view.stepTokens
        var free = view.freeBlocks
        var stuck = false
        func blocks(_ tokens: Int) -> Int { (tokens + view.blockTokens - 1) / view.blockTokens }
        /// Gives a sequence what it can compute.
        func work(_ sequence: EngineView.Running) {
            guard room > 0 else { return }
            let tokens = min(
                sequence.pending, room,
                (sequence.blocks + free) * view.blockTokens - sequence.position)
            guard tokens > 0 else {
                stuck = true
                return
            }
            free -= max(0, blocks(sequence.position + tokens) - sequence.blocks)
            room -= tokens
            plan.work.append(StepPlan.Work(id: sequence.id, tokens: tokens))
        }
        for sequence in view.running where sequence.pending == 1 { work(sequence) }
        for sequence in view.running where sequence.pending > 1 { work(sequence) }
        if stuck {
            // The oldest always goes on; the youngest that holds anything makes room.
            if let youngest = view.running.last(where: { $0.pending > 0 }),
                youngest.id != view.running.first(where: { $0.pending > 0 })?.id
            {
                plan.preempted = youngest.id
                plan.work.removeAll { $0.id == youngest.id }
            }
            return plan
        }
        var waiting = view.waiting
        var served = view.served
        var blocked: Set<String> = []
        var running = view.running.count
        while running < view.sequences {
            let heads = Dictionary(waiting.map { ($0.key, $0) }) { first, _ in first }.values.filter {
                !blocked.contains($0.key)
            }
            guard
                let next = heads.min(by: {
                    (served[$0.key] ?? 0, $0.id) < (served[$1.key] ?? 0, $1.id)
                })
            else {
                break
            }
            guard next.blocks + running <= free else {
                blocked.insert(next.key)
                continue
            }
            free -= next.blocks
            served[next.key, default: 0] += next.prompt
            waiting.removeAll { $0.id == next.id }
            plan.admitted.append(next.id)
            running += 1
        }
        return plan
    }
}
