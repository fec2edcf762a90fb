import Foundation
import MnemeStore

/// Requirements of a ``CubeStore`` on cubes that are no texts: those of keys and values, and of
/// adapters.
extension MemoryStoreConformance {
    /// Checks of payloads besides texts.
    static let forms: [MemoryStoreConformance] = [
        // Holds `list` to `CubeFilter.form`, and reads to the whole reference. Finds a store whose
        // column tells texts from the rest alone, and one that loses a field.
        check("keys and values and adapters are read whole, and listed by their form") { store in
            var kept = sample("kept")
            let reference = ActivationReference(
                block: "b1", model: "m", modelHash: "h", tokens: 64, bytes: 1 << 20, sources: ["x"])
            kept.payload = .activation(reference, of: "kept")
            var learned = sample("learned")
            learned.payload = .parametric(adapter("notes", "w1"), of: "learned")
            let text = sample("said")
            _ = try store.commit([add(text), add(kept), add(learned)], owner: alice, by: at(1))
            for (form, cube) in [(MemoryForm.text, text), (.kv, kept), (.adapter, learned)] {
                var filter = CubeFilter(owner: alice)
                filter.form = form
                try expect(store.list(filter, by: .local).map(\.payload) == [cube.payload])
                let read = try require(store.cube(cube.id, owner: alice, asOf: nil, by: .local))
                try expect(read.payload == cube.payload && read.form == form)
            }
        },
        // Holds an update to what the cube stands for. Finds a store, or a rule, by which an
        // adapter's memory becomes another's, or a text.
        check("an adapter's cube has versions of that adapter alone") { store in
            var cube = sample("learned")
            cube.payload = .parametric(adapter("notes", "w1"), of: "learned")
            _ = try store.commit([add(cube)], owner: alice, by: at(1))
            var anew = cube
            anew.payload = .parametric(adapter("notes", "w2"), of: "learned")
            _ = try store.commit([update(anew)], owner: alice, by: at(2))
            let read = try require(store.cube(cube.id, owner: alice, asOf: nil, by: .local))
            try expect(read.adapter?.hash == "w2" && read.version == 2)
            let before = try require(
                store.cube(cube.id, owner: alice, asOf: Date(timeIntervalSince1970: 1), by: .local))
            try expect(before.adapter?.hash == "w1")
            for payload in [Payload.parametric(adapter("other", "w1"), of: "learned"), .plaintext("learned")] {
                var other = read
                other.payload = payload
                try expectError(.conflict) {
                    _ = try store.commit([update(other)], owner: alice, by: at(3))
                }
            }
        },
    ]

    /// An adapter made of one memory.
    private static func adapter(_ name: String, _ hash: String) -> AdapterReference {
        var reference = AdapterReference(name: name, model: "m", hash: hash, parameters: 8)
        (reference.modelHash, reference.sources) = ("h", ["x"])
        return reference
    }
}
