import Crypto
import Foundation
import MnemeBase
import MnemeStore

/// Takes lines of a package into a vault.
///
/// What comes is not trusted: each memory is bounded, redacted and screened as if it were said here.
struct VaultMerge: Sendable {
    private static let batch = 64

    private let memory: MemoryOS, rule: ConflictRule
    /// Whose vault it is.
    let owner: Owner
    private var caller: Caller
    var report: VaultReport
    private var past: [JournalEntry] = [], units: [VaultPackage.Unit] = [], links: [CubeLink] = [],
        erased: [CubeID] = []
    /// What a memory is called here, and which of these are new.
    private var names: [CubeID: CubeID] = [:], fresh: Set<CubeID> = []
    /// What is said here: hashes of text and speaker.
    private var said: [Data: [Said]]?

    /// A memory of the vault that says something.
    private struct Said {
        var id: CubeID
        var time: Date
        /// Whether it says the same whenever it is said, see ``isFact(_:)``.
        var isFact: Bool
    }

    init(
        _ memory: MemoryOS, _ owner: Owner, _ rule: ConflictRule, _ manifest: VaultPackage.Manifest,
        _ caller: Caller
    ) {
        (self.memory, self.owner, self.rule, self.caller) = (memory, owner, rule, caller)
        report = VaultReport(
            from: manifest.vault, created: manifest.created, position: manifest.position)
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

    mutating func finish(_ progress: (@Sendable (Int, Int, String) -> Void)?) async throws
        -> VaultReport
    {
        let clock = ContinuousClock(), start = clock.now
        try await write()
        try await writeLinks()
        try await erase()
        try await memory.embedPending { done, total in progress?(done, total, "embedded") }
        report.seconds = (clock.now - start) / .seconds(1)
        return report
    }

    // MARK: Memories

    /// What makes two memories the same, whoever they belong to.
    private struct Content: Equatable {
        var text: String, speaker: String?, type: MemoryType, tags: [String],
            metadata: [String: String],
            sensitivity: Sensitivity, time: Date
        var expires: Date?, isArchived: Bool

        init(_ cube: MemCube) {
            (text, speaker, type, tags, metadata) = (
                cube.text, cube.speaker, cube.type, cube.tags, cube.metadata
            )
            (sensitivity, time, expires) = (cube.sensitivity, cube.eventTime, cube.expires)
            isArchived = cube.state == .archived || cube.state == .merged
        }
    }

    /// The name of another vault's memory in this one: the same each time.
    static func derived(_ id: CubeID, _ owner: Owner) -> CubeID {
        let digits = Array(
            Hexadecimal.string(
                SHA256.hash(data: Data("\(id)\0\(owner.tenant)\0\(owner.user)".utf8))))
        // The time stays, so that ids sort; the rest is the hash, of version 8 (RFC 9562).
        return CubeID(
            "\(id.description.prefix(13))-8\(String(digits[0..<3]))-a\(String(digits[3..<6]))-\(String(digits[6..<18]))"
        )!
    }

    /// Whether it says the same whenever it is said: nothing that happened, has ended, or may be
    /// ended by a later word.
    private static func isFact(_ cube: MemCube) -> Bool {
        cube.type != .episodic && cube.validUntil == nil && cube.claims.isEmpty
    }

    private mutating func write() async throws {
        guard !units.isEmpty else { return }
        try Task.checkCancellation()
        let (memory, owner, caller) = (memory, owner, caller)
        if said == nil { said = try await memory.run { try Self.sayings(memory, owner, caller) } }
        let incoming = units, policy = try memory.store.policy(of: owner.tenant)
        units = []
        let before = self
        self = try await memory.run {
            var copy = before
            try copy.place(incoming, policy)
            return copy
        }
    }

    private static func sayings(_ memory: MemoryOS, _ owner: Owner, _ caller: Caller) throws
        -> [Data: [Said]]
    {
        var found: [Data: [Said]] = [:]
        var pages = CubePages(CubeFilter(owner: owner, limit: 1_000), by: caller)
        while let page = try pages.next(from: memory.store) {
            for cube in page where cube.state != .archived && cube.state != .merged {
                found[cube.saying, default: []].append(
                    Said(id: cube.id, time: cube.eventTime, isFact: isFact(cube)))
            }
        }
        return found
    }

    private mutating func place(_ incoming: [VaultPackage.Unit], _ policy: MemoryPolicy) throws {
        let store = memory.store
        var requests: [WriteRequest] = [], ids: [CubeID] = [],
            kinds: [WritableKeyPath<VaultReport, Int>] = []
        for (unit, standing) in zip(
            incoming, try store.standing(of: incoming.map(\.cube.id), owner: owner, by: caller))
        {
            var unit = received(unit, policy), standing = standing
            let original = unit.cube.id
            if standing == .elsewhere {
                rename(&unit, Self.derived(original, owner))
                unit.cube.topic = unit.cube.topic.map { Self.derived($0, owner) }
                standing = try store.standing(of: [unit.cube.id], owner: owner, by: caller)[0]
            }
            switch standing {
            case .erased, .elsewhere: report.erasedHere += 1
            case .free:
                let cube = unit.cube
                let twin = said?[cube.saying]?.first {
                    $0.isFact && Self.isFact(cube)
                        || abs($0.time.timeIntervalSince(cube.eventTime)) < 1
                }
                if let twin, cube.state != .archived, cube.state != .merged {
                    names[original] = twin.id
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
                    refuse("\(unit.cube.id) is out of sight")
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
                    if cubes[0].state == .quarantined { report.held += 1 }
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

    private mutating func refuse(_ reason: String) {
        report.refused += 1
        if report.problems.count < 100 { report.problems.append(reason) }
    }

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

    /// - Throws: `InputError` if it holds what no memory may hold.
    private func adoption(_ unit: VaultPackage.Unit, _ policy: MemoryPolicy) throws -> WriteRequest {
        var unit = unit
        let signs = unit.cube.state == .quarantined ? unit.cube.caution ?? [] : []
        // What analysis found there was found in a text before anything was taken out of it.
        unit.cube.derived = MemCube.Derived()
        let (analysis, hash) = try memory.describe(&unit.cube)
        // Why it is held there is not always seen in its text.
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
    private mutating func reconcile(
        _ local: MemCube, _ unit: VaultPackage.Unit, _ policy: MemoryPolicy,
        _ requests: inout [WriteRequest],
        _ ids: inout [CubeID],
        _ kinds: inout [WritableKeyPath<VaultReport, Int>]
    ) throws {
        let here = Content(local), there = Content(unit.cube)
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
                try memory.store.standing(of: [other.cube.id], owner: owner, by: caller)[0] == .free
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

    private mutating func erase() async throws {
        let (memory, owner, caller) = (memory, owner, caller)
        for id in erased {
            for name in [id, Self.derived(id, owner)] {
                // Only what came from that vault and was not touched since: nobody's package erases
                // what is somebody's own.
                let origin = "from the vault of \(report.from.user),"
                let isTheirs = try await memory.run {
                    guard
                        try memory.store.standing(of: [name], owner: owner, by: caller)[0] == .here
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
    /// What is said, and by whom, as a short hash: equal for two memories that say the same.
    var saying: Data {
        Data(SHA256.hash(data: Data("\(header.speaker ?? "")\0\(text)".utf8)).prefix(12))
    }
}
