import Crypto
import Foundation
import MnemeBase
import MnemeStore

/// Takes lines of a package into a vault.
///
/// The lines are not trusted: each memory is bounded, redacted and screened as if it were said
/// here.
///
/// A memory keeps its id where that is free. Ids are unique in a store, so one that another owner
/// has gets a derived id, which repeats: a second import finds the first one's memories. Links and
/// erasures are carried out last, when all memories have their names.
struct VaultMerge: Sendable {
    /// Memories of one commit: few enough that other writers of the store do not wait long.
    private static let batch = 64

    /// The memory that is written to, and the rule that decides conflicts.
    private let memory: MemoryOS, rule: ConflictRule
    /// Whose vault it is.
    let owner: Owner
    /// In whose name; its reason names the vault of origin.
    private var caller: Caller
    /// Counts so far; final after ``finish(_:)``.
    var report: VaultReport
    /// Lines that wait: earlier versions of the memory to come, memories of the next batch, and the
    /// links and erased ids of the whole package.
    private var past: [JournalEntry] = [], units: [VaultPackage.Unit] = [], links: [CubeLink] = [],
        erased: [CubeID] = []
    /// Ids here by ids there, and those of memories that this merge added.
    private var names: [CubeID: CubeID] = [:], fresh: Set<CubeID> = []
    /// Memories here by ``MemCube/contentKey``, to find duplicates; nil until the first batch. It is
    /// held in memory for the whole merge.
    private var storedByContent: [Data: [StoredMemory]]?

    /// A memory of the vault that says something.
    private struct StoredMemory {
        var id: CubeID
        var time: Date
        /// True if it says the same whenever it is said, see ``isFact(_:)``.
        var isFact: Bool
    }

    init(
        _ memory: MemoryOS, _ owner: Owner, _ rule: ConflictRule, _ manifest: VaultPackage.Manifest,
        _ caller: Caller
    ) {
        (self.memory, self.owner, self.rule, self.caller) = (memory, owner, rule, caller)
        report = VaultReport(
            from: manifest.vault, created: manifest.created, position: manifest.position,
            mark: manifest.mark)
        // Erasures go by it.
        self.caller.reason =
            "from the vault of \(manifest.vault.user), packed \(DateText.format(manifest.created))"
    }

    /// - Returns: whether a batch was written.
    mutating func take(_ line: VaultPackage.Line) async throws -> Bool {
        if let entry = line.past { past.append(entry) }
        if let link = line.link { links.append(link) }
        if let ids = line.erased { erased += ids }
        guard let cube = line.memory else { return false }
        units.append(.init(cube: cube, history: past.filter { $0.snapshot?.id == cube.id }))
        past = []
        report.memories += 1
        guard units.count == Self.batch else { return false }
        try await write()
        return true
    }

    /// Writes the last batch, then links, then erasures, and embeds what is new.
    /// - Throws: `AccessError`, `StoreError`; what was written before stays, and a repeated import
    ///   goes on from there.
    mutating func finish(_ progress: (@Sendable (Int, Int, String) -> Void)?) async throws
        -> VaultReport
    {
        let clock = ContinuousClock()
        let start = clock.now
        try await write()
        try await writeLinks()
        try await erase()
        try await memory.embedPendingIfPossible { done, total in progress?(done, total, "embedded") }
        report.seconds = (clock.now - start) / .seconds(1)
        return report
    }

    // MARK: Memories

    /// The part of a memory that people set: two versions that agree in it are one, whatever
    /// analysis, usage or tiers say.
    private struct Content: Equatable {
        var text: String, speaker: String?, type: MemoryType, tags: [String],
            metadata: [String: String],
            sensitivity: Sensitivity, time: Date
        var expires: Date?, isArchived: Bool

        /// Begins a merge; nothing is read or written yet.
        /// - Parameters:
        ///   - rule: what decides where both sides changed a memory.
        ///   - manifest: says whose vault comes, and when it was packed.
        ///   - caller: with whose rights; its reason is replaced by the vault's name.
        init(_ cube: MemCube) {
            (text, speaker, type, tags, metadata) = (
                cube.text, cube.speaker, cube.type, cube.tags, cube.metadata
            )
            (sensitivity, time, expires) = (cube.sensitivity, cube.eventTime, cube.expires)
            isArchived = cube.state == .archived || cube.state == .merged
        }
    }

