import Foundation
import MnemeStore

/// Writes what readers found, batch by batch, and counts it.
///
/// Every batch of an owner is one transaction. What is there already is recognised by its content,
/// so that an import that was interrupted can be repeated from the start.
struct ImportRun: Sendable {
    /// A link whose target may come later.
    private struct Waiting {
        /// The link, whose memory it leads from, and whether that memory is new.
        var owner: Owner, source: CubeID, link: ImportEntry.Link, isFresh: Bool
    }

    /// A name by which links of a file refer to a memory.
    private struct Name: Hashable {
        /// Whose memory it names, and the name in lower case.
        var owner: Owner, text: String
    }

    /// Entries of an owner that are being written.
    private struct Batch {
        var entries: [ImportEntry], owner: Owner, task: Task<[Remembered], any Error>
    }

    /// Batches that wait to be written at a time, so that the wait for the disk keeps nobody from
    /// analysing.
    private static let ahead = 2

    /// Memories of one transaction: enough to share the wait for the disk, few enough to be quickly
    /// there.
    private static let batch = 256

    /// Memories of an owner from one keeping of the index to the next: it takes them in all at once,
    /// and needs memory for each until it is kept.
    private static let indexedEvery = 16_384

    /// The memory system that is imported to.
    private let memory: MemoryOS
    /// The scope of memories that name nobody, and the tenant of all.
    private let scope: Scope
    /// Whose memories are taken where a file holds those of several; nil takes them all, each to
    /// its own.
    private let chosen: String?
    /// Stop at the first problem.
    private let strict: Bool
    /// The caller of the import.
    private let caller: Caller
    /// Told after each batch: done, total, and what is counted.
    private let progress: (@Sendable (Int, Int, String) -> Void)?
    /// The counts so far.
    private(set) var report = ImportReport()
    /// The file that is read, and whether it names several users.
    private var file = "", isMixed = false
    /// Entries that wait for the next batch, and times for those that have none.
    private var entries: [ImportEntry] = [], times = TimeFiller()
    /// Memories of other stores, by the vault that they come from.
    private var merges: [(source: Owner, merge: VaultMerge)] = []
    /// Batches that are being written, one after the other, while the next are read and analysed.
    private var writing: [Batch] = []
    /// Memories by owner that no index was kept of, and the keeping that is under way.
    private var unindexed: [Owner: Int] = [:], indexing: Task<Void, Never>?
    /// Memories by what others call them, and links whose target may come later.
    private var names: [Name: (id: CubeID, isFresh: Bool)] = [:], waiting: [Waiting] = []

    /// - Parameter importer: says for whom, how strictly and for whom to report.
    init(_ importer: Importer) {
        (memory, scope, chosen, strict) = (
            importer.memory, importer.scope, importer.chosen, importer.strict
        )
        (caller, progress) = (
            importer.context.caller(ImportOperation.self), importer.context.progress
        )
    }

    /// Begins a file.
    ///
    /// - Parameter users: whose memories it names.
    /// - Throws: `InputError` if it is not clear whose memories are meant.
    mutating func begin(_ file: String, users: Set<String>) throws {
        (self.file, isMixed, times) = (file, users.count > 1, TimeFiller())
        guard isMixed, let chosen, !users.contains(chosen) else { return }
        let some = users.sorted().prefix(5).joined(separator: ", ") + (users.count > 5 ? ", …" : "")
        throw InputError(
            """
            \(file) holds memories of \(users.count) users (\(some)), and none of '\(chosen)'. Name one of them, and \
            only theirs are taken; or name no user, and each keeps their own. Nothing was imported from it.
            """)
    }

    /// Takes what a reader found.
    ///
    /// - Parameters:
    ///   - line: where in the file, if it is read by lines.
    ///   - isDated: whether a missing time is one that is not known, and not that of the import.
    mutating func take(_ document: ImportedDocument, line: Int? = nil, isDated: Bool = true)
        async throws
    {
        for problem in document.problems { try skip(problem, line: line) }
        for (reason, count) in document.leftOut {
            report.leftOut[reason.rawValue, default: 0] += count
        }
        for entry in document.entries {
            guard let user = try user(entry.user, line: line) else { continue }
            var entry = entry
            entry.user = user
            do { try entry.check() } catch let error as InputError {
                try skip(error.description, line: line)
                continue
            }
            report.read += 1
            entries.append(entry)
            guard entries.count == Self.batch else { continue }
            try await flush(isDated: isDated)
            if line == nil {
                progress?(report.read, max(report.read, document.entries.count), "messages")
            }
        }
        for memory in document.memories { try await take(memory, line: line) }
    }

