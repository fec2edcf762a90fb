import Foundation
import MnemeBase

/// The rows of a moment that are others than at the point before it, written as one more point.
///
/// The journal tells of memories, claims, edges and sessions; the audit log of grants, policies and
/// answers to repeated requests. What else a row has (its number, index terms, vectors of texts that
/// are the same) is as the point after the moment has it. Jobs, schedules, uses and progress stay as
/// at the point before: nothing tells when they changed.
struct MomentRows {
    private let moment: BackupMoment
    /// What the points around the moment have.
    private let around: MomentPoints
    /// Where the rows are written.
    private let out: BackupSeries
    /// Finds terms of a text that neither point has.
    private let terms: (MemCube) throws -> BackupTextTerms
    private var log = MomentLog()
    private var writer: BackupSegmentWriter
    private let files: Files

    /// The files that were written.
    private final class Files { var all: [BackupFile] = [] }

    /// Rows that are not written yet.
    ///
    /// - Parameters:
    ///   - points: the points up to the one before the moment, and the one after it.
    ///   - out: where they are written; its files are to be removed when they were read.
    init(
        _ moment: BackupMoment, _ points: (lower: [BackupPart], upper: BackupPart), out: BackupSeries,
        _ terms: @escaping (MemCube) throws -> BackupTextTerms
    ) throws {
        (self.moment, self.out, self.terms) = (moment, out, terms)
        around = try MomentPoints(points.lower, points.upper)
        try Privacy.makeFolder(out.name)
        let files = Files()
        self.files = files
        writer = BackupSegmentWriter { data, tables in
            let file = try out.file(data, of: tables, BackupSeries.name(1, files.all.count + 1))
            try out.place.write(file.data, as: file.file.name)
            files.all.append(file.file)
        }
    }

    /// Writes them.
    ///
    /// - Returns: the rows as a point, and memories that were erased between the moment and the point
    ///   after it.
    mutating func write() throws -> (part: BackupPart, erasedLater: Set<String>) {
        try writeLog()
        let known = try writeOwners()
        try writeCubes()
        try writeLinks()
        try writeGrants(known)
        try writeAnswersAndExports(known)
        try writePolicies()
        try writeRest()
        try writer.finish()
        let point = BackupPoint(
            time: moment.time, isWhole: around.isFirst, position: moment.position, memories: 0, rows: writer.rows,
            bytes: 0, files: files.all, marks: around.upper.point.marks)
        let part = BackupPart(
            series: out, point: point, cubes: log.erased.union(log.changes.keys),
            sources: log.erased.union(log.sources))
        return (part, log.erasedLater)
    }

    // MARK: What follows from the journal

    private mutating func writeLog() throws {
        let (journal, audit) = (moment.before?.marks.journal ?? 0, moment.before?.marks.audit ?? 0)
        try writer.begin(.journal)
        try around.upper.read(.journal) { row in
            guard try row.number("position", of: .journal) > journal else { return }
            if try log.add(journal: row, upTo: moment.position) { try writer.add(row) }
        }
        try writer.begin(.audit)
        try around.upper.read(.audit) { row in
            let position = try row.number("position", of: .audit)
            guard position > audit, position <= moment.audit else { return }
            try log.add(audit: row)
            try writer.add(row)
        }
    }

