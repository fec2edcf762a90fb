import Foundation
import MnemeStore

/// What servers of one store tell each other with `NOTIFY` (PostgreSQL documentation, "NOTIFY"): a
/// notice is sent with a transaction, and delivered after its commit, in the order of commits.
///
/// A channel for each schema. A notice is `ORIGIN owner NUMBER` or `ORIGIN jobs`, with the number of
/// the owner's row: no name and no text. Every role of the database may listen, and may send; what is
/// not understood is passed over, and what is believed leads to another question to the database,
/// no more.
struct PGNotices: Sendable {
    /// The channel's name: letters, digits and underscores.
    let channel: String
    /// Tells this process's notices from others'.
    let origin: String

    /// The notice of jobs, without its origin.
    static let jobs = "jobs"

    /// - Parameter lock: the store's writers', which each schema has its own of.
    init(lock: Int64) {
        channel = "mneme_" + String(UInt64(bitPattern: lock), radix: 16)
        origin = String(UInt64.random(in: .min ... .max), radix: 36)
    }

    /// The notice of an owner's memories, without its origin.
    static func owner(_ id: Int64) -> String { "owner \(id)" }

    /// Sends notices with the transaction that is open.
    func send(_ texts: [String], _ db: PGConnection) throws {
        guard !texts.isEmpty else { return }
        try db.run(
            "SELECT pg_notify(?, notice) FROM unnest(?::text[]) AS notice",
            [channel, texts.map { "\(origin) \($0)" }])
    }

    /// A notice as it is heard.
    enum Heard: Hashable {
        /// Another server has changed an owner's memories.
        case owner(Int64)
        /// Somebody has added jobs.
        case jobs
    }

    /// Reads a notice; nil for one that this server has sent itself and knows, and for words that are
    /// no notice.
    func read(_ text: String) -> Heard? {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        if words.count == 2, words[1] == Self.jobs { return .jobs }
        guard words.count == 3, words[0] != origin, words[1] == "owner", let id = Int64(words[2]) else {
            return nil
        }
        return .owner(id)
    }
}
