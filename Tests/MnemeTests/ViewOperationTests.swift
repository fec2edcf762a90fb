import Foundation
import Mneme
import MnemeStore
import Testing

/// Operations that people look at a store with: links, vaults, jobs, the audit log.
@Suite struct ViewOperationTests {
    private func call(
        _ operation: any Mneme.Operation.Type, _ arguments: [String: JSONValue] = [:],
        _ memory: MemoryOS, _ principal: Principal = .local
    ) async throws -> JSONValue {
        let output = try await operation.call(
            arguments, OperationContext(memory: memory, principal: principal), surface: .http)
        guard case .value(let value) = output else { return .null }
        return try JSONValue(parsing: Array(try OperationTable.encode(value).utf8))
    }

    /// Remembers a text and gives its id.
    private func add(_ text: String, _ memory: MemoryOS, user: String = "ana") async throws
        -> String
    {
        let made = try await call(
            RememberOperation.self, ["text": .string(text), "user": .string(user)], memory)
        return try #require(made["memories"]?.array?.first?["id"]?.string)
    }

    private func link(_ source: String, _ target: String, _ memory: MemoryOS) async throws {
        _ = try await call(
            LinkOperation.self,
            ["id": .string(source), "target": .string(target), "user": "ana"], memory)
    }

    private func ids(_ answer: JSONValue) -> [String] {
        answer["memories"]?.array?.compactMap { $0["id"]?.string } ?? []
    }

    @Test func `links are walked in both directions, as far as asked and no further`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        var chain: [String] = []
        for text in ["The boat is blue", "Tom owns it", "It lies in Porto", "Porto has a river"] {
            chain.append(try await add(text, memory))
        }
        try await link(chain[0], chain[1], memory)
        try await link(chain[2], chain[1], memory)
        try await link(chain[2], chain[3], memory)
        func around(_ id: String, _ steps: Double) async throws -> JSONValue {
            try await call(
                LinksOperation.self,
                ["around": .string(id), "steps": .number(steps), "user": "ana"], memory)
        }
        let one = try await around(chain[0], 1)
        #expect(ids(one) == [chain[0], chain[1]] && one["links"]?.array?.count == 1)
        let two = try await around(chain[0], 2)
        #expect(Set(ids(two)) == Set(chain[...2]) && two["links"]?.array?.count == 2)
        let all = try await around(chain[3], 3)
        #expect(Set(ids(all)) == Set(chain) && all["links"]?.array?.count == 3)
        #expect(all["hasMore"] == false)
        let few = try await call(
            LinksOperation.self,
            ["around": .string(chain[1]), "limit": 2, "user": "ana"], memory)
        #expect(ids(few).count == 2 && few["hasMore"] == true)
        let newest = try await call(LinksOperation.self, ["user": "ana"], memory)
        #expect(Set(ids(newest)) == Set(chain) && newest["links"]?.array?.count == 3)
        await #expect(throws: StoreError.self) {
            try await call(
                LinksOperation.self, ["around": .string(chain[0]), "user": "bob"], memory)
        }
    }

    @Test func `vaults are those that the caller reaches, counted where all of one is reached`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        _ = try await add("The boat is blue", memory)
        _ = try await add("The oar is red", memory)
        _ = try await add("Bob's own", memory, user: "bob")
        let everybody = try await call(VaultsOperation.self, [:], memory)["vaults"]?.array ?? []
        #expect(everybody.compactMap { $0["vault"]?["user"]?.string } == ["ana", "bob"])
        #expect(everybody.compactMap { $0["memories"]?.double } == [2, 1])
        let bob = Principal(name: "bob", permissions: [.read], user: "bob")
        let own = try await call(VaultsOperation.self, [:], memory, bob)["vaults"]?.array ?? []
        #expect(own.compactMap { $0["vault"]?["user"]?.string } == ["bob"])
        _ = try await call(ShareOperation.self, ["with": "user:bob", "user": "ana"], memory)
        let shared = try await call(VaultsOperation.self, [:], memory, bob)["vaults"]?.array ?? []
        #expect(shared.compactMap { $0["vault"]?["user"]?.string } == ["bob", "ana"])
        #expect(shared.last?["shared"] == true && shared.last?["memories"] == nil)
        // A count would tell of what is out of sight.
        let cleared = Principal(
            name: "low", permissions: [.read], user: "ana", clearance: .public)
        let part = try await call(VaultsOperation.self, [:], memory, cleared)["vaults"]?.array
        #expect(part?.count == 1 && part?.first?["memories"] == nil)
    }

    @Test func `jobs are asked for, listed, cancelled and put back`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let made = try await call(AddJobOperation.self, ["kind": "verify"], memory)
        let id = try #require(made["job"]?["id"]?.double)
        let listed = try await call(JobsOperation.self, ["state": "waiting"], memory)
        #expect(listed["jobs"]?.array?.count == 1 && listed["counts"]?["waiting"]?.double == 1)
        #expect(listed["kinds"]?.array?.contains("promote") == true)
        let ended = try await call(CancelJobOperation.self, ["job": .number(id)], memory)
        #expect(ended["job"]?["state"]?.string == "cancelled")
        let again = try await call(RetryJobOperation.self, ["job": .number(id)], memory)
        #expect(again["job"]?["state"]?.string == "waiting")
        await #expect(throws: InputError.self) {
            try await call(AddJobOperation.self, ["kind": "nothing"], memory)
        }
        #expect(
            try await call(SchedulesOperation.self, [:], memory)["schedules"]?.array?.isEmpty == true)
        let ana = Principal(name: "ana", permissions: Set(Permission.allCases), user: "ana")
        for operation in [JobsOperation.self, SchedulesOperation.self] as [any Mneme.Operation.Type] {
            await #expect(throws: AccessError.self) { try await call(operation, [:], memory, ana) }
        }
    }

    @Test func `the audit log is read backwards, page by page, without a gap or a double`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        for n in 0..<12 { _ = try await add("Note \(n)", memory) }
        let all = try await call(AuditOperation.self, ["limit": 1000], memory)
        let positions = all["entries"]?.array?.compactMap { $0["position"]?.double } ?? []
        #expect(positions.count >= 12 && positions == positions.sorted(by: >))
        #expect(positions.last == 1 && all["next"] == nil)
        var paged: [Double] = []
        var next: JSONValue?
        repeat {
            var arguments: [String: JSONValue] = ["limit": 5]
            arguments["before"] = next ?? .number(positions[0] + 1)
            let page = try await call(AuditOperation.self, arguments, memory)
            paged += page["entries"]?.array?.compactMap { $0["position"]?.double } ?? []
            next = page["next"]
        } while next != nil
        #expect(paged == positions)
        await #expect(throws: AccessError.self) {
            let bob = Principal(name: "bob", permissions: [.read], user: "bob")
            _ = try await call(AuditOperation.self, [:], memory, bob)
        }
        let refused = try await call(AuditOperation.self, ["outcome": "refused"], memory)
        #expect(refused["entries"]?.array?.map { $0["principal"]?.string } == ["bob"])
        #expect(refused["next"] == nil)
        let verified = try await call(VerifyAuditOperation.self, [:], memory)
        #expect(verified["findings"]?.array?.isEmpty == true)
        #expect((verified["entries"]?.double ?? 0) > 12)
    }
}
