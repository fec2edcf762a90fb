package import MnemeKV

/// A sequence that waits or runs, as ``StepQueue`` handles it: the engine's, and that of a replay.
package protocol ScheduledSequence {
    /// Counts requests; the older comes first.
    var id: Int { get }
    /// Whose it is, for fairness, and who may find what it computes.
    var key: String { get }
    var scope: String { get }
    /// Tokens of prompt and answer so far, and those of them that are there before it answers.
    var tokens: Int { get }
    var startTokens: Int { get }
    /// Blocks that it takes beside those of its tokens.
    var extraBlocks: Int { get }
    /// Tokens of the answer so far, and the most that may still come.
    var answered: Int { get }
    var remaining: Int { get }
    /// As the scheduler sees it while it runs; without what it shares.
    var view: EngineView.Running { get }
    /// Blocks that nobody else holds.
    var unsharedBlocks: Int { get }
    /// A token of prompt or answer.
    func token(_ index: Int) -> Int32
    /// Gives its memory up; what it computed stays cached as long as there is room.
    mutating func putBack()
}

/// Who waits, who runs and whose turn it is: all that a plan is made from, and what it changes.
///
/// The engine drives it with a model, a replay in simulated time: both decide alike.
package struct StepQueue<Item: ScheduledSequence> {
    /// In order of arrival, those that were preempted first.
    package var waiting: [Item] = []
    /// In order of their start.
    package var running: [Item] = []
    /// Tokens that each key was served.
    package var shares = FairShare()
    /// Says who may start.
    package var admission: any AdmissionPolicy
    /// Memory that others took in front of those that wait, by their ids.
    private var overtaken: [Int: Int] = [:]
    private let cache: KVCache
    private let stepTokens: Int, sequences: Int

    /// An empty queue.
    ///
    /// - Parameters:
    ///   - stepTokens: of a step.
    ///   - sequences: that may run at once.
    package init(_ cache: KVCache, stepTokens: Int, sequences: Int, admission: any AdmissionPolicy) {
        self.cache = cache
        self.stepTokens = stepTokens
        self.sequences = sequences
        self.admission = admission
    }

    /// Takes note of who has requests now: keys without lose no turn, and gain none.
    package mutating func updateShares() { shares.update(active: Set((waiting + running).map(\.key))) }

    /// The next step.
    package func plan() -> StepPlan { StepScheduler.plan(view(), admission: admission) }

    /// Puts the sequence back that a plan preempts: it waits at the head of the line with its answer
    /// so far.
    ///
    /// - Returns: whether there was one.
    package mutating func putBack(_ plan: StepPlan) -> Bool {
        guard let id = plan.preempted, let i = running.firstIndex(where: { $0.id == id }) else {
            return false
        }
        var item = running.remove(at: i)
        item.putBack()
        waiting.insert(item, at: 0)
        return true
    }

    /// Takes those that a plan starts out of the line, in its order.
    package mutating func takeAdmitted(_ plan: StepPlan) -> [Item] {
        let admitted = plan.admitted.compactMap { id in
            waiting.firstIndex { $0.id == id }.map { waiting.remove(at: $0) }
        }
        if !plan.overtaken.isEmpty || !overtaken.isEmpty {
            let left = Set(waiting.map(\.id))
            overtaken = overtaken.merging(plan.overtaken, uniquingKeysWith: +).filter { left.contains($0.key) }
        }
        return admitted
    }

    /// The state as the scheduler sees it. Only the first waiting request of each key is looked up
    /// in the cache, and only if there is a place: a look-up costs a hash of the prompt. What
    /// sequences share counts only if somebody may start.
    private func view() -> EngineView {
        var keys: Set<String> = []
        let hasPlace = running.count < sequences
        return EngineView(
            running: running.map { item in
                var view = item.view
                (view.answered, view.remaining) = (item.answered, item.remaining)
                view.unsharedBlocks = hasPlace && !waiting.isEmpty ? item.unsharedBlocks : view.blocks
                return view
            },
            waiting: waiting.map { item in
                // Only the first of each key may start soon.
                let isNext = hasPlace && keys.insert(item.key).inserted
                let count = item.startTokens
                let cached =
                    isNext
                    ? cache.cachedTokens((0..<count).map { item.token($0) }, scope: item.scope)
                    : (count: 0, blocksInUse: 0)
                var view = EngineView.Waiting(
                    id: item.id, key: item.key, prompt: item.tokens - cached.count,
                    blocks: KVShape.blocks(count + 1) - cached.blocksInUse + item.extraBlocks)
                (view.answered, view.remaining) = (item.answered, item.remaining)
                view.overtaken = overtaken[item.id] ?? 0
                return view
            }, served: shares.served, freeBlocks: cache.available, blockTokens: KVShape.blockTokens,
            stepTokens: stepTokens, sequences: sequences)
    }
}
