import Foundation
import MnemeIndex
import MnemeStore

/// The documents of an ``OwnerIndex`` by number: what all are asked for in columns, the rest in
/// records that are read when it is asked for.
///
/// A record: id (36 bytes), agent, session, speaker, number of tags and the tags, the encoded
/// analysis. Each text begins with its length plus one in four bytes, 0 for none.
struct DocumentTable: Sendable {
    private var types = Column<UInt8>(), states = Column<UInt8>()
    /// In seconds since the reference date; not a number stands for none.
    private var eventTimes = Column<Double>(), expiries = Column<Double>(),
        ends = Column<Double>()
    /// Where the record of each begins, in ``records``.
    private var starts = Column<Int>()
    private var records = Column<UInt8>()
    /// True if ``records`` holds some, of former versions or erased, that came there in memory.
    private var hasUnusedRecords = false

    /// No documents.
    init() {}

    /// Documents ever added.
    var count: Int { types.count }
    /// Numbers of all documents.
    var indices: Range<Int> { 0..<count }

    /// Adds a document of a row of the store and its analysis.
    mutating func append(_ row: IndexRow, _ analysis: Analysis) {
        types.append(0)
        states.append(0)
        eventTimes.append(0)
        expiries.append(0)
        ends.append(0)
        starts.append(0)
        put(row, analysis, at: count - 1)
    }

    /// Puts another version of a document in its place; the record of the former is in no file that is
    /// written from then on.
    mutating func replace(_ number: Int, with row: IndexRow, _ analysis: Analysis) {
        hasUnusedRecords = true
        put(row, analysis, at: number)
    }

    private mutating func put(_ row: IndexRow, _ analysis: Analysis, at number: Int) {
        types[number] = Self.code(row.type)
        states[number] = Self.code(row.state)
        eventTimes[number] = row.eventTime.timeIntervalSinceReferenceDate
        expiries[number] = row.expires?.timeIntervalSinceReferenceDate ?? .nan
        ends[number] = row.validUntil?.timeIntervalSinceReferenceDate ?? .nan
        starts[number] = records.count
        records.append(row.id.description.utf8)
        append(row.agent)
        append(row.session)
        append(row.speaker)
        append(UInt32(clamping: row.tags.count))
        for tag in row.tags { append(tag) }
        let isStored = row.analyzer == Analysis.version && !row.analysis.isEmpty
        let encoded = isStored ? row.analysis : analysis.encoded
        append(UInt32(clamping: encoded.count))
        records.append(encoded)
    }

    /// Takes away all but a document's number: its words go, also from memory.
    mutating func erase(_ number: Int) {
        hasUnusedRecords = true
        // The document is let go first: what shares the records makes a change copy them all.
        let written = self[number].written
        for place in written { records[place] = 0 }
        (types[number], states[number]) = (0, Self.code(LifecycleState.erased))
        (eventTimes[number], expiries[number], ends[number]) = (0, .nan, .nan)
    }

    /// True if a document was erased.
    func isErased(_ number: Int) -> Bool { states[number] == Self.code(LifecycleState.erased) }

    /// Documents that were erased.
    ///
    /// - Complexity: one step a document.
    var erasedCount: Int {
        let erased = Self.code(LifecycleState.erased)
        return states.withElements { $0.count { $0 == erased } }
    }

    private mutating func append(_ number: UInt32) {
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            records.append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }

    private mutating func append(_ text: String?) {
        guard let text else { return append(UInt32(0)) }
        append(UInt32(clamping: text.utf8.count + 1))
        records.append(text.utf8)
    }

    /// A document.
    subscript(number: Int) -> Document {
        Document(
            type: type(number),
            state: state(number),
            eventTime: eventTime(number), expires: Self.date(expiries[number]),
            validUntil: Self.date(ends[number]), records: records, start: starts[number])
    }

    /// A document's type and state.
    func type(_ number: Int) -> MemoryType { MemoryType.allCases[Int(types[number])] }
    func state(_ number: Int) -> LifecycleState { LifecycleState.allCases[Int(states[number])] }

    /// When what a document tells of happened.
    func eventTime(_ number: Int) -> Date {
        Date(timeIntervalSinceReferenceDate: eventTimes[number])
    }

    /// The first and the last of all times, in seconds since the reference date; nil without
    /// documents.
    ///
    /// - Complexity: one step a document.
    var eventTimeBounds: ClosedRange<Double>? {
        eventTimes.withElements { times in
            guard var low = times.first else { return nil }
            var high = low
            for time in times {
                low = Swift.min(low, time)
                high = Swift.max(high, time)
            }
            return low <= high ? low...high : nil
        }
    }

    /// Calls `body` with each document whose time lies in some windows, and not in others.
    ///
    /// - Complexity: one step a document and range.
    func forEach(
        within windows: TimeWindows, except others: TimeWindows? = nil, _ body: (Int) -> Void
    ) {
        eventTimes.withElements { times in
            for (number, time) in times.enumerated() where windows.contains(time) {
                if let others, others.contains(time) { continue }
                body(number)
            }
        }
    }

    // MARK: Files

