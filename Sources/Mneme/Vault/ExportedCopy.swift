public import Crypto
import Foundation
public import MnemeStore

/// The state of one exported copy after an erasure: whether it was reached, and what somebody has
/// to do by hand if not.
public struct ExportedCopy: Sendable, Codable, Equatable {
    /// The result of looking for erased memories in the copy. The raw values are part of the API.
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
    /// The result for this copy.
    public let outcome: Outcome
    /// The outcome in words, and what to do about it.
    public let note: String

    /// Makes the note of the outcome; callers never write one of their own, so it reads the same
    /// everywhere.
    init(_ export: VaultExport, _ outcome: Outcome) {
        (self.export, self.outcome, note) = (export, outcome, Self.note(export, outcome))
    }

    /// True if nothing that was erased stands in it, as far as can be seen from here.
    public var isReached: Bool { outcome == .clean || outcome == .rewritten }

    /// One sentence for people: the place, what was found there, and the next step where one is
    /// needed.
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

/// Keys with which a store writes its packages, and with which it opens and signs them again to
/// erase from them.
public struct PackageKeys: Sendable {
    /// The key that signs packages.
    public var signing: Curve25519.Signing.PrivateKey?
    /// The passphrase of sealed ones.
    public var passphrase: String?

    /// A signing key and a passphrase; either may be left out.
    public init(signing: Curve25519.Signing.PrivateKey? = nil, passphrase: String? = nil) {
        (self.signing, self.passphrase) = (signing, passphrase)
    }
}
