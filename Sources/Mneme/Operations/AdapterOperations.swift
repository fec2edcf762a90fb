import Foundation
public import MnemeStore

/// adapters: what models have learned of an owner's memories.
public enum AdaptersOperation: Operation {
    /// `operationId` in OpenAPI.
    public static let name = "adapters"
    /// The sentence that OpenAPI shows.
    public static let summary =
        "Show the adapters and embedding models that were made of memories, and whether they serve."
    /// `read`: those whose memory the caller may not read are not named.
    public static let permission = Permission.read
    /// Name and owner are in the query.
    public static let route: Route? = Route(.get, "/v1/adapters")
    /// HTTP alone: on the command line `mneme adapters` has its own commands.
    public static let surfaces: Set<Surface> = [.http]
    static let adapterName = Parameter<String>("name", "Only those of this name.")
    /// A name (all if left out), the owner.
    public static let parameters: [any AnyParameter] = [adapterName] + ScopeParameters.owner

    /// An adapter, as the memory that stands for it tells.
    struct Row: Encodable, Sendable {
        /// Its name, and the name of the model that it was made for.
        var name, model: String
        /// `embedder` for an embedding model; absent for an adapter of a language model.
        var kind: AdapterReference.Kind?
        /// Numbers in its weights, and memories that it was made of.
        var parameters, sources: Int
        /// Requests that it answered, as far as they were counted.
        var uses: Int
        /// True if requests can name it: its memory is not archived, as it is when one of its sources was erased.
        var serves: Bool
        /// The memory that stands for it: `forget`, `restore` and `erase` take it.
        var memory: CubeID
        /// When it was made, last.
        var made: Date
        /// What its making cost and came to.
        var figures: [String: String]

        init?(_ cube: MemCube) {
            guard let adapter = cube.adapter else { return nil }
            (name, model, kind) = (adapter.name, adapter.model, adapter.kind)
            (parameters, sources, uses) = (adapter.parameters, adapter.sources.count, cube.usage?.count ?? 0)
            (serves, memory) = (cube.state != .archived, cube.id)
            (made, figures) = (cube.updatedTime, cube.metadata)
        }
    }

    /// Adapters by name.
    struct Output: Encodable, Sendable { var adapters: [Row] }

    /// Lists an owner's adapters.
    ///
    /// - Throws: `AccessError`, `StoreError`.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let owner = try ScopeParameters.owner(input, context)
        let caller = context.caller(self)
        let name = input[adapterName]
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                Output(adapters: try found(name, of: owner, store, by: caller).compactMap(Row.init))
            })
    }

    /// The memories of an owner's adapters that a caller may see, in order of their names.
    static func found(
        _ name: String?, of owner: Owner, _ store: any MemoryStore, by caller: Caller
    ) throws -> [MemCube] {
        var filter = CubeFilter(owner: owner, limit: .max)
        filter.form = .adapter
        return try store.list(filter, by: caller).filter { name == nil || $0.adapter?.name == name }
            .sorted { ($0.adapter?.name ?? "", $0.id) < ($1.adapter?.name ?? "", $1.id) }
    }

    /// The memory of one adapter, or embedding model, that a caller may see.
    ///
    /// - Throws: `StoreError` if there is none of this name.
    static func one(
        _ input: OperationInput, _ context: OperationContext, _ caller: Caller, kind: AdapterReference.Kind? = nil
    ) async throws -> MemCube {
        let owner = try ScopeParameters.owner(input, context)
        let name = try input.require(oneName)
        let cube = try await context.memory.run { [store = context.memory.store] in
            try found(name, of: owner, store, by: caller).first { $0.adapter?.kind == kind }
        }
        guard let cube else {
            throw StoreError(
                .notFound,
                "There is no \(kind == nil ? "adapter" : "embedding model") of this name. `adapters` lists them.")
        }
        return cube
    }

    /// The name of one adapter, in the path.
    static let oneName = Parameter<String>("name", "The adapter's name.", required: true)

    /// erase-adapter: the weights are gone, the memories that they were made of stay.
    public enum Erase: Operation {
        /// `operationId` in OpenAPI.
        public static let name = "erase-adapter"
        /// The sentence that OpenAPI shows.
        public static let summary =
            "Remove an adapter for good: its weights and the memory that stands for it. What it was made of stays."
        /// `erase`, as it cannot be undone.
        public static let permission = Permission.erase
        /// The name is part of the path.
        public static let route: Route? = Route(.delete, "/v1/adapters/{name}")
        /// HTTP alone: on the command line `mneme adapters erase` does it.
        public static let surfaces: Set<Surface> = [.http]
        static let embedder = Parameter<Bool>("embedder", "True for an embedding model of this name.")
        /// The name (required), whether it is an embedding model (no), the reason, the owner.
        public static let parameters: [any AnyParameter] =
            [oneName, embedder, MemoryParameters.reason] + ScopeParameters.owner

        /// What was erased: the memory that stood for the adapter.
        struct Output: Encodable, Sendable { var erased: CubeID }

        /// Erases an adapter of an owner.
        ///
        /// - Throws: `StoreError` if there is none, `AccessError`, `FileError`.
        public static func run(_ input: OperationInput, _ context: OperationContext) async throws
            -> OperationOutput
        {
            let owner = try ScopeParameters.owner(input, context)
            let caller = context.caller(self, reason: input[MemoryParameters.reason])
            let kind: AdapterReference.Kind? = input[embedder] == true ? .embedder : nil
            let id = try await one(input, context, caller, kind: kind).id
            _ = try await context.memory.erase(id, owner: owner, by: caller)
            return .value(Output(erased: id))
        }
    }
}
