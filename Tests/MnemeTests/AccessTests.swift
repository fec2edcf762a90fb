import Foundation
import Mneme
import MnemeStore
import Testing

/// Who reaches what: a small model of the rules, asked beside every operation.
@Suite struct AccessTests {
    /// A memory as the model knows it. Its word stands in no other.
    private struct Known {
        var id: CubeID, owner: Owner, agent: String?, label: Sensitivity, word: String
    }

    /// The rules in few words, by themselves.
    private struct Model {
        var known: [Known] = []
        var grants: [Grant] = []

        func sees(_ principal: Principal, _ item: Known, _ permission: Permission) -> Bool {
            guard principal.permissions.contains(permission), item.label <= principal.clearance
            else { return false }
            if let tenant = principal.tenant, tenant != item.owner.tenant { return false }
            if principal.user == nil || principal.user == item.owner.user {
                if principal.agent == nil || item.agent == nil || item.agent == principal.agent {
                    return true
                }
            }
            guard principal.tenant != nil else { return false }
            return grants.contains { grant in
                let isMeant: Bool =
                    switch grant.grantee {
                    case .everyone: true
                    case .user(let name): principal.user == name
                    case .agent(let name): principal.agent == name
                    case .role(let name): principal.roles.contains(name)
                    }
                return isMeant && grant.owner == item.owner
                    && grant.permissions.contains(permission)
                    && (grant.cube.map { $0 == item.id } ?? (item.label <= grant.upTo))
            }
        }
    }

    private struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    private static let tenants = ["acme", "globex"], users = ["ana", "bob", "eve"],
        agents = ["coder", "clerk"],
        roles = ["legal", "sales"]

    private static func principals(_ random: inout Random) -> [Principal] {
        var made = [
            Principal(name: "root", permissions: Set(Permission.allCases)),
            Principal(name: "acme", permissions: [.read, .write], tenant: "acme"),
        ]
        for tenant in tenants {
            for user in users {
                let all: Set<Permission> = [.read, .write, .erase, .share]
                made.append(
                    Principal(
                        name: "\(tenant) \(user)", permissions: all, tenant: tenant, user: user,
                        roles: Bool.random(using: &random) ? ["legal"] : []))
                made.append(
                    Principal(
                        name: "\(tenant) \(user) agent", permissions: [.read, .write],
                        tenant: tenant, user: user,
                        agent: agents.randomElement(using: &random)!,
                        clearance: Sensitivity.allCases.randomElement(using: &random)!))
                made.append(
                    Principal(
                        name: "\(tenant) \(user) low", permissions: [.read, .write, .erase],
                        tenant: tenant, user: user,
                        roles: ["sales"],
                        clearance: [.public, .internal].randomElement(using: &random)!))
                made.append(
                    Principal(
                        name: "\(tenant) \(user) blind", permissions: [.write], tenant: tenant,
                        user: user))
            }
        }
        return made
    }

    private func call(
        _ operation: any Mneme.Operation.Type, _ arguments: [String: JSONValue], _ memory: MemoryOS,
        _ principal: Principal
    ) async -> (
        text: String, isDone: Bool
    ) {
        do {
            switch try await operation.call(
                arguments, OperationContext(memory: memory, principal: principal), surface: .http)
            {
            case .value(let value): return (try OperationTable.encode(value), true)
            case .lines(let lines):
                var text = ""
                for try await line in lines { text += line }
                return (text, true)
            }
        } catch { return ("\(error)", false) }
    }

