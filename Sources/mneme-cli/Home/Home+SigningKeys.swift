import Crypto
import Foundation
import Mneme
import MnemeBase

extension Home {
    /// The file of the key that signs the audit log. `$MNEME_AUDIT_KEY` puts it where who can
    /// change the store cannot read it.
    static var auditKey: String {
        ProcessInfo.processInfo.environment["MNEME_AUDIT_KEY"] ?? folder + "/audit.key"
    }

    /// The key that signs the audit log; made when it is first needed.
    static func signingKey() throws -> Curve25519.Signing.PrivateKey {
        try signingKey(at: auditKey)
    }

    /// The file of the key that signs packages (`mneme vault export --sign`).
    static let packageKey = folder + "/vault.key"
    /// Keys that open and sign packages again, for erasing in copies that left the store; a key
    /// that is not there is not made.
    static var packageKeys: PackageKeys {
        PackageKeys(
            signing: FileManager.default.fileExists(atPath: packageKey)
                ? try? signingKey(at: packageKey) : nil,
            passphrase: VaultCommand.Passphrase.ofEnvironment)
    }

    /// An Ed25519 key that lies in a file; made when it is first needed.
    ///
    /// The file holds the 32 bytes of the private key, for its owner alone. A file that holds
    /// anything else is never overwritten, as signatures made with the lost key could not be
    /// verified.
    ///
    /// - Throws: `InputError` if it cannot be made, or holds no key.
    static func signingKey(at path: String) throws -> Curve25519.Signing.PrivateKey {
        if !FileManager.default.fileExists(atPath: path) {
            do {
                try Privacy.makeFolder(parent(of: path))
                // Of two processes that are the first, one's key stays.
                try AtomicFile.write(
                    Curve25519.Signing.PrivateKey().rawRepresentation, to: path, .ifAbsent)
            } catch let error as FileError {
                throw InputError(
                    "\(error.description) It would hold a key; MNEME_AUDIT_KEY names another place for that of the audit log."
                )
            }
        }
        guard let data = FileManager.default.contents(atPath: path),
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: data)
        else {
            throw InputError(
                "\(path) is not a key of 32 bytes. Restore it, or remove it: a new one is made, and older signatures are then of another key."
            )
        }
        return key
    }
}
