import Foundation
public import MnemeStore

/// recall: finds the memories that answer a question.
public enum RecallOperation: Operation {
    /// The command, the MCP tool and the `operationId`; one of the tools of the core.
    public static let name = "recall"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary = "Find the memories that best answer a question, with reasons."
    /// The parts of the score of a result.
    public static let discussion = """
        BM25 and dense similarity are fused with speaker, dates and neighbouring messages. Each result says what each source added to \
        its score.
        """
    /// True: without an embedding model dense similarity is missing from the score.
    public static let readsMeaning = true
    /// `read`; memories above the caller's clearance are no candidates.
    public static let permission = Permission.read
    /// `POST`, as the question and its filters are in the body.
    public static let route: Route? = Route(.post, "/v1/memories/search")

    static let query = Parameter<String>("query", "The question.", required: true, positional: true)
    static let also = Parameter<[String]>(
        "also", "Other users to search as well, of the same tenant, such as a team.")
    static let limit = Parameter<Int>(
        "limit", "At most so many memories; 10 if left out.", range: 1...1000)
    /// For callers that put the answer into a prompt: the best memories that fit are returned.
    static let budget = Parameter<Int>(
        "token_budget", "At most so many tokens of text in all.", range: 1...1_000_000)
    static let type = Parameter<MemoryType>("type", "Only this kind of memory.")
    static let tag = Parameter<String>("tag", "Only memories with this tag.")
    static let from = Parameter<Date>("from", "Only what happened from then on.")
    static let before = Parameter<Date>("before", "Only what happened before then.")
    static let asOf = Parameter<Date>("as_of", "What was known at that time.")
    static let at = Parameter<Date>(
        "at", "Facts valid at that time: nothing later, and nothing whose validity had ended.")
    /// For agents: what `learn` kept, instead of what answers the question.
    static let kind = Parameter<ExperienceKind>(
        "kind", "What `learn` kept for a task like the query: 'case' what was tried, 'procedure' what works.")
    /// For measurements and for explaining answers; applications leave it out.
    static let mode = Parameter<RecallMode>(
        "mode", "fused (the default), or a part of it to compare: words, vectors, rrf.")

    /// The question (required), limits, filters that must all fit, times, the scope.
    public static let parameters: [any AnyParameter] =
        [query, also, limit, budget, type, tag, from, before, at, asOf, mode, kind] + ScopeParameters.all

    /// Answers one question from one or several vaults.
    ///
    /// - Throws: `InputError` for a question without words, `AccessError` if one of the vaults may
    ///   not be read.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        var request = RecallRequest(
            try input.require(query), owner: try ScopeParameters.owner(input, context),
            limit: input[limit] ?? 10)
        request.also = try (input[also] ?? []).map {
            try context.principal.owner(tenant: request.owner.tenant, user: $0)
        }
        request.agent = input[ScopeParameters.agent]
        request.session = input[ScopeParameters.session]
        request.type = input[type]
        request.tag = input[tag]
        request.from = input[from]
        request.before = input[before]
        request.asOf = input[asOf]
        request.at = input[at]
        request.tokenBudget = input[budget]
        request.mode = input[mode] ?? .fused
        request.now = context.now
        if let kind = input[kind] {
            guard request.isPlain else {
                throw InputError(
                    "With 'kind' only limit, token_budget and agent are filters. Leave the others out.")
            }
            return .value(
                try await context.memory.experience(kind, for: request, by: context.caller(self)))
        }
        return .value(try await context.memory.recall(request, by: context.caller(self)))
    }
}

extension RecallRequest {
    /// True if nothing filters that what `learn` kept is not looked through by.
    fileprivate var isPlain: Bool {
        also.isEmpty && session == nil && type == nil && tag == nil && from == nil && before == nil && at == nil
            && asOf == nil && mode == .fused
    }
}
