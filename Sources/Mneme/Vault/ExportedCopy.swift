public import Crypto
import Foundation
public import MnemeStore

/// What erasing came to in a copy of memories that had left the store.
public struct ExportedCopy: Sendable, Codable, Equatable {
    /// How far it was reached.
    public enum Outcome: String, Sendable, Codable {
        /// It holds nothing that was erased.
        case clean
        /// It was written again without what was erased.
        case rewritten
        /// Whoever fetched it erases there, too, when they fetch again.
        case followed
        /// The file is not there any more: it was moved, or deleted.
        case missing
        /// The file is sealed, and no passphrase is at hand that opens it.
        case sealed
        /// The file is signed with a key that is not at hand.
        case signed
        /// The file is not what was written, or cannot be read or written.
        case unreadable
    }

    /// The copy.
    public var export: VaultExport
    /// How far it was reached.
    public let outcome: Outcome
    /// What that means, and what to do about it.
    public let note: String

    init(_ export: VaultExport, _ outcome: Outcome) {
        (self.export, self.outcome, note) = (export, outcome, Self.note(export, outcome))
    }

    /// Whether nothing that was erased stands in it.
    public var isReached: Bool { outcome == .clean || outcome == .rewritten }

    private static func note(_ export: VaultExport, _ outcome: Outcome) -> String {
        let place = export.place
        return switch outcome {
        case .clean: "\(place) holds nothing that was erased"
        case .rewritten: "\(place) was written again without what was erased"
        case .followed:
            "'\(place)' fetched a copy on \(DateText.day(export.time)), and erases there what was erased here when it fetches again"
        case .missing: "\(place) is not there any more; if it was moved, delete it where it is"
        case .sealed:
            "\(place) is sealed: give its passphrase to `mneme vault exports`, or delete it"
        case .signed:
            "\(place) is signed with a key that is not here: delete it, and export it again"
        case .unreadable: "\(place) was changed or cannot be read or written: delete it"
        }
    }
}

/// What opens and signs packages again that a store's owner has written.
public struct PackageKeys: Sendable {
    /// Signs packages.
    public var signing: Curve25519.Signing.PrivateKey?
    /// Opens sealed ones.
    public var passphrase: String?

    /// None if both are left out.
    public init(signing: Curve25519.Signing.PrivateKey? = nil, passphrase: String? = nil) {
        (self.signing, self.passphrase) = (signing, passphrase)
    }
}