    /// Rows of memories, with what they claim, their vectors, sessions, and who waits for a vector.
    private mutating func writeCubes() throws {
        var (former, next): ([String: [StoredValue]], [String: [StoredValue]]) = ([:], [:])
        var top: Int64 = 0
        func note(_ row: [StoredValue], _ rows: inout [String: [StoredValue]]) throws {
            top = max(top, try row.number("seq", of: .cube))
            guard let id = row.text("id", of: .cube), log.changes[id] != nil || log.erased.contains(id) else { return }
            rows[id] = row
        }
        try around.former(.cube) { try note($0, &former) }
        try around.upper.read(.cube) { try note($0, &next) }
        var builder = MomentCubes(former: former, next: next, top: top, terms: terms)
        try writer.begin(.cube)
        for (id, change) in log.changes.sorted(by: { $0.value.position < $1.value.position }) {
            try writer.add(builder.add(id, change))
        }
        try writer.begin(.named("claim"))
        for row in builder.claims { try writer.add(row) }
        try writer.begin(.vector)
        try around.upper.read(.vector) { row in
            if let row = try builder.vector(row) { try writer.add(row) }
        }
        let places = builder.places
        let sessions = try around.next(.session) { places[$0.value("id", of: .session)] != nil }
        try change(
            .session, sessions,
            finished: { row, former in
                guard let place = places[row.value("id", of: .session)] else { return row }
                let before = try former?.number("next_place", of: .session) ?? 0
                return row.setting("next_place", to: .number(max(before, place + 1)), of: .session)
            })
        let gone = builder.numbers.union(try log.erased.compactMap { try former[$0]?.number("seq", of: .cube) })
        try change(
            .named("pending"), builder.waiting.sorted().map { [.number($0)] },
            isGone: { row in
                if case .number(let seq) = row[0] { gone.contains(seq) } else { false }
            })
    }

    private mutating func writeLinks() throws {
        var edges: [[StoredValue]: [StoredValue]] = [:]
        let (sources, erased) = (log.sources.subtracting(log.erased), log.erased)
        try around.former(.link) { row in
            if sources.contains(row.text("source", of: .link) ?? "") { edges[row.key(of: .link)] = row }
        }
        for (link, isGone, owner) in log.links {
            let row: [StoredValue] = [
                owner, .text(link.source.description), .text(link.target.description), .text(link.kind),
                .real(link.time.timeIntervalSince1970),
            ]
            edges[row.key(of: .link)] = isGone ? nil : row
        }
        try writer.begin(.link)
        for row in edges.values where sources.contains(row.text("source", of: .link) ?? "") {
            if !erased.contains(row.text("target", of: .link) ?? "") { try writer.add(row) }
        }
    }

    /// Owners that came since.
    ///
    /// - Returns: all that there are, with the times of their requests since.
    private mutating func writeOwners() throws -> [StoredValue: Set<Double>] {
        let table = StoreTable.named("owner")
        var known: [StoredValue: Set<Double>] = [:]
        func times(_ row: [StoredValue]) -> Set<Double>? {
            log.requests[Owner(tenant: row.text("tenant", of: table) ?? "", user: row.text("user", of: table) ?? "")]
        }
        try around.former(table) { known[$0[0]] = times($0) ?? [] }
        try writer.begin(table)
        for row in try around.next(table) where known[row[0]] == nil {
            guard let times = times(row) ?? (log.owners.contains(row[0]) ? [] : nil) else { continue }
            known[row[0]] = times
            try writer.add(row)
        }
        return known
    }

    // MARK: What follows from the audit log

    private mutating func writeGrants(_ known: [StoredValue: Set<Double>]) throws {
        let table = StoreTable.named("access_grant")
        var former: Set<StoredValue> = []
        try around.former(table) { former.insert($0[0]) }
        let new = try around.next(table) { row in
            try !former.contains(row[0]) && known[row[1]]?.contains(row.real("created", of: table)) == true
        }
        /// The same grant again takes the place of the one before.
        func kind(_ row: [StoredValue]) -> [StoredValue] {
            ["owner", "cube", "grantee"].map { row.value($0, of: table) }
        }
        let (kinds, log) = (Set(new.map(kind)), log)
        try change(
            table, new,
            isGone: { row in
                let isErased = row.text("cube", of: table).map(log.erased.contains) ?? false
                let isWithdrawn = if case .number(let id) = row[0] { log.withdrawn.contains(id) } else { false }
                return isErased || isWithdrawn || kinds.contains(kind(row))
            })
    }

    /// Answers that are kept for requests that come again, and copies that left.
    private mutating func writeAnswersAndExports(_ known: [StoredValue: Set<Double>]) throws {
        let (answers, exports) = (StoreTable.named("idempotency"), StoreTable.named("export"))
        try change(
            answers,
            around.next(answers) { try known[$0[0]]?.contains($0.real("time", of: answers)) == true })
        let end = moment.time.timeIntervalSince1970
        try change(exports, around.next(exports) { try known[$0[0]] != nil && $0.real("time", of: exports) <= end })
    }

