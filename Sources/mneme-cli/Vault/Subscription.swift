import Foundation
import MnemeBase
import MnemeStore

/// A vault that is followed.
struct Subscription: Codable {
    /// The vault here.
    var owner: Owner
    /// A server or a file.
    var source: String
    /// The vault there, the key for it, and the key that signs files.
    var vault: String?, key: String?, trust: String?
    /// What was reached.
    var position: Int64

    private static var file: String { Home.folder + "/subscriptions.json" }

    static func all() throws -> [Subscription] {
        guard let data = FileManager.default.contents(atPath: file) else { return [] }
        guard let known = try? JSONDecoder().decode([Subscription].self, from: data) else {
            throw FileError.damaged(file, "is no list of followed vaults. Mend or remove it.")
        }
        return known
    }

    static func save(_ subscriptions: [Subscription]) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try AtomicFile.write(encoder.encode(subscriptions), to: file)
    }
}
