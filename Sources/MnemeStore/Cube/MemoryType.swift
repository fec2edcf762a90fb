/// What a memory is about, as the field names it.
public enum MemoryType: String, Sendable, Codable, CaseIterable {
    /// Something that happened.
    case episodic
    /// A fact.
    case semantic
    /// How something is done.
    case procedural
    /// What somebody likes or wants.
    case preference
    /// Who somebody is: name, home, work, family.
    case core
}
