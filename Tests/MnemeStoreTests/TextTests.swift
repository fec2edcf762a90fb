import Foundation
import MnemeStore
import Testing

/// Texts that some layer could take for something else.
private let oddTexts = [
    "", " ", "\u{FFFE}", "\u{FEFF}bom", "\u{FFFD}",
    String(decoding: [0xED, 0xA0, 0x80, 0x61], as: UTF8.self), "é",
    "e\u{301}", "\u{1}\u{1f}\u{7f}",
    "line\r\nbreak\u{2028}\u{85}", "\u{202E}right to left", "\"quoted\" \\u0000 'sql' --; %s", "👩‍👩‍👧",
    "\u{10FFFF}",
    String(repeating: "x", count: 1 << 20),
    String(repeating: "é", count: 100_000),
]

@Suite struct TextTests {
    private static let ana = Owner(user: "ana")

    private static func cube(_ text: String = "text") -> MemCube {
        MemCube(
            scope: Scope(user: "ana"), type: .episodic, text: text, eventTime: Date(),
            recordedTime: Date(),
            provenance: Provenance(source: "test"))
    }

    private static func add(_ cube: MemCube) -> Mutation {
        .add(cube, analysis: [], contentHash: Array(cube.id.description.utf8))
    }

    private static func isRefused(_ body: () throws -> Void) -> Bool {
        do { try body() } catch let error as StoreError { return error.code == .invalidText } catch { return false }
        return false
    }

    private func store(_ folder: borrowing TemporaryFolder) throws -> SQLiteMemoryStore {
        try SQLiteMemoryStore(path: folder.path + "/store.db", analyzer: "test")
    }

