/// Where a training that is off-loaded to the host has its data, when part of the host's memory is
/// slower: memory behind CXL as one more NUMA node (Liaw and Chen 2025) [21].
///
/// The processor's optimizer reads and writes its state and waits for each line; transfers to the
/// device are long and do not mind latency. So the state goes to local memory, and what is sent to
/// the slower one; what does not fit is striped over all cards by their bandwidth.
public struct MemoryTiers: TrainingQuestion, Equatable {
    /// A kind of memory.
    public struct Tier: Sendable, Codable, Equatable {
        /// Bytes.
        public var capacity: Double
        /// Bytes a second of the processor's loads and stores, and of transfers.
        public var processor: Double, transfer: Double

        /// Memory of such rates.
        public init(capacity: Double, processor: Double, transfer: Double) {
            (self.capacity, self.processor, self.transfer) = (capacity, processor, transfer)
        }
    }

    /// Local memory.
    public var local = Tier(capacity: 128e9, processor: 200e9, transfer: 200e9)
    /// Cards of memory behind CXL: slow for loads, near a link's rate for transfers.
    public var cards = [Tier](
        repeating: Tier(capacity: 256e9, processor: 14e9, transfer: 24e9), count: 2)
    /// The device's link, bytes a second.
    public var link = 50e9
    /// Bytes of the optimizer's state, read and written in a step: weights, moments, gradients.
    public var state = 16 * 7e9
    /// Bytes that are sent to the device and back in a step: weights, gradients, layers' inputs.
    public var sent = 4 * 7e9 + 60e9

    /// Seven billion parameters, and sixty gigabytes of layers' inputs.
    public init() {}

    /// Seconds of the optimizer's step and of transfers, for the bytes that each tier has of either:
    /// local memory first. Tiers are read side by side where `stripes`; else a page behind the other.
    func seconds(state: [Double], sent: [Double], stripes: Bool) -> (update: Double, transfer: Double) {
        let tiers = [local] + cards
        let updates = zip(state, tiers).map { $0 / $1.processor }
        let moves = zip(sent, tiers).map { 2 * $0 / $1.transfer }
        let narrow = 2 * sent.reduce(0, +) / link
        guard stripes else { return (2 * updates.reduce(0, +), max(moves.max() ?? 0, narrow)) }
        return (2 * (updates.max() ?? 0), max(moves.max() ?? 0, narrow))
    }

    /// Pages dealt out over all tiers in turn, whatever they are for.
    func interleaved(_ bytes: Double, tiers: [Tier]) -> [Double] {
        let all = tiers.reduce(0) { $0 + $1.capacity }
        return tiers.map { bytes * $0.capacity / all }
    }

    /// Into the first tier as far as there is room, then over the cards by bandwidth.
    private func split(_ bytes: Double, localRoom: Double, cards: [Tier]) -> [Double] {
        let first = min(bytes, localRoom)
        let rates = cards.reduce(0) { $0 + $1.transfer }
        return [first] + cards.map { rates > 0 ? (bytes - first) * $0.transfer / rates : 0 }
    }

    /// Local memory alone if it were large enough, pages dealt out, state in local memory with one card,
    /// and with all cards striped.
    ///
    /// - Throws: ``TrainingError`` if there is no card, a rate is not above 0, or it does not fit.
    public func report() throws -> PlanReport {
        let tiers = [local] + cards
        let capacity = tiers.reduce(0) { $0 + $1.capacity }
        guard !cards.isEmpty, link > 0, tiers.allSatisfy({ $0.processor > 0 && $0.transfer > 0 }) else {
            throw TrainingError(
                .invalidSetting, "Memory behind CXL is planned for one card or more, with rates above 0.")
        }
        guard state + sent <= capacity else {
            throw TrainingError(.invalidSetting, "The training needs more memory than there is.")
        }
        func option(_ name: String, _ state: [Double], _ sent: [Double], stripes: Bool) -> PlannedOption {
            let time = seconds(state: state, sent: sent, stripes: stripes)
            var option = PlannedOption(name, seconds: time.update + time.transfer)
            option.memoryBytes = state[0] + sent[0]
            if state[0] + sent[0] > local.capacity { option.obstacle = "needs more local memory than there is" }
            return option
        }
        let none = cards.map { _ in 0.0 }
        let one = Array(cards.prefix(1))
        func aware(_ cards: [Tier], stripes: Bool) -> ([Double], [Double]) {
            let pad = [Double](repeating: 0, count: self.cards.count - cards.count)
            let place = split(state, localRoom: local.capacity, cards: cards)
            return (place + pad, split(sent, localRoom: local.capacity - place[0], cards: cards) + pad)
        }
        let (first, all) = (aware(one, stripes: false), aware(cards, stripes: true))
        return PlanReport(
            "an off-loaded training in local memory and \(cards.count) cards",
            [
                option("local memory alone", [state] + none, [sent] + none, stripes: true),
                option(
                    "pages dealt out", interleaved(state, tiers: tiers), interleaved(sent, tiers: tiers),
                    stripes: false),
                option("state local, one card", first.0, first.1, stripes: false),
                option("state local, cards striped", all.0, all.1, stripes: true),
            ])
    }
}
