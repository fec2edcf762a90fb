/// What the scheduler sees of the engine: plain values, so that it can be tested and simulated without a model.
public struct EngineView: Sendable, Equatable {
    /// A sequence that holds memory for keys and values.
    public struct Running: Sendable, Equatable {
        /// Names the sequence.
        public var id: Int
        /// Tokens that are not computed yet: the prompt's rest, or the one token that was drawn last.
        public var pending: Int

        /// All values.
        public init(id: Int, pending: Int) {
            self.id = id
            self.pending = pending
        }
    }

    /// A request that has not started.
    public struct Waiting: Sendable, Equatable {
        /// Names the sequence.
        public var id: Int
        /// Whose it is: keys are served in turn.
        public var key: String
        /// Tokens of its prompt.
        public var prompt: Int
        /// Bytes of keys and values that it may come to need.
        public var bytes: Int

        /// All values.
        public init(id: Int, key: String, prompt: Int, bytes: Int) {
            self.id = id
            self.key = key
            self.prompt = prompt
            self.bytes = bytes
        }
    }

    /// In order of their start.
    public var running: [Running]
    /// In order of arrival.
    public var waiting: [Waiting]
    /// Tokens computed for each key so far.
    public var served: [String: Int]
    /// Bytes of keys and values that are free.
    public var freeBytes: Int
    /// Tokens of a step.
    public var stepTokens: Int
    /// Sequences that may run at once.
    public var sequences: Int

    /// All values.
    public init(running: [Running], waiting: [Waiting], served: [String: Int], freeBytes: Int, stepTokens: Int, sequences: Int) {
        self.running = running
        self.waiting = waiting
        self.served = served
        self.freeBytes = freeBytes
        self.stepTokens = stepTokens
        self.sequences = sequences
    }
}

/// What the next step computes.
public struct StepPlan: Sendable, Equatable {
    /// Sequences that start, in order.
    public var admitted: [Int] = []
    /// Tokens of each sequence, in the order of the step.
    public var work: [Work] = []

    /// Nothing to do.
    public init() {}

    /// A sequence's share of a step.
    public struct Work: Sendable, Equatable {
        /// The sequence.
        public var id: Int
        /// How many of its pending tokens.
        public var tokens: Int

        /// All values.
        public init(id: Int, tokens: Int) {
            self.id = id
            self.tokens = tokens
        }
    }
}

/// Continuous batching with chunked prefill (Orca, Yu et al. 2022; Sarathi-Serve, Agrawal et al. 2024): a pure function.
///
/// Sequences that answer go first, one token each, so that their rate does not suffer; what room is left in the step is
/// filled with prompts. A request starts when a place and the bytes it may come to need are free. Among keys, the one
/// that was served least goes next; among one key's requests, the oldest. A large request is not overtaken by others of
/// its key, and blocks no other key.
public enum StepScheduler {
    /// The next step; empty if there is nothing to do.
    ///
    /// - Complexity: O((running + waiting)·started).
    public static func plan(_ view: EngineView) -> StepPlan {
        var plan = StepPlan(), room = view.stepTokens, free = view.freeBytes, running = view.running
        var waiting = view.waiting, served = view.served, blocked: Set<String> = []
        while running.count < view.sequences {
            let heads = Dictionary(waiting.map { ($0.key, $0) }) { first, _ in first }.values.filter { !blocked.contains($0.key) }
            guard let next = heads.min(by: { (served[$0.key] ?? 0, $0.id) < (served[$1.key] ?? 0, $1.id) }) else { break }
            guard next.bytes <= free else {
                blocked.insert(next.key)
                continue
            }
            free -= next.bytes
            served[next.key, default: 0] += next.prompt
            waiting.removeAll { $0.id == next.id }
            plan.admitted.append(next.id)
            running.append(EngineView.Running(id: next.id, pending: next.prompt))
        }
        for sequence in running where sequence.pending == 1 && room > 0 {
            plan.work.append(StepPlan.Work(id: sequence.id, tokens: 1))
            room -= 1
        }
        for sequence in running where sequence.pending > 1 && room > 0 {
            let tokens = min(sequence.pending, room)
            plan.work.append(StepPlan.Work(id: sequence.id, tokens: tokens))
            room -= tokens
        }
        return plan
    }
}
