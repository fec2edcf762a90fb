/// The maintainers that this build has.
public enum Maintainers {
    /// Every maintainer, in the order of the help.
    public static let standard: [any Maintainer] = [
        Decay(), Expiry(), RefineClaims(), MergeDuplicates(), LinkRelated(), PromoteTiers(),
        RunRecipe(), GuardMemories(),
        EmbedPending(),
        PrepareIndexes(), VerifyStore(), CompactStore(),
    ]
}

extension [any Maintainer] {
    /// Every maintainer of this build.
    public static var standard: [any Maintainer] { Maintainers.standard }
}

extension Sequence<any Maintainer> {
    /// The maintainer of a kind; nil if there is none.
    public func first(of kind: JobKind) -> (any Maintainer)? { first { $0.kind == kind } }

    /// The maintainer of a kind.
    ///
    /// - Throws: `InputError` that names those there are.
    public func require(_ kind: JobKind) throws -> any Maintainer {
        if let maintainer = first(of: kind) { return maintainer }
        throw InputError(
            "There is no job '\(kind.rawValue)': \(map(\.kind.rawValue).joined(separator: ", ")).")
    }
}
