/// The tier of a memory, on the way from what was just said to what is known of somebody: the tiers
/// of MemoryOS (Kang et al. 2025) [95].
public enum MemoryTier: String, Sendable, Codable, CaseIterable {
    /// Of a conversation that goes on.
    case shortTerm = "short-term"
    /// Of a topic that came up.
    case midTerm = "mid-term"
    /// Of a topic that came up, or was asked for, again and again.
    case longTerm = "long-term"
    /// A person's profile: who they are, and what they like.
    case profile
}
