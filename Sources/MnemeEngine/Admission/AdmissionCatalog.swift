/// The admission policies by name.
public enum AdmissionCatalog {
    /// Their names, as options take them.
    public static let names = ["aggressive", "conservative", "past-future"]

    /// The policy of a name.
    ///
    /// - Throws: ``EngineError`` if there is none of that name.
    public static func policy(_ name: String) throws -> any AdmissionPolicy {
        switch name {
        case "aggressive": AggressiveAdmission()
        case "conservative": ConservativeAdmission()
        case "past-future": PastFuture()
        default:
            throw EngineError(
                .invalidRequest,
                "There is no admission policy '\(name.prefix(80))'. There are \(names.joined(separator: ", ")).")
        }
    }
}
