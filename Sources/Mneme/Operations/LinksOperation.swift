import MnemeBase
public import MnemeStore

/// links: memories and what connects them.
public enum LinksOperation: Operation {
    /// `operationId` in OpenAPI; the viewer's page of links asks for it.
    public static let name = "links"
    /// The sentence that OpenAPI shows.
    public static let summary =
        "Show memories with the links between them: around one, or among the newest."
    /// `read`; the store leaves out what the caller may not see.
    public static let permission = Permission.read
    /// All parameters are in the query.
    public static let route: Route? = Route(.get, "/v1/links")
    /// HTTP alone, for the viewer; `get` shows one memory's links everywhere.
    public static let surfaces: Set<Surface> = [.http]
    static let around = Parameter<CubeID>(
        "around", "The memory to begin at; the newest ones if left out.")
    static let steps = Parameter<Int>(
        "steps", "So many links away at most; 2 if left out.", range: 1...4)
    static let limit = Parameter<Int>(
        "limit", "At most so many memories; 60 if left out.", range: 2...300)
    /// The start (the newest), steps (2), memories at most (60), the owner; all optional.
    public static let parameters: [any AnyParameter] = [around, steps, limit] + ScopeParameters.owner

    /// Memories, those where the walk began first, and the links whose two ends are among them.
    struct Output: Encodable, Sendable {
        var memories: [MemCube]
        var links: [CubeLink]
        /// True if there are more within the steps than the limit allows.
        var hasMore: Bool
    }

    /// Walks along links in both directions, breadth first.
    ///
    /// - Throws: `StoreError` of class not found for a memory that is not visible to the caller.
    /// - Complexity: one read of links for each memory of the answer.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let owner = try ScopeParameters.owner(input, context)
        let caller = context.caller(self)
        let start = input[around]
        let limit = input[limit] ?? 60
        let steps = input[steps] ?? 2
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                let first: [CubeID]
                if let start {
                    guard try store.cube(start, owner: owner, asOf: nil, by: caller) != nil else {
                        throw StoreError(.notFound, "There is no memory \(start) in this scope.")
                    }
                    first = [start]
                } else {
                    // Half of the room is left for what they lead to.
                    var filter = CubeFilter(owner: owner, limit: max(1, limit / 2))
                    filter.newestFirst = true
                    first = try store.list(filter, by: caller).map(\.id)
                }
                let walk = try Walk(from: first, steps: steps, limit: limit) {
                    try store.links(of: $0, owner: owner, by: caller)
                }
                let memories = try store.cubes(walk.reached, owner: owner, by: caller)
                let seen = Set(memories.map(\.id))
                return Output(
                    memories: memories,
                    links: walk.links.filter { seen.contains($0.source) && seen.contains($0.target) },
                    hasMore: walk.hasMore)
            })
    }

    /// The memories that are reached in so many steps, and the links on the way.
    struct Walk {
        /// The memories, the nearest first.
        private(set) var reached: [CubeID]
        /// The links, each once.
        private(set) var links: [CubeLink] = []
        /// True if the limit kept memories out.
        private(set) var hasMore = false

        /// - Parameter linksOf: the links of a memory, in both directions.
        init(
            from start: [CubeID], steps: Int, limit: Int,
            linksOf: (CubeID) throws -> [CubeLink]
        ) rethrows {
            reached = start
            var known = Set(start)
            var found: Set<CubeLink> = []
            var frontier = start[...]
            // One step more than asked for tells which of the last ones are linked to each other.
            for step in 0...steps {
                let end = reached.count
                for id in frontier {
                    for link in try linksOf(id) {
                        let other = link.source == id ? link.target : link.source
                        if step < steps, !known.contains(other) {
                            guard reached.count < limit else {
                                hasMore = true
                                continue
                            }
                            known.insert(other)
                            reached.append(other)
                        }
                        if known.contains(other), found.insert(link).inserted { links.append(link) }
                    }
                }
                frontier = reached[end...]
            }
        }
    }
}
