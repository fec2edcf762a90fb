import Crypto
import Foundation
import MnemeStore
import Testing

/// The rules of a commit, without any database.
@Suite struct RulesTests {
    private let owner = Owner(tenant: "t", user: "alice")
    private let now = Date(timeIntervalSince1970: 100)

    private func cube(
        _ text: String = "x", at time: Double = 0, _ state: LifecycleState = .activated
    ) -> MemCube {
        var cube = MemCube(
            scope: Scope(tenant: "t", user: "alice"), type: .semantic, text: text,
            eventTime: Date(timeIntervalSince1970: time),
            recordedTime: Date(timeIntervalSince1970: 1),
            provenance: Provenance(source: "test"))
        cube.state = state
        return cube
    }

    private func code(_ body: () throws -> Void) -> StoreError.Code? {
        do { try body() } catch let error as StoreError { return error.code } catch {}
        return nil
    }

    // MARK: Lifecycle

    @Test(arguments: LifecycleState.allCases, LifecycleState.allCases)
    func `a transition is the next version of a legal state, nothing or a conflict`(
        from: LifecycleState, to: LifecycleState
    ) throws {
        let old = cube("x", from)
        if from == to {
            #expect(try LifecycleRules.transition(old, to: to, as: .archive, at: now) == nil)
        } else if from != .quarantined, from.canBecome(to) {
            let next = try #require(
                try LifecycleRules.transition(old, to: to, as: .archive, at: now))
            #expect(next.operation == .archive && next.cube.state == to && next.cube.version == 2)
            #expect(next.cube.updatedTime == now && next.cube.recordedTime == old.recordedTime)
        } else {
            #expect(
                code { _ = try LifecycleRules.transition(old, to: to, as: .archive, at: now) }
                    == .conflict)
        }
    }

    private func cube(_ text: String, _ state: LifecycleState) -> MemCube {
        cube(text, at: 0, state)
    }

    @Test func `what is frozen, erased or quarantined is not changed`() {
        for state in LifecycleState.allCases {
            let isKept = [.frozen, .erased, .quarantined].contains(state)
            #expect(
                (code { try LifecycleRules.requireChangeable(cube("x", state)) } == .conflict)
                    == isKept)
        }
    }

    @Test func `only what is quarantined is released, on the word of who does it`() throws {
        let caller = Caller(Principal(name: "bob", permissions: [.write, .share]), time: now)
        let free = try LifecycleRules.release(cube("x", .quarantined), by: caller)
        #expect(
            free.cube.state == .activated && free.cube.vouchedBy == "bob"
                && free.operation == .release)
        #expect(
            code { _ = try LifecycleRules.release(cube("x", .archived), by: caller) } == .conflict)
    }

    @Test func `an update leaves what is not its writer's to say`() throws {
        var old = cube("old")
        old.version = 4
        old.validUntil = now
        old.confirmations = 2
        old.vouchedBy = "bob"
        old.scope.session = "s"
        var new = old
        new.text = "new"
        new.state = .archived
        new.validUntil = nil
        new.confirmations = 99
        new.scope = Scope(tenant: "other", user: "other", session: "other")
        new.recordedTime = now
        let next = try LifecycleRules.replace(old, by: new, as: .update, owner: owner, at: now).cube
        #expect(next.text == "new" && next.version == 5 && next.state == .activated)
        #expect(next.validUntil == now && next.confirmations == 2 && next.vouchedBy == nil)
        #expect(
            next.scope == old.scope && next.recordedTime == old.recordedTime
                && next.updatedTime == now)
        #expect(!LifecycleRules.keepsVector(old, next))
        new.text = "old"
        #expect(
            try LifecycleRules.replace(old, by: new, as: .update, owner: owner, at: now).cube
                .vouchedBy == "bob")
    }

    @Test func `a rollback brings the state back where that is legal`() throws {
        var old = cube("now")
        var former = old
        former.state = .archived
        #expect(
            try LifecycleRules.replace(old, by: former, as: .rollback, owner: owner, at: now).cube
                .state == .archived)
        old.state = .archived
        former.state = .merged
        #expect(
            try LifecycleRules.replace(old, by: former, as: .rollback, owner: owner, at: now).cube
                .state == .archived)
    }

    @Test func `a change of an old version, and of what keys and values are called, is a conflict`() {
        let old = cube("old")
        var late = old
        late.version = 2
        #expect(
            code {
                _ = try LifecycleRules.replace(old, by: late, as: .update, owner: owner, at: now)
            } == .conflict)
        let reference = ActivationReference(
            block: "b", model: "m", modelHash: "h", tokens: 1, bytes: 1)
        var kept = old
        kept.payload = .activation(reference, of: "old")
        #expect(
            code {
                _ = try LifecycleRules.replace(old, by: kept, as: .update, owner: owner, at: now)
            } == .conflict)
        var other = kept
        other.text = "other"
        #expect(
            code {
                _ = try LifecycleRules.replace(kept, by: other, as: .update, owner: owner, at: now)
            } == .conflict)
        #expect(
            code {
                _ = try LifecycleRules.replace(kept, by: kept, as: .update, owner: owner, at: now)
            } == nil)
    }

    @Test func `confirmations are counted and never overflow`() {
        var known = cube()
        known.confirmations = .max
        #expect(LifecycleRules.confirm(cube(), at: now).cube.confirmations == 1)
        #expect(LifecycleRules.confirm(known, at: now).cube.confirmations == .max)
    }

    // MARK: Quota and idempotency

    @Test func `a quota counts what is kept and what is added`() {
        func check(_ quota: Int?, kept: Int, adding added: Int) -> Bool {
            let principal = Principal(name: "p", permissions: [.write], quota: quota)
            return code {
                try QuotaRules.check(kept: kept, adding: added, owner: owner, by: principal)
            } == nil
        }
        #expect(check(nil, kept: .max, adding: 9) && check(0, kept: 5, adding: 0))
        #expect(
            check(5, kept: 4, adding: 1) && !check(5, kept: 4, adding: 2)
                && !check(5, kept: 6, adding: 1))
        #expect(check(.max, kept: .max - 1, adding: 1) && !check(.max, kept: .max, adding: 1))
        func limit(_ quota: Int?) -> Int? {
            QuotaRules.countLimit(
                adding: 1, by: Principal(name: "p", permissions: [], quota: quota))
        }
        #expect(limit(nil) == nil && limit(5) == 6 && limit(.max) == .max)
    }

    @Test func `a request is the same by what its caller chose, not by ids made for it`() {
        func add(_ text: String) -> [Mutation] {
            [.add(cube(text), analysis: [], contentHash: Array(text.utf8))]
        }
        let id = CubeID()
        #expect(IdempotencyRules.hash(of: add("a")) == IdempotencyRules.hash(of: add("a")))
        #expect(IdempotencyRules.hash(of: add("a")) != IdempotencyRules.hash(of: add("b")))
        let all: [[Mutation]] = [
            [], [.archive(id)], [.restore(id)], [.freeze(id)], [.quarantine(id)], [.release(id)],
            [.confirm(id)],
            [.erase(id)], [.invalidate(id, at: now)], [.merge(id, into: id)],
            [.move(id, to: .profile, topic: nil)],
            [.move(id, to: .midTerm, topic: nil)], [.archive(CubeID())],
            [.archive(id), .restore(id)],
        ]
        #expect(Set(all.map(IdempotencyRules.hash)).count == all.count)
        #expect(
            code { try IdempotencyRules.requireSame(Data([1]), as: Data([2]), key: "k") }
                == .conflict)
        #expect(
            code { try IdempotencyRules.requireSame(Data([1]), as: Data([1]), key: "k") } == nil)
    }

    // MARK: Claims

    private func home(
        _ value: String, at time: Double, _ sensitivity: Sensitivity = .internal,
        agent: String? = nil
    ) -> Claimant {
        var cube = cube(value, at: time)
        (cube.sensitivity, cube.scope.agent) = (sensitivity, agent)
        return Claimant(
            ClaimHolder(cube), Claim(subject: "ana", attribute: "home", value: value))
    }

    @Test func `the next claimant that says otherwise ends a claim`() {
        let all = [
            home("paris", at: 1), home("paris", at: 2), home("berlin", at: 3), home("rome", at: 4),
        ]
        #expect(end(of: all[0], among: all) === all[2].holder)
        #expect(end(of: all[2], among: all) === all[3].holder)
        #expect(end(of: all[3], among: all) == nil)
        #expect(end(of: home("oslo", at: 0), among: all) == nil)
    }

    private func end(of claimant: Claimant, among claimants: [Claimant]) -> ClaimHolder? {
        ClaimRules.successor(of: claimant.claim, by: claimant.holder, among: claimants)?.holder
    }

    @Test func `what came before all claims that are compared is ended by one of them`() {
        let many = (0..<ClaimRules.compared).map { home($0 == 0 ? "oslo" : "rome", at: Double($0)) }
        let early = home("oslo", at: -1)
        let found = ClaimRules.successor(of: early.claim, by: early.holder, among: many)
        #expect(found?.holder === many[1].holder && found?.isFirst == false)
        #expect(end(of: early, among: Array(many.dropLast())) == nil)
    }

    @Test func `what not all see who see a memory does not end it`() {
        let paris = home("paris", at: 1)
        let secret = home("berlin", at: 2, .restricted)
        #expect(end(of: paris, among: [paris, secret]) == nil)
        let coders = home("berlin", at: 2, agent: "coder")
        #expect(end(of: paris, among: [paris, coders]) == nil)
        let own = home("paris", at: 1, agent: "coder")
        #expect(end(of: own, among: [own, coders]) === coders.holder)
    }

    @Test func `a memory of several claims ends with the last of them`() {
        let first = home("a", at: 1).holder
        let last = home("b", at: 2).holder
        #expect(ClaimRules.last(of: [first, last]) === last && ClaimRules.last(of: []) == nil)
    }

    @Test func `a settlement writes the difference only`() {
        var old = cube("old", at: 1)
        let next = home("next", at: 2).holder
        let other = CubeID()
        func isUpToDate(_ former: CubeID?, _ successor: ClaimHolder?) -> Bool {
            let holder = ClaimHolder(
                id: old.id, seconds: 1, validUntil: old.validUntil, sensitivity: old.sensitivity,
                agent: nil, isFrozen: false, claims: [], formers: Set([former].compactMap(\.self)))
            return ClaimRules.isUpToDate(holder, by: successor)
        }
        #expect(isUpToDate(nil, nil) && !isUpToDate(nil, next))
        let ended = ClaimRules.validityChange(of: old, former: nil, successor: next, at: now)
        #expect(
            ended.removed == nil && ended.change.operation == .supersede
                && ended.added?.source == next.id)
        #expect(ended.change.cube.validUntil == next.eventTime && ended.added?.target == old.id)
        old.validUntil = next.eventTime
        #expect(isUpToDate(next.id, next) && !isUpToDate(other, next) && !isUpToDate(next.id, nil))
        let moved = ClaimRules.validityChange(of: old, former: other, successor: next, at: now)
        #expect(moved.removed?.source == other && moved.added?.source == next.id)
        let free = ClaimRules.validityChange(of: old, former: next.id, successor: nil, at: now)
        #expect(
            free.change.operation == .reinstate && free.change.cube.validUntil == nil
                && free.added == nil)
        // What somebody said to be outdated stays so.
        #expect(isUpToDate(nil, nil))
    }

    // MARK: Access

    @Test func `what is reached is one's own, and what is granted up to the clearance`() {
        let bob = Principal(
            name: "bob", permissions: [.read], tenant: "t", user: "bob", clearance: .confidential)
        let own = AccessRules.ownVisibility(of: owner, bob)
        #expect(throws: AccessError.self) {
            try AccessRules.requireSome(own, of: owner, for: .read, bob)
        }
        #expect(AccessRules.takesGrants(of: owner, bob))
        var grants = [Grant(owner: owner, grantee: .user("bob"), upTo: .restricted)]
        #expect(AccessRules.visibility(own, with: grants, for: .read, bob).ceiling == .confidential)
        #expect(AccessRules.visibility(own, with: grants, for: .write, bob) == own)
        let id = CubeID()
        grants = [Grant(owner: owner, cube: id, grantee: .user("bob"))]
        let single = AccessRules.visibility(own, with: grants, for: .read, bob)
        #expect(single.also == [id] && single.ceiling == nil)
        let far = Principal(name: "far", permissions: [.read], tenant: "u", user: "alice")
        #expect(!AccessRules.takesGrants(of: owner, far))
    }

    @Test func `a memory goes only as far as its writer sees, and an agent writes its own`() throws {
        let low = Principal(
            name: "low", permissions: [.write], tenant: "t", user: "alice", agent: "coder",
            clearance: .internal)
        let writable = AccessRules.ownVisibility(of: owner, low)
        var new = cube()
        try AccessRules.confine(&new, to: writable, low, isNew: true)
        #expect(new.scope.agent == "coder")
        new.sensitivity = .restricted
        #expect(throws: AccessError.self) {
            try AccessRules.confine(&new, to: writable, low, isNew: true)
        }
        var others = cube()
        others.scope.agent = "writer"
        #expect(throws: AccessError.self) {
            try AccessRules.confine(&others, to: writable, low, isNew: true)
        }
        // What was taken out of a text goes up.
        var taken = cube("secret", .archived)
        taken.sensitivity = .restricted
        taken.provenance = Provenance(source: Provenance.redaction)
        try AccessRules.confine(&taken, to: writable, low, isNew: true)
        let link = CubeLink(source: new.id, target: taken.id, kind: CubeLink.derivedFrom, time: now)
        #expect(AccessRules.keeps(link, to: taken, writable: writable))
    }

    @Test func `nobody shares more than they may do`() {
        let alice = Principal(
            name: "alice", permissions: [.read, .share], tenant: "t", user: "alice",
            clearance: .internal)
        let own = AccessRules.ownVisibility(of: owner, alice)
        func check(_ grant: Grant) throws { try AccessRules.check(grant, own: own, alice) }
        #expect(throws: Never.self) { try check(Grant(owner: owner, grantee: .everyone)) }
        #expect(throws: AccessError.self) {
            try check(Grant(owner: owner, grantee: .everyone, upTo: .restricted))
        }
        #expect(throws: AccessError.self) {
            try check(Grant(owner: owner, grantee: .everyone, permissions: [.write]))
        }
        #expect(throws: StoreError.self) {
            try check(Grant(owner: owner, grantee: .everyone, permissions: []))
        }
        #expect(throws: StoreError.self) {
            try check(Grant(owner: owner, grantee: .everyone, permissions: [.admin]))
        }
        #expect(throws: AccessError.self) {
            try check(Grant(owner: Owner(tenant: "t", user: "bob"), grantee: .everyone))
        }
    }

    // MARK: Audit and adoption

    @Test func `each audit entry carries its place and the hash of all before`() throws {
        let entry = AuditEntry(
            position: 0, time: now, principal: "p\0", operation: "read", owner: owner,
            outcome: .done)
        var chain = AuditChain()
        let first = try chain.append(entry)
        let second = try chain.append(entry)
        #expect(first.position == 1 && second.position == 2 && first.principal == "p␀")
        #expect(
            first.hash == first.chained(to: Data()) && second.hash == second.chained(to: first.hash)
        )
        #expect(first.hash != second.hash && chain.hash == second.hash)
        var full = AuditChain(position: .max, hash: first.hash)
        #expect(code { _ = try full.append(entry) } == .corrupt)
        #expect(full.position == .max && full.hash == first.hash)
    }

    @Test func `a journal entry's digest names all of it`() {
        func digest(_ change: Int) -> Data {
            JournalDigest.digest(
                salt: Data([change == 0 ? 1 : 0]), time: change == 1 ? 2 : 1,
                operation: change == 2 ? "b" : "a",
                cube: change == 3 ? "d" : "c", version: change == 4 ? 2 : 1,
                principal: change == 5 ? "f" : "e",
                reason: change == 6 ? "" : nil, payload: change == 7 ? "h" : "g")
        }
        #expect(Set((0...8).map(digest)).count == 9 && digest(8) == digest(9))
    }

    @Test func `history from elsewhere is the cube's own, owned here and never in the future`() {
        var known = cube()
        known.version = 3
        known.vouchedBy = "somebody"
        func entry(_ version: Int, _ time: Double, of snapshot: MemCube?) -> JournalEntry {
            var entry = JournalEntry(
                position: 1, time: Date(timeIntervalSince1970: time), operation: .update,
                cube: known.id, version: version, principal: "p")
            entry.snapshot = snapshot
            return entry
        }
        let entries = [
            entry(2, 1e9, of: known), entry(1, 5, of: known), entry(4, 5, of: known),
            entry(1, .nan, of: known),
            entry(1, 5, of: cube()), entry(1, 5, of: nil),
        ]
        let other = Owner(tenant: "t", user: "bob")
        let kept = AdoptionRules.history(
            of: known, entries, owner: other, by: Caller(.local, time: now))
        #expect(
            kept.map(\.version) == [1, 2] && kept.map(\.time.timeIntervalSince1970) == [5, 100])
        #expect(
            kept.allSatisfy { $0.snapshot?.scope.owner == other && $0.snapshot?.vouchedBy == nil })
        #expect(code { try AdoptionRules.requireAdoptable(cube("x", .erased)) } == .conflict)
        #expect(code { try AdoptionRules.requireFree(known.id, .here) } == .conflict)
    }
}
