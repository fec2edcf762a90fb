import Foundation
public import MnemeStore

/// ask: answers that many memories make together.
public enum AskOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "ask"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary =
        "Count, add up, compare or order what memories tell: how many, how much, which most, first or last."
    /// How the answer is made, and how sure it is.
    public static let discussion = """
        By rule, from English sentences about what somebody did, with the memories that were counted. 'certain' is false, with reasons, \
        where it is a guess. Other questions are answered with what recall finds, or by a model that the server has, which \
        cites memories.
        """
    /// `read`; memories that the caller may not see are not counted.
    public static let permission = Permission.read
    /// `POST`, as the question is in the body.
    public static let route: Route? = Route(.post, "/v1/ask")

    static let question = Parameter<String>(
        "question", "The question.", required: true, positional: true)
    static let tag = Parameter<String>("tag", "Only memories with this tag.")
    static let from = Parameter<Date>("from", "Only what happened from then on.")
    static let before = Parameter<Date>("before", "Only what happened before then.")

    /// The question (required), filters that must all fit, the scope.
    public static let parameters: [any AnyParameter] =
        [question, tag, from, before] + ScopeParameters.all

    /// Answers one question.
    ///
    /// - Throws: `InputError` for a question without words, `AccessError`.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        var request = AskRequest(
            try input.require(question), owner: try ScopeParameters.owner(input, context))
        request.agent = input[ScopeParameters.agent]
        request.session = input[ScopeParameters.session]
        request.tag = input[tag]
        request.from = input[from]
        request.before = input[before]
        request.now = context.now
        return .value(try await context.memory.ask(request, by: context.caller(self)))
    }
}
