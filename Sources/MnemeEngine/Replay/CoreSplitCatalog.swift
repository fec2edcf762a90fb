/// The ways to share the cores by name.
package enum CoreSplitCatalog {
    /// Their names, as options take them; `static` takes a share behind a colon, too.
    package static let names = ["one-step", "static", "nexus"]

    /// The split of a name: `one-step`, `static`, `static:0.3`, `nexus`.
    ///
    /// - Throws: `EngineError` if there is none of that name.
    package static func split(_ name: String) throws -> any CoreSplit {
        let parts = name.split(separator: ":", maxSplits: 1)
        switch (parts.first, parts.count) {
        case ("one-step", 1): return OneStep()
        case ("static", 1): return StaticSplit()
        case ("static", 2):
            guard let share = Double(parts[1]), share > 0, share < 1 else { break }
            return StaticSplit(share)
        case ("nexus", 1): return Nexus()
        default: break
        }
        throw EngineError(
            .invalidRequest,
            "There is no split of the cores '\(name.prefix(80))'. There are \(names.joined(separator: ", ")), "
                + "and static:SHARE with a share between 0 and 1."
        )
    }
}
