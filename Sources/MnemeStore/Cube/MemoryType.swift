/// Kinds of memories, as the field names them.
public enum MemoryType: String, Sendable, Codable, CaseIterable {
    /// Something that happened.
    case episodic
    /// A fact.
    case semantic
    /// How something is done.
    case procedural
    /// Likes and wishes.
    case preference
    /// Who somebody is: name, home, work, family.
    case core
}
