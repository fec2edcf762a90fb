import Foundation
import MnemeStore

/// Where a store was backed up and copied to, as its audit log has it: what was erased may stand
/// there still.
enum BackupNote {
    /// Entries of the log at a time.
    private static let page = 1_000

    /// A sentence on backups and copies; nil if the log knows of none. What was taken away from the
    /// log is not known any more.
    ///
    /// - Complexity: one pass over the audit log.
    static func sentence(of store: any MemoryStore) throws -> String? {
        var (backups, copies): (Set<String>, Set<String>) = ([], [])
        var position: Int64 = 0
        while true {
            let entries = try store.auditEntries(after: position, limit: page, by: .mneme)
            for case let detail? in entries.lazy.filter({ $0.operation == "backup" }).map(\.detail) {
                if let place = detail.suffix(after: "backed up to ") { backups.insert(place) }
                if let place = detail.suffix(after: "copied to ") { copies.insert(place) }
            }
            guard entries.count == page, let last = entries.last else { break }
            position = last.position
        }
        var sentences: [String] = []
        if !backups.isEmpty {
            sentences.append(
                "Backups at \(backups.sorted().joined(separator: ", ")) may hold it until the next `mneme backup` there."
            )
        }
        if !copies.isEmpty {
            sentences.append(
                "Copies at \(copies.sorted().joined(separator: ", ")) may hold it for as long as they are there.")
        }
        return sentences.isEmpty ? nil : sentences.joined(separator: " ")
    }
}

extension String {
    /// What follows a beginning; nil without it.
    fileprivate func suffix(after beginning: String) -> String? {
        hasPrefix(beginning) ? String(dropFirst(beginning.count)) : nil
    }
}