    private mutating func writePolicies() throws {
        let table = StoreTable.named("policy")
        let set = Dictionary(
            log.policies.map { ($0.key == "all tenants" ? "" : $0.key, $0.value) }, uniquingKeysWith: { $1 })
        let rows = set.compactMap { tenant, body in body.map { [StoredValue.text(tenant), .text($0)] } }
        try change(table, rows, isGone: { set[$0.text("tenant", of: table) ?? ""] != nil })
    }

    /// Signatures of the log, where it begins, and the counter of vectors.
    private mutating func writeRest() throws {
        let (signatures, base) = (StoreTable.named("audit_checkpoint"), StoreTable.named("audit_base"))
        let (first, last) = (moment.before?.marks.audit ?? 0, moment.audit)
        try change(
            signatures,
            around.next(signatures) { row in
                let position = try row.number("position", of: signatures)
                return position > first && position <= last
            })
        let bases = try around.next(base) { try $0.number("position", of: base) > first }
        try change(base, bases, isGone: { _ in !bases.isEmpty })
        try change(.counter, around.next(.counter))
        // Before the first point nothing says which there were: those that came to be are kept.
        if around.isFirst { try change(.named("schedule"), around.next(.named("schedule"))) }
    }

    // MARK: Parts

    /// Writes the buckets of a table in which rows are others than at the point before.
    ///
    /// - Parameters:
    ///   - rows: rows that are new, or take the place of those with their key.
    ///   - finished: makes the row that is written, of one of `rows` and the one with its key before.
    ///   - isGone: tells which of the rows before are gone.
    private mutating func change(
        _ table: StoreTable, _ rows: [[StoredValue]],
        finished: ([StoredValue], [StoredValue]?) throws -> [StoredValue] = { row, _ in row },
        isGone: ([StoredValue]) -> Bool = { _ in false }
    ) throws {
        var new = Dictionary(rows.map { ($0.key(of: table), $0) }, uniquingKeysWith: { $1 })
        var touched = Set(new.values.map { BackupBuckets.bucket(of: $0, in: table) })
        try around.former(table) { row in
            if isGone(row) { touched.insert(BackupBuckets.bucket(of: row, in: table)) }
        }
        guard !touched.isEmpty else { return }
        try writer.begin(table)
        try around.former(table) { row in
            let key = row.key(of: table)
            if let next = new.removeValue(forKey: key) {
                try writer.add(finished(next, row))
            } else if touched.contains(BackupBuckets.bucket(of: row, in: table)), !isGone(row) {
                try writer.add(row)
            }
        }
        for row in new.values { try writer.add(finished(row, nil)) }
        writer.replace(touched.sorted())
    }
}

/// The rows that the points around a moment have.
private struct MomentPoints {
    /// The rows at the point before.
    let reading: BackupReading
    /// The point after.
    let upper: BackupPart
    /// True if there is no point before.
    let isFirst: Bool

    /// - Parameter lower: the points up to the one before the moment; none before the first.
    init(_ lower: [BackupPart], _ upper: BackupPart) throws {
        (reading, self.upper, isFirst) = (try BackupReading(lower), upper, lower.isEmpty)
    }

    /// Hands over the rows of a table at the point before.
    func former(_ table: StoreTable, _ body: ([StoredValue]) throws -> Void) throws {
        var reading = reading
        try reading.fold(table) { try body($1) }
    }

    /// The rows that the point after has of a table.
    func next(
        _ table: StoreTable, where isWanted: ([StoredValue]) throws -> Bool = { _ in true }
    ) throws -> [[StoredValue]] {
        var rows: [[StoredValue]] = []
        try upper.read(table) { if try isWanted($0) { rows.append($0) } }
        return rows
    }
}

extension [StoredValue] {
    /// The values that tell it from other rows.
    fileprivate func key(of table: StoreTable) -> [StoredValue] { table.order.map { value($0, of: table) } }

    /// The row with another value.
    func setting(_ column: String, to value: StoredValue, of table: StoreTable) -> [StoredValue] {
        var row = self
        row[table.index(column)] = value
        return row
    }
}