    /// Writes what waits, and links.
    ///
    /// - Throws: `InputError` for a memory that was refused, if the import is strict, after all else
    ///   was written.
    mutating func finish() async throws -> ImportReport {
        var refusal: InputError?
        for merge in merges.map(\.merge) {
            do { try await finish(merge) } catch let error as InputError {
                refusal = refusal ?? error
            }
        }
        merges = []
        try await link()
        if let refusal { throw refusal }
        return report
    }

    /// Writes what was read of a file.
    mutating func end(isDated: Bool = true) async throws {
        try await flush(isDated: isDated)
        try await finishWriting()
        await indexing?.value
        report.files += 1
    }

    /// Counts what cannot be read.
    mutating func skip(_ reason: String, line: Int? = nil) throws {
        guard !strict else {
            throw InputError(
                line.map { "\(file), line \($0): \(reason). Lines before it were imported." }
                    ?? "\(file): \(reason)")
        }
        report.skipped += 1
        if report.problems.count < 100 {
            report.problems.append(.init(file: file, line: line, reason: reason))
        }
    }

    // MARK: Owners

    /// Whose memory it becomes; nil if it is not taken.
    private mutating func user(_ named: String?, line: Int?) throws -> String? {
        if isMixed, let chosen, let named, named != chosen {
            report.leftOut["of other users than \(chosen)", default: 0] += 1
            return nil
        }
        let user = chosen ?? named ?? scope.user
        guard (1...256).contains(user.utf8.count), !user.utf8.contains(0) else {
            try skip("a user's name has 1 to 256 bytes, and no NUL", line: line)
            return nil
        }
        return user
    }

    /// The owner of that name in the import's tenant.
    private func owner(_ user: String) -> Owner { Owner(tenant: scope.tenant, user: user) }

    // MARK: Texts

    /// Writes what waits: one call for each user, so that an owner's part is one transaction.
    private mutating func flush(isDated: Bool) async throws {
        guard !entries.isEmpty else { return }
        try Task.checkCancellation()
        var batch = entries
        entries = []
        if isDated {
            times.fill(&batch)
            report.undated += batch.count { $0.input.eventTime == nil }
        }
        var users: [String] = []
        for case let user? in batch.map(\.user) where !users.contains(user) { users.append(user) }
        for user in users {
            let own = batch.filter { $0.user == user }
            var scope = scope
            scope.user = user
            let prepared = try await memory.prepare(
                own.map(\.input), scope: scope, by: caller, isBulk: true)
            try await finishWriting(leaving: Self.ahead - 1)
            // One after the other: conversations keep their order, and nothing is written behind what
            // failed.
            let task = Task { [memory, former = writing.last?.task] in
                _ = try await former?.value
                return try await memory.write(prepared)
            }
            writing.append(Batch(entries: own, owner: scope.owner, task: task))
        }
    }

    /// Waits for batches that are being written, until so many are left, and counts their outcome.
    private mutating func finishWriting(leaving left: Int = 0) async throws {
        while writing.count > left { try await finish(writing.removeFirst()) }
    }

    /// Waits for a batch, and counts its outcome.
    private mutating func finish(_ batch: Batch) async throws {
        let (owner, remembered) = (batch.owner, try await batch.task.value)
        count(remembered, owner.user)
        note(batch.entries, remembered, owner)
        unindexed[owner, default: 0] += remembered.count
        guard unindexed[owner]! >= Self.indexedEvery else { return }
        unindexed[owner] = nil
        // One after the other; what is read and written meanwhile is for the next.
        await indexing?.value
        indexing = Task { [memory] in try? await memory.prepareIndex(of: owner) }
    }

    /// Adds the outcome of a batch to the report.
    private mutating func count(_ remembered: [Remembered], _ user: String) {
        let known = remembered.count { $0.duplicate }
        report.stored += remembered.count - known
        report.duplicates += known
        report[user].stored += remembered.count - known
        report[user].duplicates += known
        report.quarantined += remembered.count { !$0.duplicate && $0.memory.state == .quarantined }
    }

