import Foundation
import MnemeBase
import MnemeStore

/// A vault that is followed: `mneme vault subscribe` makes it, `mneme vault pull` reads on from its
/// position.
///
/// All are in one file, `$MNEME_HOME/subscriptions.json`. It holds keys of servers, so its owner
/// alone may read it.
struct Subscription: Codable, Equatable {
    /// The vault here.
    var owner: Owner
    /// A server's URL or a file's path.
    var source: String
    /// The vault there; that of the key if nil.
    var vault: String?
    /// The server's key.
    var key: String?
    /// The only key whose signature a file may bear, in hexadecimal digits.
    var trust: String?
    /// Position up to which the server's journal was read; 0 for files, which are read whole.
    var position: Int64
    /// What the server's last package said of that position: with it the server notices that its
    /// journal went back.
    var mark: String?

    /// The list of subscriptions, for its owner alone.
    private static var file: String { Home.folder + "/subscriptions.json" }

    /// All vaults that are followed; none if the file is missing.
    ///
    /// - Throws: `FileError` if the file cannot be read or does not hold subscriptions: what it says
    ///   is never taken for none, as it would be overwritten then.
    static func all() throws -> [Subscription] {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: file))
        } catch CocoaError.fileReadNoSuchFile {
            return []
        } catch {
            throw FileError.damaged(file, "cannot be read: \(error.localizedDescription)")
        }
        guard let known = try? JSONDecoder().decode([Subscription].self, from: data) else {
            throw FileError.damaged(
                file, "is no list of followed vaults. Restore it, or remove it and subscribe again.")
        }
        return known
    }

    /// Reads the list, changes it and writes it, while no other process does so. If anything fails,
    /// the file stays as it was.
    ///
    /// - Throws: `FileError`, and what `body` throws.
    static func change(_ body: (inout [Subscription]) throws -> Void) throws {
        try Privacy.makeFolder(Home.folder)
        try FileLock.holding(folder: Home.folder) {
            var subscriptions = try all()
            try body(&subscriptions)
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try AtomicFile.write(encoder.encode(subscriptions), to: file)
        }
    }
}
