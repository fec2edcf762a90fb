import Foundation
import MnemeStore

/// What every ``StoreMaintenance`` must do.
extension MemoryStoreConformance {
    /// Checks of upkeep and of copies that left.
    static let maintenance: [MemoryStoreConformance] = [
        check("the checks find a sound store sound") { store in
            _ = try store.commit([add(sample("x"))], owner: alice, by: at(1))
            try expect(store.check(repair: false, by: .local).allSatisfy(\.sound))
        },
        check("what left is written down, and what was erased since") { store in
            let cube = sample("copied")
            _ = try store.commit([add(cube)], owner: alice, by: at(1))
            let position = try store.position(of: alice)
            let export = VaultExport(
                owner: alice, kind: .file, place: "/copy", time: at(2).time, principal: "test",
                position: position)
            try store.record(export)
            try store.record(export)
            try expect(
                store.exports(of: alice, by: .local) == [export]
                    && store.exports(of: bob, by: .local).isEmpty)
            try expect(store.erased(of: alice, since: position).isEmpty)
            _ = try store.commit([.erase(cube.id)], owner: alice, by: at(3))
            try expect(store.erased(of: alice, since: position) == [cube.id])
            try expect(store.erased(of: bob, since: 0).isEmpty)
            try store.forget(export, by: .local)
            try expect(store.exports(of: alice, by: .local).isEmpty)
        },
    ]
}
