/// Rules for what comes in, for a tenant or for all.
public struct MemoryPolicy: Sendable, Codable, Equatable {
    /// The way with a text that wants to steer a model which reads it.
    public enum Protection: String, Sendable, Codable, CaseIterable {
        /// It is kept out of recall until somebody releases it.
        case hold
        /// It is recalled, marked as what it is.
        case mark
        /// Nobody looks.
        case off
    }

    /// Kinds of strings that are taken out of a text before it is kept.
    public enum Redaction: String, Sendable, Codable, CaseIterable {
        /// Keys, tokens and passwords.
        case secrets
        /// Addresses of mail and network, telephone, card and account numbers.
        case personal
    }

    /// See ``Protection``.
    public var protection: Protection
    /// Kinds that are taken out.
    public var redaction: Set<Redaction>
    /// True if the text as it was is kept beside, archived and labelled `restricted`, when
    /// something is remembered. What an update takes out is gone.
    public var keepsOriginals: Bool

    /// Holds what steers, and takes nothing out.
    public init(
        protection: Protection = .hold, redaction: Set<Redaction> = [], keepsOriginals: Bool = false
    ) {
        self.protection = protection
        self.redaction = redaction
        self.keepsOriginals = keepsOriginals
    }
}
