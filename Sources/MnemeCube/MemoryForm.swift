/// What memory is kept as.
public enum MemoryForm: String, Sendable, Codable, CaseIterable {
    /// Texts in the store.
    case text
    /// Keys and values that a model computed of texts.
    case kv
    /// Low-rank weights that a model learned from texts.
    case adapter
}

extension MemCube {
    /// What it is kept as.
    public var form: MemoryForm {
        switch payload {
        case .plaintext: .text
        case .activation: .kv
        case .parametric: .adapter
        }
    }
}