    /// Derives the id of another vault's memory in this one: a pure function of id and owner, so
    /// that it is the same each time.
    static func derived(_ id: CubeID, _ owner: Owner) -> CubeID {
        let digits = Array(
            Hexadecimal.string(
                SHA256.hash(data: Data("\(id)\0\(owner.tenant)\0\(owner.user)".utf8))))
        // The time stays, so that ids sort; the rest is the hash, of version 8 (RFC 9562).
        return CubeID(
            "\(id.description.prefix(13))-8\(String(digits[0..<3]))-a\(String(digits[3..<6]))-\(String(digits[6..<18]))"
        )!
    }

    /// True for a memory that says the same whenever it is said: nothing that happened, has ended,
    /// or may be ended by a later claim.
    private static func isFact(_ cube: MemCube) -> Bool {
        cube.type != .episodic && cube.validUntil == nil && cube.claims.isEmpty
    }

    /// Writes the memories that wait as one batch, and reads what is said here before the first.
    ///
    /// Works on a copy that takes this one's place afterwards: the store's work runs on another
    /// thread.
    private mutating func write() async throws {
        guard !units.isEmpty else { return }
        try Task.checkCancellation()
        let (memory, owner, caller) = (memory, owner, caller)
        if storedByContent == nil {
            storedByContent = try await memory.run { try Self.contentKeys(memory, owner, caller) }
        }
        let incoming = units
        let policy = try memory.store.policy(of: owner.tenant)
        units = []
        let before = self
        self = try await memory.run {
            var copy = before
            try copy.place(incoming, policy)
            return copy
        }
    }

    /// Reads the memories of the vault that are neither archived nor merged, by ``MemCube/contentKey``.
    /// - Complexity: one pass over the vault, a page of 1,000 at a time.
    private static func contentKeys(_ memory: MemoryOS, _ owner: Owner, _ caller: Caller) throws
        -> [Data: [StoredMemory]]
    {
        var found: [Data: [StoredMemory]] = [:]
        var pages = CubePages(CubeFilter(owner: owner, limit: 1_000), by: caller)
        while let page = try pages.next(from: memory.store) {
            for cube in page where cube.state != .archived && cube.state != .merged {
                found[cube.contentKey, default: []].append(
                    StoredMemory(id: cube.id, time: cube.eventTime, isFact: isFact(cube)))
            }
        }
        return found
    }

    /// Finds for each memory its place in the vault and commits the batch.
    ///
    /// An id that was erased here stays erased. A free one is added, unless the vault says the same
    /// already: a fact at any time, anything else within a second. One that is here is reconciled.
    /// Each memory is a request of its own, so that a refused one costs none of the others; only a
    /// quota ends the import.
    /// - Throws: `StoreError` of code `quotaReached`, or if the store fails.
    private mutating func place(_ incoming: [VaultPackage.Unit], _ policy: MemoryPolicy) throws {
        let store = memory.store
        var requests: [WriteRequest] = []
        var ids: [CubeID] = []
        var kinds: [WritableKeyPath<VaultReport, Int>] = []
        for (unit, availability) in zip(
            incoming, try store.availability(of: incoming.map(\.cube.id), owner: owner, by: caller))
        {
            var unit = received(unit, policy)
            var availability = availability
            let original = unit.cube.id
            if availability == .elsewhere {
                rename(&unit, Self.derived(original, owner))
                unit.cube.topic = unit.cube.topic.map { Self.derived($0, owner) }
                availability = try store.availability(of: [unit.cube.id], owner: owner, by: caller)[0]
            }
            switch availability {
            case .erased, .elsewhere: report.erasedHere += 1
            case .free:
                let cube = unit.cube
                let duplicate = storedByContent?[cube.contentKey]?.first {
                    $0.isFact && Self.isFact(cube)
                        || abs($0.time.timeIntervalSince(cube.eventTime)) < 1
                }
                if let duplicate, cube.state != .archived, cube.state != .merged {
                    names[original] = duplicate.id
                    report.duplicates += 1
                    continue
                }
                do { requests.append(try adoption(unit, policy)) } catch let error as InputError {
                    refuse(error.description)
                    continue
                }
                names[original] = cube.id
                ids.append(original)
                kinds.append(\.added)
            case .here:
                names[original] = unit.cube.id
                guard let local = try store.cube(unit.cube.id, owner: owner, asOf: nil, by: caller)
                else {
                    refuse("\(unit.cube.id) is not visible to you")
                    continue
                }
                do { try reconcile(local, unit, policy, &requests, &ids, &kinds) } catch let error
                    as InputError
                { refuse(error.description) }
            }
        }
        for (i, result) in try store.commit(requests).enumerated() {
            do {
                let cubes = try result.get()
                report[keyPath: kinds[i]] += 1
                if kinds[i] == \.added {
                    if cubes[0].state == .quarantined { report.quarantined += 1 }
                    fresh.insert(cubes[0].id)
                }
            } catch let error as StoreError {
                // One that somebody changed at this moment, or that is frozen, does not keep the
                // others.
                if error.code == .quotaReached { throw error }
                names[ids[i]] = nil
                refuse(error.description)
            }
        }
    }

