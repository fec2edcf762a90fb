public import MnemeStore

extension Principal {
    /// The scope of the KV cache that this principal's prompts are looked up in. A key that reaches
    /// one owner alone shares nothing with others: the time of an answer would tell what they
    /// asked.
    public var cacheScope: String {
        reachesAll ? "" : "\(tenant ?? "")/\(user ?? "")/\(agent ?? "")/\(clearance.name)"
    }
}
