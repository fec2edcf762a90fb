public import Foundation

/// The log of copies that left the store, so that erasing reaches them.
public protocol ExportLog: Sendable {
    /// Writes down that a copy of memories left, in place of what is known of the same place.
    func record(_ export: VaultExport) throws
    /// Copies of an owner's memories that left, the oldest first; none for who does not see
    /// all of the memories.
    func exports(of owner: Owner, by caller: Caller) throws -> [VaultExport]
    /// Takes a copy that is no more from the list.
    func forget(_ export: VaultExport, by caller: Caller) throws
    /// Ids that were erased of an owner's after a position of the journal.
    func erased(of owner: Owner, since position: Int64) throws -> [CubeID]
}

/// A copy of an owner's memories that left the store, written down so that erasing reaches it.
public struct VaultExport: Sendable, Codable, Hashable {
    /// The way by which a copy left.
    public enum Kind: String, Sendable, Codable {
        /// Written to a file.
        case file
        /// Fetched from the server by somebody who follows the vault.
        case server
    }

    /// Whose memories.
    public var owner: Owner
    /// The way by which it left.
    public var kind: Kind
    /// The file's path, or the name of the key that fetched it.
    public var place: String
    /// The time, and by whom; of what is fetched again and again the last time.
    public var time: Date, principal: String
    /// The position of the journal up to which erasures are in it: what was erased later may still
    /// stand there.
    public var position: Int64

    /// A copy.
    public init(
        owner: Owner, kind: Kind, place: String, time: Date, principal: String, position: Int64
    ) {
        (self.owner, self.kind, self.place, self.time, self.principal, self.position) = (
            owner, kind, place, time, principal, position
        )
    }
}