    /// Counts a memory that is not imported, and keeps the reason of the first hundred.
    private mutating func refuse(_ reason: String) {
        report.refused += 1
        if report.problems.count < 100 { report.problems.append(reason) }
    }

    /// Gives a memory another id, and its earlier versions with it.
    private func rename(_ unit: inout VaultPackage.Unit, _ id: CubeID) {
        unit.cube.id = id
        for i in unit.history.indices {
            unit.history[i].cube = id
            unit.history[i].snapshot?.id = id
        }
    }

    /// A memory as this vault's, and its earlier versions with it, which are compared: nobody
    /// vouches for it here, it claims no source of Mneme's own, and what the policy takes out of
    /// texts is taken out.
    ///
    /// Comparing comes after this, so that a repeated import finds equal what it has redacted
    /// before.
    private func received(_ unit: VaultPackage.Unit, _ policy: MemoryPolicy) -> VaultPackage.Unit {
        func received(_ cube: MemCube) -> MemCube {
            var cube = AdoptionRules.owned(cube, by: owner)
            cube.usage = nil
            MemoryOS.redact(&cube, policy)
            return cube
        }
        var unit = unit
        unit.cube = received(unit.cube)
        for i in unit.history.indices {
            unit.history[i].snapshot = unit.history[i].snapshot.map(received)
        }
        return unit
    }

    /// Makes the request that adds a memory with its history: analysed and screened anew, as what
    /// another store found in it is not trusted.
    /// - Throws: `InputError` if it holds what no memory may hold.
    private func adoption(_ unit: VaultPackage.Unit, _ policy: MemoryPolicy) throws -> WriteRequest {
        var unit = unit
        let signs = unit.cube.state == .quarantined ? unit.cube.caution ?? [] : []
        // What analysis found there was found in a text before anything was taken out of it.
        unit.cube.derived = MemCube.Derived()
        let (analysis, hash) = try memory.describe(&unit.cube)
        // Why it is quarantined there is not always seen in its text.
        if !signs.isEmpty {
            unit.cube.caution = signs + (unit.cube.caution ?? []).filter { !signs.contains($0) }
        }
        // Where texts are redacted, earlier versions are left: what was found in them, such as names,
        // may hold what was taken out. Whose words they are is said, but nobody of here said them.
        let origin = "@\(report.from.tenant)/\(report.from.user)"
        var history = policy.redaction.isEmpty ? unit.history : []
        for i in history.indices { history[i].principal += origin }
        return WriteRequest(
            [.adopt(unit.cube, history: history, analysis: analysis, contentHash: hash)],
            owner: owner, by: caller)
    }

