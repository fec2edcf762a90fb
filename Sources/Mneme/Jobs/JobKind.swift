/// The name of a kind of background job, such as `decay`. A ``Maintainer`` does the jobs of one
/// kind, and names it in its own file: `static let decay`.
public struct JobKind: RawRepresentable, Hashable, Sendable {
    /// As it stands in the store, on the command line and in messages.
    public let rawValue: String

    /// A kind by its name, whether this build knows it or not.
    public init(rawValue: String) { self.rawValue = rawValue }
}
