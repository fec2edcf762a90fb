import Foundation
import MnemeStore

/// Requirements of every ``AccessStore``: clearance, grants and tenants, held by the store itself.
///
/// A store must not trust what stands above it: each check calls it with the principal of a user, a
/// guest or a stranger, as the HTTP server would after reading a key.
extension MemoryStoreConformance {
    /// Checks of access rights: the visibility of an owner's memories, and grants from their first
    /// use to their end.
    static let access: [MemoryStoreConformance] = [
        // Holds `visibility(of:for:by:)`, `share` and `unshare` to their promises, together with
        // the reads of `CubeStore` and the changes of `IndexFeed`: all must apply the same
        // clearance. Finds a store that filters `list` but not `cube` or `changes`, that lets a
        // grant to read allow writing, that keeps a grant after it was taken back, or that compares
        // user names without the tenant.
        check("whoever calls reaches their own, up to their clearance, and what was shared") {
            store in
            var secret = sample("secret")
            secret.sensitivity = .confidential
            let plain = sample("plain")
            _ = try store.commit([add(secret), add(plain)], owner: alice, by: at(1))
            func sees(_ principal: Principal) throws -> [String] {
                try store.list(CubeFilter(owner: alice), by: Caller(principal)).map(\.text)
            }
            let low = Principal(
                name: "low", permissions: [.read], user: "alice", clearance: .internal)
            try expect(
                sees(low) == ["plain"]
                    && store.cube(secret.id, owner: alice, asOf: nil, by: Caller(low)) == nil)
            let visibility = try store.visibility(of: alice, for: .read, by: Caller(low))
            try expect(
                store.changes(
                    owner: alice, since: .start, embedder: "e", visibility: visibility
                ).rows.map(\.id)
                    == [plain.id])
            let guest = Principal(name: "guest", permissions: [.read, .write], user: "guest")
            try expectRefusal { _ = try sees(guest) }
            let grant = try store.share(
                Grant(owner: alice, cube: secret.id, grantee: .user("guest")), by: at(2))
            try expect(sees(guest) == ["secret"] && store.grants(to: Caller(guest)) == [grant])
            try expectRefusal {
                _ = try store.commit([.archive(secret.id)], owner: alice, by: Caller(guest))
            }
            try store.unshare(grant.id, owner: alice, by: at(3))
            try expectRefusal { _ = try sees(guest) }
            try expectRefusal {
                _ = try sees(
                    Principal(name: "far", permissions: [.read], tenant: "elsewhere", user: "alice")
                )
            }
            try expectRefusal { _ = try store.statistics(owner: nil, by: Caller(low)) }
        },
        // Holds `share(_:by:)` to the bounds of a grant: its expiry, its permissions, its tenant,
        // and one grant for each grantee and target. Finds a store that reads the clock of the
        // machine instead of the caller's time, that lets a guest pass a grant on, that adds a
        // second grant beside the first, or that answers `unshare` of an unknown number with
        // silence.
        check(
            "a grant ends in time, gives no more than its giver has, and never leads to another tenant"
        ) { store in
            let cube = sample("shared")
            _ = try store.commit([add(cube)], owner: alice, by: at(1))
            func guest(
                _ seconds: Double, tenant: String? = nil,
                _ permissions: Set<Permission> = [.read, .write]
            )
                -> Caller
            {
                Caller(
                    Principal(
                        name: "guest", permissions: permissions, tenant: tenant, user: "guest"),
                    time: Date(timeIntervalSince1970: seconds))
            }
            func texts(_ caller: Caller) throws -> [String] {
                try store.list(CubeFilter(owner: alice), by: caller).map(\.text)
            }
            let end = Date(timeIntervalSince1970: 10)
            let grant = try store.share(
                Grant(owner: alice, grantee: .user("guest"), expires: end), by: at(2))
            try expect(
                texts(guest(9)) == ["shared"]
                    && store.grants(owner: alice, by: .local).map(\.id) == [grant.id])
            try expectRefusal { _ = try texts(guest(11)) }
            try expectRefusal { _ = try texts(guest(9, tenant: "elsewhere")) }
            try expectRefusal {
                _ = try store.commit([.archive(cube.id)], owner: alice, by: guest(9))
            }
            try expectRefusal {
                _ = try store.share(Grant(owner: alice, grantee: .everyone), by: guest(9))
            }
            // The same again replaces what was.
            let wider = Grant(owner: alice, grantee: .user("guest"), permissions: [.read, .write])
            let again = try store.share(wider, by: at(3))
            try expect(store.grants(owner: alice, by: .local).map(\.id) == [again.id])
            _ = try store.commit([.archive(cube.id)], owner: alice, by: guest(11))
            try expectRefusal { _ = try texts(guest(9, [])) }
            try expectError(.notFound) { try store.unshare(again.id + 99, owner: alice, by: at(4)) }
        },
        // Holds `Mutation.erase` to leaving no trace, in grants too. Finds a store that deletes the
        // cube's rows but keeps grants that name its id.
        check("erasing a cube ends the grants of it") { store in
            let cube = sample("shared")
            _ = try store.commit([add(cube)], owner: alice, by: at(1))
            _ = try store.share(Grant(owner: alice, cube: cube.id, grantee: .everyone), by: at(2))
            _ = try store.commit([.erase(cube.id)], owner: alice, by: at(3))
            try expect(store.grants(owner: alice, by: .local).isEmpty)
        },
    ]
}
