public import Mneme
public import MnemeEngine
import MnemeKV
public import MnemeStore

/// Computes the keys and values of the system message that chats with a profile begin with, and keeps them on disk: the first answer of a chat starts
/// as if the profile had been read already.
public struct ProfilePromoter: MemoryPromoter {
    private let model: LanguageModel, engine: Engine, keys: KeyFile?
    public var name: String { model.name }

    /// - Parameters:
    ///   - engine: runs the model, and keeps keys and values in a folder.
    ///   - keys: those of a server: what is computed for one is found by that one alone.
    public init(_ model: LanguageModel, _ engine: Engine, keys: KeyFile? = nil) {
        (self.model, self.engine, self.keys) = (model, engine, keys)
    }

    public func readers(of owner: Owner) -> [Principal] {
        var readers = [Principal.local], scopes: Set = [ChatEndpoint.scope(.local)]
        for key in keys?.keys ?? [] where key.isValid() {
            let principal = key.principal
            guard principal.reaches(owner), principal.permissions.contains(.read),
                scopes.insert(ChatEndpoint.scope(principal)).inserted
            else { continue }
            readers.append(principal)
        }
        return readers
    }

    public func promote(_ profile: [MemCube], for reader: Principal) async throws -> ActivationReference? {
        guard let system = ChatMemory.system(nil, profile: profile) else { return nil }
        let tokens = try model.tokens(ofSystem: system), sources = profile.map(\.id.description).sorted()
        guard let text = try await engine.keep(tokens, scope: ChatEndpoint.scope(reader), sources: Set(sources)) else {
            return nil
        }
        return ActivationReference(
            block: text.end.description, model: model.name, modelHash: text.model.description, tokens: text.tokens,
            bytes: text.bytes, sources: sources)
    }

    public func release(_ made: ActivationReference) throws {
        if let end = KVHash(made.block) { try engine.release(end) }
    }
}