    @Test(arguments: oddTexts.indices) func `no text breaks the audit log or the journal`(
        index: Int
    ) throws {
        let text = oddTexts[index]
        let folder = try TemporaryFolder()
        let store = try store(folder)
        let principal = Principal(name: text, permissions: Set(Permission.allCases), roles: [text])
        let caller = Caller(principal, operation: text, reason: text, request: text)
        let made = try store.commit(
            [Self.add(Self.cube(text))], owner: Owner(tenant: text, user: text), by: caller)[0]
        #expect(made.text == text)
        _ = store.refuse(text, owner: Owner(tenant: text, user: text), by: caller)
        _ = try store.cube(made.id, owner: Owner(tenant: text, user: text), asOf: nil, by: caller)
        _ = try store.share(
            Grant(owner: Owner(tenant: text, user: text), grantee: .user(text)), by: caller)
        #expect(try store.verifyAudit(keys: nil, head: nil, by: .local).findings == [])
        let entries = try store.auditEntries(after: 0, limit: 100, by: .local).filter {
            $0.principal.utf8.elementsEqual(text.utf8)
        }
        #expect(
            entries.count == 4
                && entries.allSatisfy { $0.reason?.utf8.elementsEqual(text.utf8) == true })
        try store.close()
        // Nor when it is read again.
        #expect(try self.store(folder).verifyAudit(keys: nil, head: nil, by: .local).findings == [])
    }

    @Test func `an entry about a text with a NUL says where it was, and the log stays whole`()
        throws
    {
        let folder = try TemporaryFolder()
        let store = try store(folder)
        let bad = "a\0b"
        let caller = Caller(
            Principal(name: bad, permissions: Set(Permission.allCases)), operation: bad,
            reason: bad, request: bad)
        _ = store.refuse(bad, owner: Owner(tenant: bad, user: "\0"), by: caller)
        try store.noteRead([CubeID()], owner: Owner(user: bad), by: caller)
        #expect(
            Self.isRefused {
                _ = try store.commit([Self.add(Self.cube())], owner: Self.ana, by: caller)
            })
        try store.commit([Self.add(Self.cube())], owner: Self.ana, by: .local)
        #expect(try store.verifyAudit(keys: nil, head: nil, by: .local).findings == [])
        let entry = try #require(try store.auditEntries(after: 0, limit: 10, by: .local).first)
        #expect(
            entry.principal == "a␀b" && entry.reason == "a␀b" && entry.detail == "a␀b"
                && entry.owner == Owner(tenant: "a␀b", user: "␀"))
        try store.close()
        #expect(try self.store(folder).verifyAudit(keys: nil, head: nil, by: .local).findings == [])
    }

    @Test func `times that no calendar has do not break the log`() throws {
        let folder = try TemporaryFolder()
        let store = try store(folder)
        for seconds in [
            0, -0.0, 0.1, -1e-9, 1e-300, 978_307_200.1, -1e12 + 0.3, 1e17, .infinity, .nan,
            Double.greatestFiniteMagnitude,
        ] {
            _ = store.refuse(
                "then", owner: nil, by: Caller(.local, time: Date(timeIntervalSince1970: seconds)))
            _ = store.refuse(
                "then", owner: nil,
                by: Caller(.local, time: Date(timeIntervalSinceReferenceDate: seconds)))
        }
        #expect(try store.verifyAudit(keys: nil, head: nil, by: .local).findings == [])
    }

    /// Every place of a cube that holds a text, found in its JSON: what is added to it later is
    /// tried, too.
    @Test func `a NUL in any text of a memory is refused and leaves nothing`() throws {
        let folder = try TemporaryFolder()
        let store = try store(folder)
        var whole = Self.cube()
        whole.scope = Scope(tenant: "default", user: "ana", agent: "agent", session: "session")
        (whole.speaker, whole.tags, whole.metadata, whole.entities, whole.keywords) = (
            "speaker", ["tag"], ["key": "value"], ["entity"], ["word"]
        )
        whole.dates = [DateMention(text: "today", start: Date(), end: Date())]
        whole.claims = [Claim(subject: "ana", attribute: "home", value: "porto")]
        (whole.caution, whole.vouchedBy) = (["sign"], "somebody")
        whole.provenance = Provenance(source: "source", reference: "reference")
        whole.payload = .activation(
            ActivationReference(
                block: "block", model: "model", modelHash: "hash", tokens: 1, bytes: 1,
                sources: ["source"]),
            of: whole.text)
        // Places that are names of a closed list, ids, or the store's own to set.
        let closed: Set = ["id", "type", "state", "tier", "topic", "sensitivity", "tenant", "user"]
        let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(whole))
        let places = Self.places(json)
        #expect(places.count > 20)
        for place in places where !closed.isSuperset(of: place.suffix(1)) {
            let bad = try JSONDecoder().decode(
                MemCube.self,
                from: JSONSerialization.data(withJSONObject: Self.spoiled(json, place[...])))
            #expect(
                Self.isRefused {
                    _ = try store.commit([Self.add(bad)], owner: Self.ana, by: .local)
                }, "add \(place)")
            #expect(
                Self.isRefused {
                    _ = try store.commit(
                        [.update(bad, analysis: [], contentHash: [])], owner: Self.ana, by: .local)
                }, "\(place)")
            let adoption = Mutation.adopt(bad, history: [], analysis: [], contentHash: [])
            #expect(
                Self.isRefused { _ = try store.commit([adoption], owner: Self.ana, by: .local) },
                "adopt \(place)")
        }
        var bad = whole
        bad.metadata = ["k\0": "v"]
        #expect(
            Self.isRefused { _ = try store.commit([Self.add(bad)], owner: Self.ana, by: .local) })
        #expect(try store.list(CubeFilter(owner: Self.ana), by: .local).isEmpty)
        #expect(try store.statistics(owner: nil, by: .local).journalEntries == 0)
        #expect(try store.verifyAudit(keys: nil, head: nil, by: .local).findings == [])
    }

    /// Where strings are in a JSON value.
    private static func places(_ json: Any) -> [[String]] {
        if json is String { return [[]] }
        if let list = json as? [Any] {
            return list.indices.flatMap { i in places(list[i]).map { ["\(i)"] + $0 } }
        }
        guard let object = json as? [String: Any] else { return [] }
        return object.flatMap { name, value in places(value).map { [name] + $0 } }
    }

    private static func spoiled(_ json: Any, _ place: ArraySlice<String>) -> Any {
        guard let name = place.first else { return (json as? String ?? "") + "\0tail" }
        if var list = json as? [Any], let i = Int(name) {
            list[i] = spoiled(list[i], place.dropFirst())
            return list
        }
        guard var object = json as? [String: Any], let value = object[name] else { return json }
        object[name] = spoiled(value, place.dropFirst())
        return object
    }

    @Test func `a NUL in any other text is refused`() throws {
        let folder = try TemporaryFolder()
        let store = try store(folder)
        let bad = "a\0b"
        let cubes = try store.commit(
            [Self.add(Self.cube("one")), Self.add(Self.cube("two"))], owner: Self.ana, by: .local)
        let link = CubeLink(source: cubes[0].id, target: cubes[1].id, kind: bad, time: Date())
        func refused(_ what: String, _ body: () throws -> Void) {
            let isRefused = Self.isRefused(body)
            #expect(isRefused, "\(what)")
        }
        refused("link") { _ = try store.commit([.link(link)], owner: Self.ana, by: .local) }
        refused("unlink") { _ = try store.commit([.unlink(link)], owner: Self.ana, by: .local) }
        refused("links of a new memory") {
            _ = try store.commit(
                [.add(Self.cube(), analysis: [], contentHash: [9], links: [link])], owner: Self.ana,
                by: .local)
        }
        refused("key") {
            _ = try store.commit(
                [Self.add(Self.cube())], owner: Self.ana, by: .local, idempotencyKey: bad)
        }
        for owner in [Owner(user: bad), Owner(tenant: bad)] {
            refused("owner") {
                _ = try store.commit([Self.add(Self.cube())], owner: owner, by: .local)
            }
            refused("owner") { _ = try store.list(CubeFilter(owner: owner), by: .local) }
            refused("owner") { _ = try store.snapshot(owner: owner, asOf: Date(), by: .local) }
            refused("owner") { _ = try store.create(owner, by: .local) }
            refused("owner") {
                _ = try store.share(Grant(owner: owner, grantee: .everyone), by: .local)
            }
            refused("job") { _ = try store.enqueue(Job("k", owner: owner), by: .local) }
        }
        for change in [\CubeFilter.agent, \.session, \.tag, \.afterProgress] {
            var filter = CubeFilter(owner: Self.ana)
            filter[keyPath: change] = bad
            refused("filter") { _ = try store.list(filter, by: .local) }
            filter.asOf = Date()
            refused("filter of the past") { _ = try store.list(filter, by: .local) }
        }
        let all = Set(Permission.allCases)
        for principal in [
            Principal(name: bad, permissions: all),
            Principal(name: "n", permissions: all, tenant: bad, user: "ana"),
            Principal(name: "n", permissions: all, user: bad),
            Principal(name: "n", permissions: all, user: "ana", agent: bad),
            Principal(name: "n", permissions: all, roles: [bad]),
        ] {
            refused("principal") {
                _ = try store.commit(
                    [Self.add(Self.cube())], owner: Self.ana, by: Caller(principal))
            }
            refused("principal") {
                _ = try store.list(CubeFilter(owner: Self.ana), by: Caller(principal))
            }
            if principal.tenant != nil {
                refused("principal") { _ = try store.grants(to: Caller(principal)) }
            }
        }
        for caller in [
            Caller(.local, reason: bad), Caller(.local, request: bad),
            Caller(.local, operation: bad),
        ] {
            refused("caller") {
                _ = try store.commit([.archive(cubes[0].id)], owner: Self.ana, by: caller)
            }
        }
        refused("grantee") {
            _ = try store.share(Grant(owner: Self.ana, grantee: .role(bad)), by: .local)
        }
        refused("policy") { try store.setPolicy(MemoryPolicy(), tenant: bad, by: .local) }
        refused("policy") { _ = try store.policy(of: bad) }
        refused("job") { _ = try store.enqueue(Job(bad), by: .local) }
        refused("job") { _ = try store.enqueue(Job("k", arguments: [bad: "v"]), by: .local) }
        refused("job") { _ = try store.enqueue(Job("k", arguments: ["k": bad]), by: .local) }
        let cron = try #require(CronExpression("0 3 * * *"))
        refused("schedule") {
            try store.setSchedule(JobSchedule(name: bad, cron: cron, job: Job("k")), by: .local)
        }
        refused("schedule") {
            try store.setSchedule(
                JobSchedule(name: "s", cron: cron, job: Job("k", arguments: ["k": bad])), by: .local
            )
        }
        refused("schedule") { try store.removeSchedule(bad, by: .local) }
        refused("export") {
            try store.record(
                VaultExport(
                    owner: Self.ana, kind: .file, place: bad, time: Date(), principal: "local",
                    position: 0))
        }
        // What a worker says of a job is kept all the same.
        let job = try store.enqueue(Job("k"), by: .local)
        let now = Date().addingTimeInterval(1)
        _ = try store.lease(job.id, worker: "w", now: now, until: now.addingTimeInterval(60))
        #expect(try store.finish(job.id, worker: "w", .done(bad), now: now))
        #expect(try store.job(job.id, by: .local)?.message == "a␀b")
        #expect(try store.verifyAudit(keys: nil, head: nil, by: .local).findings == [])
    }
}
