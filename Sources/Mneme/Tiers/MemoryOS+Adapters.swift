import MnemeStore
import NIOConcurrencyHelpers

/// Promotion of texts to adapters: what is stable and used is handed to a model that learns.
extension MemoryOS {
    /// Has the job `promote` learn adapters by this one, in place of one before.
    public func attach(learner: any AdapterPromoter) {
        self.learner.withLockedValue { $0 = learner }
    }

    /// Has operations on adapters ask this one, in place of one before.
    public func attach(adapters host: any AdapterHost) {
        adapterHost.withLockedValue { $0 = host }
    }

    /// Hands an owner's stable memories to the promoter of adapters.
    ///
    /// - Returns: what became of it, in words.
    /// - Throws: `InputError` if there is no promoter here; what it throws.
    func promote(_ wanted: AdapterPromotion, of stable: StableMemories, isDry: Bool) async throws -> String {
        var promotion = wanted
        promotion.memories = try await run { [self, wanted] in
            var filter = CubeFilter(owner: wanted.owner, limit: 512)
            (filter.state, filter.form) = (.activated, .text)
            var pages = CubePages(filter, by: .mneme)
            var found: [MemCube] = []
            while let page = try pages.next(from: store) {
                found += page.filter { stable.fits($0, now: wanted.now) }
            }
            return stable.chosen(of: found, now: wanted.now)
        }
        let count = promotion.memories.count
        guard count > 0 else { return "no memory is stable and used enough for \(wanted.adapter)" }
        if isDry { return "would learn \(count) \(count == 1 ? "memory" : "memories") as \(wanted.adapter)" }
        guard let learner = learner.withLockedValue(\.self) else {
            throw InputError(
                "promote adapter=\(wanted.adapter) needs a language model: run `mneme jobs run --model NAME` or `mneme serve --model NAME`."
            )
        }
        return try await learner.promote(promotion, in: self)
    }
}
