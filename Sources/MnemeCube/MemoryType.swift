/// Kinds of memories, as the field names them.
public enum MemoryType: String, Sendable, Codable, CaseIterable {
    /// Something that happened.
    case episodic
    /// A fact.
    case semantic
    /// A procedure: how something is done.
    case procedural
    /// Likes and wishes.
    case preference
    /// A core fact of a person: name, home, work, family.
    case core
}