    /// A world of memories, and grants between those who live in it.
    private func world(_ seed: UInt64, _ memory: MemoryOS, _ random: inout Random) async throws
        -> Model
    {
        var model = Model()
        for tenant in Self.tenants {
            for user in Self.users {
                for i in 0..<7 {
                    let agent = i % 3 == 2 ? Self.agents.randomElement(using: &random)! : nil
                    let label = Sensitivity.allCases.randomElement(using: &random)!
                    let word = "zq\(seed)\(tenant)\(user)\(i)"
                    var input = MemoryInput("The garden memory of \(word) blooms", session: "talk")
                    (input.agent, input.sensitivity) = (agent, label)
                    let made = try await memory.remember(
                        [input], scope: Scope(tenant: tenant, user: user))[0]
                    model.known.append(
                        Known(
                            id: made.id, owner: Owner(tenant: tenant, user: user), agent: agent,
                            label: label,
                            word: word))
                }
            }
        }
        for _ in 0..<10 {
            let item = model.known.randomElement(using: &random)!
            let grantees: [Grantee] = [
                .everyone, .user(Self.users.randomElement(using: &random)!),
                .agent(Self.agents.randomElement(using: &random)!),
                .role(Self.roles.randomElement(using: &random)!),
            ]
            let permissions: [Set<Permission>] = [
                [.read], [.read, .write], [.write], [.read, .write, .erase],
            ]
            let grant = Grant(
                owner: item.owner, cube: Bool.random(using: &random) ? item.id : nil,
                grantee: grantees.randomElement(using: &random)!,
                permissions: permissions.randomElement(using: &random)!,
                upTo: Sensitivity.allCases.randomElement(using: &random)!)
            model.grants.removeAll {
                $0.owner == grant.owner && $0.grantee == grant.grantee && $0.cube == grant.cube
            }
            model.grants.append(try memory.store.share(grant, by: .local))
        }
        return model
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `every operation as every principal hands out what the rules allow, and nothing else`(
        seed: UInt64
    )
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        var random = Random(state: seed)
        var model = try await world(seed, memory, &random)
        let principals = Self.principals(&random)
        var allowed = 0
        var refused = 0
        /// Checks that a text names only what its reader may see.
        func check(_ text: String, _ principal: Principal, _ what: String) {
            for item in model.known where text.contains(item.word) {
                #expect(
                    model.sees(principal, item, .read),
                    "\(what) tells \(principal.name) of \(item.word)")
            }
        }
        for principal in principals {
            for owner in Set(model.known.map(\.owner)) {
                let whose: [String: JSONValue] = [
                    "tenant": .string(owner.tenant), "user": .string(owner.user),
                ]
                func arguments(_ more: [String: JSONValue]) -> [String: JSONValue] {
                    whose.merging(more) { $1 }
                }
                let mine = model.known.filter { $0.owner == owner }
                let seen = mine.filter { model.sees(principal, $0, .read) }
                let broad: [(any Mneme.Operation.Type, [String: JSONValue])] = [
                    (ListOperation.self, ["limit": 1000]),
                    (RecallOperation.self, ["query": "garden memory blooms", "limit": 100]),
                    (
                        RecallOperation.self,
                        ["query": "garden memory blooms", "limit": 100, "as_of": "2100-01-01"]
                    ),
                    (ExportOperation.self, [:]),
                    (PackageOperation.self, [:]),
                ]
                for (operation, more) in broad {
                    let answer = await call(operation, arguments(more), memory, principal)
                    check(answer.text, principal, operation.name)
                    #expect(
                        seen.allSatisfy { answer.text.contains($0.word) },
                        "\(operation.name) as \(principal.name) of \(owner)")
                    #expect(answer.isDone || seen.isEmpty, "\(answer.text)")
                }
                for operation in [StatsOperation.self, GrantsOperation.self]
                    as [any Mneme.Operation.Type]
                {
                    check(
                        await call(operation, whose, memory, principal).text, principal,
                        operation.name)
                }
                for item in mine {
                    let one = arguments(["id": .string(item.id.description)])
                    let sees = model.sees(principal, item, .read)
                    let writes = model.sees(principal, item, .write)
                    let asked = await call(
                        RecallOperation.self, arguments(["query": .string(item.word)]), memory,
                        principal)
                    check(asked.text, principal, "recall of a word")
                    for operation in [GetOperation.self, HistoryOperation.self]
                        as [any Mneme.Operation.Type]
                    {
                        let answer = await call(operation, one, memory, principal)
                        #expect(
                            answer.isDone == sees,
                            "\(operation.name) \(item.word) as \(principal.name): \(answer.text)"
                        )
                        check(answer.text, principal, operation.name)
                        if sees { allowed += 1 } else { refused += 1 }
                    }
                    let update = await call(
                        UpdateOperation.self, one.merging(["tag": ["seen"]]) { $1 }, memory,
                        principal)
                    // To change a memory is to read it first.
                    #expect(
                        update.isDone == (writes && sees),
                        "update \(item.word) as \(principal.name): \(update.text)")
                    let forget = await call(ForgetOperation.self, one, memory, principal)
                    #expect(
                        forget.isDone == (writes && sees),
                        "forget \(item.word) as \(principal.name): \(forget.text)")
                    if forget.isDone {
                        _ = await call(RestoreOperation.self, one, memory, principals[0])
                    }
                    let hold = await call(QuarantineOperation.self, one, memory, principal)
                    #expect(
                        hold.isDone == (writes && sees),
                        "quarantine \(item.word) as \(principal.name): \(hold.text)")
                    if hold.isDone {
                        let release = await call(ReleaseOperation.self, one, memory, principal)
                        #expect(
                            release.isDone == model.sees(principal, item, .share),
                            "release \(item.word) as \(principal.name): \(release.text)")
                        if !release.isDone {
                            _ = await call(ReleaseOperation.self, one, memory, principals[0])
                        }
                    }
                    for answer in [update, forget, hold] {
                        check(answer.text, principal, "a change")
                    }
                    if let other = mine.first(where: {
                        $0.id != item.id && model.sees(principal, $0, .write)
                            && model.sees(principal, $0, .read)
                    }) {
                        let link = await call(
                            LinkOperation.self,
                            one.merging(["target": .string(other.id.description)]) { $1 }, memory,
                            principal)
                        #expect(
                            link.isDone == (writes && sees),
                            "link \(item.word) as \(principal.name): \(link.text)")
                        check(link.text, principal, "link")
                    }
                    if !model.sees(principal, item, .erase) {
                        let answer = await call(EraseOperation.self, one, memory, principal)
                        #expect(!answer.isDone, "erase \(item.word) as \(principal.name)")
                        check(answer.text, principal, "erase")
                    }
                }
                // Sharing is for who owns, and for no more than they have.
                let share = await call(
                    ShareOperation.self,
                    arguments([
                        "with": "user:mallory", "permission": ["read", "write"],
                        "up_to": "restricted",
                    ]), memory,
                    principal)
                let owns =
                    principal.permissions.contains(.share) && principal.reaches(owner)
                    && principal.agent == nil
                    && principal.clearance == .restricted
                #expect(share.isDone == owns, "share \(owner) as \(principal.name): \(share.text)")
            }
        }
        #expect(allowed > 300 && refused > 300)
        // What may be erased is gone for all.
        let victim = model.known[0]
        let owner = principals.first {
            $0.user == victim.owner.user && $0.tenant == victim.owner.tenant
                && $0.clearance == .restricted
                && $0.agent == nil
        }!
        let one: [String: JSONValue] = [
            "id": .string(victim.id.description), "tenant": .string(victim.owner.tenant),
            "user": .string(victim.owner.user),
        ]
        #expect(await call(EraseOperation.self, one, memory, owner).isDone)
        model.known.removeFirst()
        #expect(await !call(GetOperation.self, one, memory, principals[0]).isDone)
        #expect(try memory.store.verifyAudit(keys: nil, head: nil, by: .local).findings.isEmpty)
        await memory.close(deadline: .zero)
    }

    @Test func `what is not visible changes no score, no count and no explanation`() async throws {
        let bob = Principal(name: "bob", permissions: [.read], user: "bob")
        let low = Principal(name: "low", permissions: [.read], user: "ana", clearance: .internal)
        let clerk = Principal(name: "clerk", permissions: [.read], user: "ana", agent: "clerk")
        let open = [
            "Ana keeps bees behind the barn", "The barn door is green", "Bees sleep in winter",
        ]
        let hidden = [
            "Ana hides the bees and the barn key", "Barn bees barn bees winter door",
            "The green door is secret",
        ]
        /// All that recall says, but for ids and times.
        func answer(_ principal: Principal, withHidden: Bool, agent: String?, share: Bool)
            async throws -> String
        {
            let folder = try TemporaryFolder()
            let memory = try folder.open()
            let time = Date(timeIntervalSince1970: 1_700_000_000)
            var ids: [CubeID] = []
            for i in open.indices {
                if withHidden {
                    var input = MemoryInput(hidden[i], speaker: "Ana", eventTime: time)
                    (input.sensitivity, input.agent) = (
                        agent == nil ? .restricted : .internal, agent
                    )
                    try await memory.remember(
                        [input], scope: Scope(user: "ana"), by: Caller(.local, time: time))
                }
                let made = try await memory.remember(
                    [MemoryInput(open[i], speaker: "Ana", eventTime: time)],
                    scope: Scope(user: "ana"),
                    by: Caller(.local, time: time))
                ids.append(made[0].id)
            }
            if withHidden {
                let all = try memory.store.list(CubeFilter(owner: Owner(user: "ana")), by: .local)
                    .map(\.id).filter {
                        !ids.contains($0)
                    }
                for id in ids {
                    _ = try memory.store.commit(
                        [.link(CubeLink(source: id, target: all[0], kind: "because", time: time))],
                        owner: Owner(user: "ana"), by: .local)
                }
            }
            if share {
                for id in ids {
                    _ = try memory.store.share(
                        Grant(owner: Owner(user: "ana"), cube: id, grantee: .user("bob")),
                        by: .local)
                }
            }
            var said = ""
            for query in ["Where are the bees?", "barn door", "What does Ana hide?", "green"] {
                var request = RecallRequest(query, owner: Owner(user: "ana"))
                request.now = time
                let result = try await memory.recall(request, by: Caller(principal, time: time))
                said += "\(query) \(result.considered) \(result.tokens)\n"
                for item in result.memories {
                    said +=
                        "\(item.memory.text) \(item.score) \(item.explanation.sorted { $0.key < $1.key }) \(item.matched) \(item.duplicates.count)\n"
                }
            }
            await memory.close(deadline: .zero)
            return said
        }
        for (principal, agent, share) in [
            (bob, nil, true), (low, nil, false), (clerk, "coder", false),
        ]
            as [(Principal, String?, Bool)]
        {
            let with = try await answer(principal, withHidden: true, agent: agent, share: share)
            let without = try await answer(principal, withHidden: false, agent: agent, share: share)
            #expect(with == without, "\(principal.name)")
            #expect(with.contains("bees behind the barn"))
        }
    }

    @Test func `a label, a grant and a key count from the next call on`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let ana = Owner(user: "ana")
        let bob = Principal(name: "bob", permissions: [.read, .write], user: "bob")
        let low = Principal(name: "low", permissions: [.read], user: "ana", clearance: .internal)
        let made = try await memory.remember(
            [MemoryInput("The vault code is in the tin")], scope: Scope(user: "ana"))[
                0]
        func finds(_ principal: Principal) async -> Bool {
            (try? await memory.recall(
                RecallRequest("vault code", owner: ana), by: Caller(principal)
            ).memories.count)
                == 1
        }
        #expect(await !finds(bob))
        let grant = try memory.store.share(
            Grant(owner: ana, grantee: .user("bob"), expires: Date().addingTimeInterval(3600)),
            by: .local)
        #expect(await finds(bob))
        await #expect(throws: AccessError.self) {
            try await memory.remember(
                [MemoryInput("I was here")], scope: Scope(user: "ana"), by: Caller(bob))
        }
        #expect(try memory.store.grants(to: Caller(bob)).map(\.id) == [grant.id])
        #expect(await finds(low))
        var cube = made.memory
        cube.sensitivity = .confidential
        _ = try memory.store.commit(
            [.update(cube, analysis: [], contentHash: [1])], owner: ana, by: .local)
        #expect(await !finds(low))
        #expect(await !finds(bob))
        cube.version = 2
        cube.sensitivity = .public
        _ = try memory.store.commit(
            [.update(cube, analysis: [], contentHash: [1])], owner: ana, by: .local)
        #expect(await finds(low))
        #expect(await finds(bob))
        #expect(throws: AccessError.self) {
            try memory.store.unshare(grant.id, owner: ana, by: Caller(bob))
        }
        // A grant that has ended is none.
        #expect(throws: AccessError.self) {
            try memory.store.cube(
                made.id, owner: ana, asOf: nil,
                by: Caller(bob, time: Date().addingTimeInterval(7200)))
        }
        try memory.store.unshare(grant.id, owner: ana, by: .local)
        #expect(await !finds(bob))
        await memory.close(deadline: .zero)
    }

    @Test func `nobody writes above their sight, beside their agent, or beyond their quota`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let scope = Scope(user: "ana")
        func input(_ text: String, _ label: Sensitivity = .internal, agent: String? = nil)
            -> MemoryInput
        {
            var input = MemoryInput(text)
            (input.sensitivity, input.agent) = (label, agent)
            return input
        }
        let low = Principal(
            name: "low", permissions: [.read, .write], user: "ana", clearance: .internal)
        await #expect(throws: AccessError.self) {
            try await memory.remember([input("x", .confidential)], scope: scope, by: Caller(low))
        }
        let clerk = Principal(
            name: "clerk", permissions: [.read, .write], user: "ana", agent: "clerk")
        #expect(
            try await memory.remember([input("mine")], scope: scope, by: Caller(clerk))[0].memory
                .scope.agent == "clerk"
        )
        await #expect(throws: AccessError.self) {
            try await memory.remember(
                [input("other", agent: "coder")], scope: scope, by: Caller(clerk))
        }
        // A duplicate that is not visible does not show: the same words become another memory.
        let secret = try await memory.remember(
            [input("same words, four of them", .restricted)], scope: scope)[0]
        let again = try await memory.remember(
            [input("same words, four of them")], scope: scope, by: Caller(low))[0]
        #expect(again.id != secret.id && !again.duplicate && again.nearDuplicateOf == nil)
        let small = Principal(name: "small", permissions: [.read, .write], user: "carl", quota: 2)
        try await memory.remember(
            [input("one"), input("two")], scope: Scope(user: "carl"), by: Caller(small))
        let error = await #expect(throws: StoreError.self) {
            try await memory.remember(
                [input("three")], scope: Scope(user: "carl"), by: Caller(small))
        }
        #expect(error?.code == .quotaReached)
        await memory.close(deadline: .zero)
    }
}