    /// Takes in what ``write(to:since:)`` wrote, upon what was read before.
    mutating func read(from reader: inout TableReader) throws {
        try reader.change(&types)
        try reader.change(&states)
        try reader.change(&eventTimes)
        try reader.change(&expiries)
        try reader.change(&ends)
        try reader.change(&starts)
        try reader.change(&records)
        let counts = [states.count, eventTimes.count, expiries.count, ends.count, starts.count]
        guard counts.allSatisfy({ $0 == types.count }) else {
            throw IndexError(
                .corrupt, "A table of documents is damaged. Delete the file; it is made again.")
        }
    }

    /// Where the documents of a segment begin.
    func start(ofSegment segment: Int) -> Int { types.start(ofSegment: segment) }

    /// Writes what a segment and those behind it have, and what is in none; all for 0.
    ///
    /// Of records that are not in use nothing is written: where all is, without a gap, else with zeros in
    /// their place.
    func write(to writer: inout TableWriter, since segment: Int) {
        writer.addChanges(of: types, since: segment)
        writer.addChanges(of: states, since: segment)
        writer.addChanges(of: eventTimes, since: segment)
        writer.addChanges(of: expiries, since: segment)
        writer.addChanges(of: ends, since: segment)
        guard hasUnusedRecords || starts.isRewritten else {
            writer.addChanges(of: starts, since: segment)
            return writer.addChanges(of: records, since: segment)
        }
        let first = records.start(ofSegment: segment)
        var (starts, records) = (
            Column<Int>(spillingTo: writer.spillFolder), Column<UInt8>(spillingTo: writer.spillFolder)
        )
        if segment > 0 {
            // In pieces: what has no memory of its own is added byte by byte.
            let zeros = [UInt8](repeating: 0, count: 1 << 20)
            for place in stride(from: first, to: self.records.count, by: zeros.count) {
                records.append(zeros.prefix(self.records.count - place))
            }
        }
        for number in segment == 0 ? [] : self.starts.changes(since: segment) {
            copy(number, from: first, to: &records)
        }
        for number in self.starts.start(ofSegment: segment)..<count {
            if segment > 0 {
                copy(number, from: first, to: &records)
            } else {
                starts.append(records.count)
                let written = self[number].written
                self.records.withElements { records.append($0[written]) }
            }
        }
        writer.addChanges(of: self.starts, since: segment, as: segment == 0 ? starts : nil)
        writer.addChanges(of: self.records, since: segment, as: records)
    }

    /// Copies a document's record to where it is, counted from a place on, if it is behind that.
    private func copy(_ number: Int, from first: Int, to target: inout Column<UInt8>) {
        guard starts[number] >= first else { return }
        records.withElements { records in
            for place in self[number].written { target[place - first] = records[place] }
        }
    }

    private static func date(_ seconds: Double) -> Date? {
        seconds.isNaN ? nil : Date(timeIntervalSinceReferenceDate: seconds)
    }

    /// The place of a case among all, which is its code in a file.
    private static func code<Case: CaseIterable & Equatable>(_ value: Case) -> UInt8
    where Case.AllCases == [Case] {
        UInt8(Case.allCases.firstIndex(of: value) ?? 0)
    }
}

/// A memory as filters and features see it, without its text. It reads from its record what it is
/// asked for.
struct Document: Sendable {
    /// Bytes that a record's id takes.
    static let idBytes = 36

    let type: MemoryType
    let state: LifecycleState
    let eventTime: Date
    let expires: Date?, validUntil: Date?
    fileprivate let records: Column<UInt8>
    fileprivate let start: Int

    /// The memory.
    var id: CubeID {
        CubeID(
            stored: records.withElements {
                String(decoding: $0[start..<start + Self.idBytes], as: UTF8.self)
            })
    }
    /// Its agent, session and speaker.
    var agent: String? { text(0) }
    var session: String? { text(1) }
    var speaker: String? { text(2) }

    /// Its tags.
    var tags: [String] {
        var place = placeOfTags
        let count = number(place)
        place += 4
        return (0..<count).compactMap { _ in
            defer { place = behind(place) }
            return text(at: place)
        }
    }

    /// Its terms and cues; nothing if it was erased.
    var analysis: Analysis {
        let place = placeOfAnalysis
        return records.withElements {
            Analysis(encoded: Array($0[place + 4..<place + 4 + number(place)]))
        } ?? .empty
    }

    /// The bytes of its record.
    fileprivate var written: Range<Int> {
        let place = placeOfAnalysis
        return start..<place + 4 + number(place)
    }

    private var placeOfTags: Int { (0..<3).reduce(start + Self.idBytes) { place, _ in behind(place) } }

    private var placeOfAnalysis: Int {
        let place = placeOfTags
        return (0..<number(place)).reduce(place + 4) { place, _ in behind(place) }
    }

    /// A number of four bytes.
    private func number(_ place: Int) -> Int {
        (0..<4).reduce(0) { $0 | Int(records[place + $1]) << (8 * $1) }
    }

    /// Where what stands behind a text begins.
    private func behind(_ place: Int) -> Int { place + 4 + max(0, number(place) - 1) }

    private func text(at place: Int) -> String? {
        let length = number(place) - 1
        guard length >= 0 else { return nil }
        return records.withElements {
            String(decoding: $0[place + 4..<place + 4 + length], as: UTF8.self)
        }
    }

    /// The text of a field: agent, session, speaker.
    private func text(_ field: Int) -> String? {
        text(at: (0..<field).reduce(start + Self.idBytes) { place, _ in behind(place) })
    }
}
