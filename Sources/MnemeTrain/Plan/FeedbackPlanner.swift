import MnemeBase

/// Which devices do which call of a step of learning from feedback, and how (ReaLHF, Mei et al. 2024)
/// [189]: weights move between calls where another layout is worth it.
///
/// Plans are searched by random changes of one call's layout (Metropolis et al. 1953), beginning with
/// the best layout for all calls alike.
public struct FeedbackPlanner: TrainingQuestion, Equatable {
    /// The calls, each behind the ones that it needs.
    public var calls = FeedbackCall.ppo
    /// What they cost.
    public var cost = FeedbackCost(
        [
            PlannedModel(layers: 32, hidden: 4096), PlannedModel(layers: 32, hidden: 4096),
            PlannedModel(layers: 24, hidden: 2048), PlannedModel(layers: 24, hidden: 2048),
        ], .a100(nodes: 2))

    /// PPO with seven billion parameters that learn, on two nodes.
    public init() {}

    /// - Throws: ``TrainingError`` if a call names one that is not before it, or a model that is none.
    public func check() throws {
        try cost.cluster.check()
        for model in cost.models { try model.check() }
        guard !calls.isEmpty,
            calls.enumerated().allSatisfy({ i, call in
                cost.models.indices.contains(call.model) && call.after.allSatisfy { (0..<i).contains($0) }
            })
        else {
            throw TrainingError(.invalidSetting, "A call needs a model of the list, and calls before it.")
        }
        guard cost.sequences >= 1, cost.promptTokens >= 1, cost.answerTokens >= 1, cost.memoryRate > 0,
            cost.cluster.devices <= 256
        else {
            throw TrainingError(
                .invalidSetting, "Sequences and tokens are above 0, and calls are planned for at most 256 devices.")
        }
    }

    /// Runs of all devices, of half of them and so on; matrices are shared within a node.
    private var layouts: [FeedbackLayout] {
        let n = cost.cluster.devices
        var all: [FeedbackLayout] = []
        let most = cost.cluster.devices(to: max(1, cost.cluster.levels.count - 1))
        var count = n
        while count >= 1 {
            var tensor = 1
            while tensor <= min(count, most) {
                if count % tensor == 0 {
                    all += stride(from: 0, through: n - count, by: count).map {
                        FeedbackLayout(start: $0, count: count, tensor: tensor)
                    }
                }
                tensor *= 2
            }
            count /= 2
        }
        return all
    }

    /// Seconds of a step: a call begins when those before it are done and its devices are free.
    public func seconds(_ plan: [FeedbackLayout]) -> Double {
        var free = [Double](repeating: 0, count: cost.cluster.devices)
        var ends: [Double] = []
        for (i, call) in calls.enumerated() {
            let layout = plan[i]
            let devices = layout.start..<layout.start + layout.count
            // The step before ended with the last call of this model.
            let same = calls.indices.filter { calls[$0].model == call.model }
            let last = same.last { $0 < i } ?? same.last ?? i
            let ready = max(call.after.map { ends[$0] }.max() ?? 0, free[devices].max() ?? 0)
            let end = ready + cost.move(call.model, plan[last], layout) + cost.seconds(call, layout)
            for device in devices { free[device] = end }
            ends.append(end)
        }
        return ends.max() ?? 0
    }

    /// True if weights and state of all calls fit: each model's are held where it learns, and one more
    /// copy where another call has it.
    public func fits(_ plan: [FeedbackLayout]) -> Bool {
        var held = [Double](repeating: 0, count: cost.cluster.devices)
        for (i, call) in calls.enumerated() {
            let isCopy = calls.indices.contains { $0 < i && calls[$0].model == call.model && plan[$0] == plan[i] }
            guard call.kind == .train || !isCopy else { continue }
            for device in plan[i].start..<plan[i].start + plan[i].count {
                held[device] += cost.bytes(call, plan[i])
            }
        }
        return held.allSatisfy { $0 <= cost.cluster.memory }
    }

    /// The best of the layouts that all calls have alike.
    public var still: [FeedbackLayout]? {
        layouts.filter { $0.count == cost.cluster.devices }.map { one in calls.map { _ in one } }
            .filter(fits).min { seconds($0) < seconds($1) }
    }

    /// A plan that is at least as fast as ``still``, by so many tries; the same for the same seed.
    public func search(tries: Int = 20_000, seed: UInt64 = 1) -> [FeedbackLayout]? {
        guard var plan = still else { return nil }
        let layouts = layouts
        var time = seconds(plan)
        var (best, least) = (plan, time)
        var generator = SplitMix64(seed: SplitMix64.mixed(seed))
        for i in 0..<tries {
            var next = plan
            next[Int(generator.unit() * Double(calls.count))] =
                layouts[Int(generator.unit() * Double(layouts.count))]
            guard fits(next) else { continue }
            let other = seconds(next)
            // Worse ones are taken less and less.
            let heat = 0.05 * time * (1 - Double(i) / Double(tries)) + 1e-12
            guard other < time || generator.unit() < power(2.718281828, (time - other) / heat) else { continue }
            (plan, time) = (next, other)
            if time < least { (best, least) = (plan, time) }
        }
        return best
    }

    /// One layout for all beside the plan that was found.
    ///
    /// - Throws: ``TrainingError`` if the models do not fit.
    public func report() throws -> PlanReport {
        try check()
        guard let still, let found = search() else {
            throw TrainingError(.invalidSetting, "The models do not fit into the devices' memory in any one layout.")
        }
        let text = zip(calls, found).map { "\($0.name) \($1.start)-\($1.start + $1.count - 1)/\($1.tensor)" }
        return PlanReport(
            "\(calls.count) calls on \(cost.cluster.devices) devices (devices/tensor)",
            [
                PlannedOption("one layout, tensor/\(still[0].tensor)", seconds: seconds(still)),
                PlannedOption(text.joined(separator: ", "), seconds: seconds(found)),
            ])
    }
}