    /// Notes what memories are called, and what they lead to.
    private mutating func note(_ entries: [ImportEntry], _ remembered: [Remembered], _ owner: Owner) {
        guard entries.contains(where: { !$0.names.isEmpty || !$0.links.isEmpty }) else { return }
        let byReference = Dictionary(
            remembered.compactMap { item in item.memory.provenance.reference.map { ($0, item) } },
            uniquingKeysWith: { first, _ in first })
        for entry in entries {
            guard let item = entry.input.reference.flatMap({ byReference[$0] }) else { continue }
            for name in entry.names {
                let name = Name(owner: owner, text: name.lowercased())
                if names[name] == nil { names[name] = (item.id, !item.duplicate) }
            }
            waiting += entry.links.map {
                Waiting(owner: owner, source: item.id, link: $0, isFresh: !item.duplicate)
            }
        }
    }

    /// Makes the links whose two ends are known by now; between memories that were both here
    /// before, links are as they were.
    private mutating func link() async throws {
        let (memory, caller) = (memory, caller)
        let wanted = waiting.compactMap { waiting -> (Owner, CubeLink)? in
            let name = Name(
                owner: waiting.owner,
                text: waiting.link.target.trimmingCharacters(in: .whitespaces).lowercased())
            guard let target = names[name], target.id != waiting.source,
                waiting.isFresh || target.isFresh,
                (1...256).contains(waiting.link.kind.utf8.count)
            else { return nil }
            return (
                waiting.owner,
                CubeLink(
                    source: waiting.source, target: target.id, kind: waiting.link.kind,
                    time: caller.time)
            )
        }
        waiting = []
        for start in stride(from: 0, to: wanted.count, by: Self.batch) {
            let part = wanted[start..<min(wanted.count, start + Self.batch)]
            let made = try await memory.run {
                try memory.store.commit(
                    part.map { WriteRequest([.link($1)], owner: $0, by: caller) })
            }
            report.links += made.count { (try? $0.get()) != nil }
        }
    }

    // MARK: Whole memories

    /// Hands a whole memory to the merge of its vault.
    private mutating func take(_ line: MemoryLine, line number: Int?) async throws {
        guard let user = try user(line.cube.scope.user, line: number) else { return }
        report.read += 1
        let source = Owner(tenant: line.cube.scope.tenant, user: line.cube.scope.user)
        let place: Int
        if let known = merges.firstIndex(where: { $0.source == source }) {
            place = known
        } else {
            let manifest = VaultPackage.Manifest(
                format: VaultPackage.format, version: VaultPackage.version, vault: source,
                created: caller.time,
                principal: caller.principal.name,
                since: 0, position: 0)
            merges.append((source, VaultMerge(memory, owner(user), .keep, manifest, caller)))
            place = merges.count - 1
        }
        if try await merges[place].merge.take(.init(memory: line.cube)) {
            try requireNoRefusal(merges[place].merge.report)
        }
        for link in line.links {
            let link = CubeLink(
                source: line.cube.id, target: link.target, kind: link.kind, time: link.time)
            _ = try await merges[place].merge.take(.init(link: link))
        }
    }

    /// - Throws: `InputError` for the first memory that the vault refused, if the import is strict.
    private func requireNoRefusal(_ done: VaultReport) throws {
        guard strict, done.refused > 0 else { return }
        throw InputError(
            "\(file): \(done.problems.first ?? "a memory was refused"). "
                + "What came before it was imported.")
    }

    /// Ends a merge and adds what it did to the report.
    private mutating func finish(_ merge: VaultMerge) async throws {
        var merge = merge
        let done = try await merge.finish(progress)
        let user = merge.owner.user
        let known = done.unchanged + done.newerHere + done.duplicates
        report.stored += done.added + done.updated
        report.duplicates += known
        report[user].stored += done.added + done.updated
        report[user].duplicates += known
        report.quarantined += done.quarantined
        report.links += done.links
        report.skipped += done.refused
        for problem in done.problems where report.problems.count < 100 {
            report.problems.append(.init(file: file, line: nil, reason: problem))
        }
        if done.erasedHere > 0 { report.leftOut["erased here", default: 0] += done.erasedHere }
        if done.conflictCount > 0 {
            report.leftOut["changed here and there, where the one here stays", default: 0] +=
                done.conflictCount
        }
        try requireNoRefusal(done)
    }
}
