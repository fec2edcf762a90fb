import Foundation

/// What journal and audit log say of the time from a point to a moment after it.
struct MomentLog {
    /// A memory's last change.
    struct Change {
        var position: Int64, version: Int64, owner: StoredValue, time: StoredValue
        /// The memory after it; nil where it was erased since.
        var payload: String?
    }

    /// Memories that were changed, with the last change; and those among them that were erased.
    private(set) var changes: [String: Change] = [:]
    private(set) var erased: Set<String> = []
    /// Edges that came and went, in their order, and whose they are.
    private(set) var links: [(link: CubeLink, isGone: Bool, owner: StoredValue)] = []
    /// Memories from which edges came or went.
    private(set) var sources: Set<String> = []
    /// Memories that were erased after the moment.
    private(set) var erasedLater: Set<String> = []
    /// Owners by the numbers that the journal has, and by name, with the times of their requests.
    private(set) var owners: Set<StoredValue> = []
    private(set) var requests: [Owner: Set<Double>] = [:]
    /// Grants that were taken back.
    private(set) var withdrawn: Set<Int64> = []
    /// Policies that were set, by the name that the log has, as JSON; nil for none of its own.
    private(set) var policies: [String: String?] = [:]

    /// Takes in an entry of the journal.
    ///
    /// - Returns: whether it is of the moment.
    mutating func add(journal row: [StoredValue], upTo end: Int64) throws -> Bool {
        let position = try row.number("position", of: .journal)
        let operation = row.text("operation", of: .journal).flatMap(JournalEntry.Operation.init)
        let id = row.text("cube", of: .journal) ?? ""
        guard position <= end else {
            if operation == .erase { erasedLater.insert(id) }
            return false
        }
        let owner = row.value("owner", of: .journal)
        let payload = row.text("payload", of: .journal)
        owners.insert(owner)
        switch operation {
        case .link, .unlink:
            sources.insert(id)
            // An end that was erased since takes the edge along.
            guard let payload else { break }
            links.append((try StoreCoding.decode(CubeLink.self, payload), operation == .unlink, owner))
        case .erase:
            erased.insert(id)
            changes[id] = nil
        default:
            changes[id] = Change(
                position: position, version: try row.number("version", of: .journal), owner: owner,
                time: row.value("time", of: .journal), payload: payload)
        }
        return true
    }

    /// Takes in an entry of the audit log.
    mutating func add(audit row: [StoredValue]) throws {
        guard row.text("outcome", of: .audit) == AuditEntry.Outcome.done.rawValue else { return }
        if let tenant = row.text("tenant", of: .audit), let user = row.text("user", of: .audit) {
            requests[Owner(tenant: tenant, user: user), default: []].insert(try row.real("time", of: .audit))
        }
        guard let detail = row.text("detail", of: .audit) else { return }
        if detail.hasPrefix("grant "), let id = Int64(detail.dropFirst(6)) { withdrawn.insert(id) }
        guard row.text("operation", of: .audit) == "policy" else { return }
        if let body = detail.range(of: ": {") {
            policies[String(detail[..<body.lowerBound])] = String(detail[detail.index(before: body.upperBound)...])
        } else if detail.hasSuffix(": as for all") {
            policies[String(detail.dropLast(": as for all".count))] = .some(nil)
        }
    }
}
