/// The work of the next step: who starts, who is preempted, and how many tokens each computes.
public struct StepPlan: Sendable, Equatable {
    /// A sequence that must give its memory up and wait again, as another could not go on.
    public var preempted: Int?
    /// Sequences that start, in order.
    public var admitted: [Int] = []
    /// Tokens of each sequence, in the order of the step.
    public var work: [Work] = []
    /// Positions of memory that those who start take in front of waiting requests whose turn it was, by
    /// the waiting requests' ids.
    public var overtaken: [Int: Int] = [:]

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
/// the ``AdmissionPolicy`` says so; where nothing runs, the policy is not asked. Among keys, the one
/// that was served least goes next; among one key's requests, the oldest. A large request is not
/// overtaken by others of its key, and blocks no other key.
public enum StepScheduler {
    /// The next step; empty if there is nothing to do.
    ///
    /// - Parameters:
    ///   - view: what waits, what runs, and the room that there is.
    ///   - admission: says which requests may start beside those that run.
    /// - Complexity: O((running + waiting)·started), and the policy's for each that starts.
    public static func plan(
        _ view: EngineView, admission: some AdmissionPolicy = AggressiveAdmission()
    ) -> StepPlan {
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
        var batch = AdmissionBatch(view, freeBlocks: free)
        /// Requests whose turn it was, and that find no room.
        var passed: [EngineView.Waiting] = []
        let patience = batch.budget * view.blockTokens
        while batch.count < view.sequences {
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
            if passed.contains(where: { $0.overtaken + (plan.overtaken[$0.id] ?? 0) >= patience }) { break }
            let fits = next.blocks <= batch.freeBlocks
            guard fits, batch.count == 0 || admission.admits(next, beside: batch) else {
                blocked.insert(next.key)
                passed.append(next)
                continue
            }
            batch.admit(next)
            for first in passed { plan.overtaken[first.id, default: 0] += max(1, next.blocks) * view.blockTokens }
            served[next.key, default: 0] += next.prompt
            waiting.removeAll { $0.id == next.id }
            plan.admitted.append(next.id)
        }
        return plan
    }
}
