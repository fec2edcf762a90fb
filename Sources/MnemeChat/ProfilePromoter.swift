public import Mneme
public import MnemeEngine
import MnemeKV
public import MnemeStore

/// Computes the KV cache of the system message that chats with a profile begin with, and keeps it
/// on disk: the first answer of a chat starts as if the profile had been read already.
public struct ProfilePromoter: MemoryPromoter {
    private let model: LanguageModel
    private let engine: Engine
    private let principals: @Sendable () -> [Principal]
    /// The model's name: another model needs keys and values of its own.
    public var name: String { model.name }

    /// - Parameters:
    ///   - model: reads the system message; keys and values are kept for it alone.
    ///   - engine: runs the model, and keeps keys and values in a folder.
    ///   - principals: who chats besides the local user, such as a server's keys: what is computed
    ///     for one is found by that one alone.
    public init(
        _ model: LanguageModel, _ engine: Engine,
        principals: @escaping @Sendable () -> [Principal] = { [] }
    ) {
        self.model = model
        self.engine = engine
        self.principals = principals
    }

    /// The local user, and the principals that may read the owner; one a cache scope.
    public func readers(of owner: Owner) -> [Principal] {
        var readers = [Principal.local]
        var scopes: Set = [Principal.local.cacheScope]
        for principal in principals() {
            guard principal.reaches(owner), principal.permissions.contains(.read),
                scopes.insert(principal.cacheScope).inserted
            else { continue }
            readers.append(principal)
        }
        return readers
    }

    /// Computes the system message with this profile and keeps it on disk.
    ///
    /// - Returns: nil without a profile, or if the engine keeps nothing.
    public func promote(_ profile: [MemCube], for reader: Principal) async throws
        -> ActivationReference?
    {
        guard let system = ChatMemory.system(nil, profile: profile) else { return nil }
        let tokens = try model.tokens(ofSystem: system)
        let sources = profile.map(\.id.description).sorted()
        guard
            let text = try await engine.keep(
                tokens, scope: reader.cacheScope, sources: Set(sources))
        else {
            return nil
        }
        return ActivationReference(
            block: text.end.description, model: model.name, modelHash: text.model.description,
            tokens: text.tokens,
            bytes: text.bytes, sources: sources)
    }

    /// Lets the cache evict what was kept; the blocks stay until then.
    public func release(_ made: ActivationReference) throws {
        if let end = KVHash(made.block) { try engine.release(end) }
    }
}