    /// Compares a memory that is here already with the one that comes: the same, one the other's
    /// past, or changed in both places, where the ``ConflictRule`` decides.
    ///
    /// Appends to `requests`, and in step to `ids` and `kinds`: the id there, and the counter of
    /// the report that a success adds to.
    /// - Throws: `InputError` if the memory that comes cannot be kept, `StoreError`.
    private mutating func reconcile(
        _ local: MemCube, _ unit: VaultPackage.Unit, _ policy: MemoryPolicy,
        _ requests: inout [WriteRequest],
        _ ids: inout [CubeID],
        _ kinds: inout [WritableKeyPath<VaultReport, Int>]
    ) throws {
        let here = Content(local)
        let there = Content(unit.cube)
        if here == there || local.state == .quarantined && here.text == there.text {
            report.unchanged += 1
            return
        }
        // One is the other's past. Where somebody went back to what was, both are, and the later
        // counts.
        let isNext = unit.history.contains { $0.snapshot.map { Content($0) == here } ?? false }
        if try memory.store.history(local.id, owner: owner, by: caller).contains(where: {
            $0.snapshot.map { Content($0) == there } ?? false
        }) {
            guard isNext, unit.cube.updatedTime > local.updatedTime else {
                report.newerHere += 1
                return
            }
        }
        if !isNext {
            report.conflictCount += 1
            if report.conflicts.count < 100 {
                report.conflicts.append(
                    .init(
                        id: local.id, here: String(local.text.prefix(200)),
                        there: String(unit.cube.text.prefix(200)))
                )
            }
        }
        switch isNext ? .take : rule {
        case .keep: break
        case .take:
            var next = unit.cube
            next.derived = MemCube.Derived()
            next.version = local.version
            next.scope = local.scope
            let (analysis, hash) = try memory.describe(&next)
            var mutations = [Mutation.update(next, analysis: analysis, contentHash: hash)]
            if there.isArchived != here.isArchived {
                if there.isArchived {
                    mutations.append(.archive(local.id))
                } else {
                    mutations.insert(.restore(local.id), at: 0)
                }
            }
            if !there.isArchived && here.isArchived {
                // Restoring is a version of its own.
                next.version += 1
                mutations[1] = .update(next, analysis: analysis, contentHash: hash)
            }
            requests.append(WriteRequest(mutations, owner: owner, by: caller))
            ids.append(unit.cube.id)
            kinds.append(\.updated)
        case .both:
            var other = unit
            rename(
                &other,
                Self.derived(
                    unit.cube.id, Owner(tenant: owner.tenant, user: owner.user + "\0" + there.text))
            )
            guard
                try memory.store.availability(of: [other.cube.id], owner: owner, by: caller)[0] == .free
            else { return }
            var request = try adoption(other, policy)
            request.mutations.append(
                .link(
                    CubeLink(
                        source: other.cube.id, target: local.id, kind: "conflictsWith",
                        time: caller.time)))
            requests.append(request)
            ids.append(other.cube.id)
            kinds.append(\.added)
        }
    }

    // MARK: Links and erasures

    /// Makes the package's links between memories of this vault, where at least one end is new:
    /// between memories that were here before, links stay as they are.
    private mutating func writeLinks() async throws {
        let (memory, owner, caller, names, fresh) = (memory, owner, caller, names, fresh)
        // What supersedes what was worked out anew.
        let wanted = links.compactMap { link -> CubeLink? in
            guard link.kind != CubeLink.supersedes, let source = names[link.source],
                let target = names[link.target],
                source != target,
                fresh.contains(source) || fresh.contains(target), link.kind.utf8.count <= 256
            else { return nil }
            return CubeLink(
                source: source, target: target, kind: link.kind, time: min(link.time, caller.time))
        }
        for start in stride(from: 0, to: wanted.count, by: 256) {
            let part = wanted[start..<min(wanted.count, start + 256)]
            let made = try await memory.run {
                try memory.store.commit(
                    part.map { WriteRequest([.link($0)], owner: owner, by: caller) })
            }
            report.links += made.count { (try? $0.get()) != nil }
        }
    }

    /// Erases what was erased in the vault of origin, under its own or its derived id.
    ///
    /// The journal's last entry has to say that the memory came from there: the reason that
    /// ``init(_:_:_:_:_:)`` sets is what tells.
    private mutating func erase() async throws {
        let (memory, owner, caller) = (memory, owner, caller)
        for id in erased {
            for name in [id, Self.derived(id, owner)] {
                // Only what came from that vault and was not touched since: nobody's package erases
                // what is somebody's own.
                let origin = "from the vault of \(report.from.user),"
                let isTheirs = try await memory.run {
                    guard
                        try memory.store.availability(of: [name], owner: owner, by: caller)[0] == .here
                    else {
                        return false
                    }
                    let last = try memory.store.history(name, owner: owner, by: .mneme).last {
                        $0.link == nil
                    }
                    return (last?.operation == .adopt || last?.operation == .update)
                        && last?.reason?.hasPrefix(origin) == true
                }
                guard isTheirs else { continue }
                try await memory.erase(name, owner: owner, by: caller)
                report.erased += 1
            }
        }
    }
}

extension MemCube {
    /// A short hash of speaker and text, 12 bytes of SHA-256: equal for two memories that say the
    /// same.
    var contentKey: Data {
        Data(SHA256.hash(data: Data("\(header.speaker ?? "")\0\(text)".utf8)).prefix(12))
    }
}
