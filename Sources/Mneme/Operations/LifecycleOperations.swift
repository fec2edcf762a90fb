import Foundation
public import MnemeStore

/// rollback: a former version again.
public enum RollbackOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "rollback"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary = "Make a former version of a memory the present one."
    /// Says that no version is lost by it.
    public static let discussion =
        "Nothing is lost: the version that is left stays in the history, and rolling back can be rolled back."
    /// `write`: the former text becomes a new version.
    public static let permission = Permission.write
    /// The id is part of the path; version, reason and owner are in the body.
    public static let route: Route? = Route(.post, "/v1/memories/{id}/rollback")
    static let version = Parameter<Int>(
        "to", "The version, as `history` shows it; the one before if left out.", range: 1...1e9)
    /// The id (required), the version (the one before), the reason, the owner.
    public static let parameters: [any AnyParameter] =
        MemoryParameters.forChange(version)

    /// Writes the former version again as the newest one.
    ///
    /// - Throws: `InputError` if there is one version only, `StoreError` if there is none of that
    ///   number.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let owner = try ScopeParameters.owner(input, context)
        let id = try input.require(MemoryParameters.id)
        let caller = context.caller(self, reason: input[MemoryParameters.reason])
        var wanted = input[version]
        if wanted == nil {
            let present = try await context.memory.run { [store = context.memory.store] in
                try store.cube(id, owner: owner, asOf: nil, by: caller)?.version
            }
            guard present != 1 else {
                throw InputError(
                    "The memory has one version only. `forget` takes it out of recall.")
            }
            wanted = present.map { $0 - 1 }
        }
        return .value(
            CubeOutput(
                memory: try await context.memory.rollback(
                    id, to: wanted ?? 1, owner: owner, by: caller)))
    }
}

/// correct: another text in its place.
public enum CorrectOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "correct"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary = "Put the right text in the place of a memory that is wrong."
    /// The fate of the wrong text, and the way to go for one that was right once.
    public static let discussion = """
        The wrong one leaves recall and is linked to the new one; `restore` brings it back. For what was right once and is not any more, just \
        remember what holds now, or say `feedback ID outdated`.
        """
    /// True: the right text is a new memory with a vector of its own.
    public static let readsMeaning = true
    /// `write`, as it adds a memory and merges another into it.
    public static let permission = Permission.write
    /// The id of the wrong memory is part of the path.
    public static let route: Route? = Route(.post, "/v1/memories/{id}/correct")
    static let text = Parameter<String>("text", "What is right.", required: true, positional: true)
    /// The id and the right text (both required), the reason, the owner.
    public static let parameters: [any AnyParameter] = MemoryParameters.forChange(text)

    /// Records the right text as a memory of its own, and merges the wrong one into it.
    ///
    /// - Returns: the new memory and its links, among them `corrects`.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let owner = try ScopeParameters.owner(input, context)
        let caller = context.caller(self, reason: input[MemoryParameters.reason])
        let made = try await context.memory.correct(
            try input.require(MemoryParameters.id), with: try input.require(text), owner: owner, by: caller)
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                CubeOutput(
                    memory: made, links: try store.links(of: made.id, owner: owner, by: caller))
            })
    }
}

/// A verdict by its raw value.
extension Feedback: ParameterValue {}

/// feedback: right, wrong or outdated.
public enum FeedbackOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "feedback"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary = "Say that a memory is right, wrong or outdated."
    /// The effect of each of the three verdicts.
    public static let discussion = """
        Right ones are confirmed; wrong ones leave recall (`restore` brings them back); outdated ones stay, behind those that hold, and answer \
        questions about then.
        """
    /// `write`: each verdict is a mutation of the memory.
    public static let permission = Permission.write
    /// The id is part of the path; verdict, reason and owner are in the body.
    public static let route: Route? = Route(.post, "/v1/memories/{id}/feedback")
    static let verdict = Parameter<Feedback>(
        "verdict", "What it is.", required: true, positional: true)
    /// The id and the verdict (both required), the reason, the owner.
    public static let parameters: [any AnyParameter] =
        MemoryParameters.forChange(verdict)

    /// The verdict, and the memory after it.
    struct Output: Encodable, Sendable {
        var verdict: Feedback
        var memory: MemCube
    }

    /// Carries out a ``Feedback`` as one mutation: confirm, archive or invalidate.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let owner = try ScopeParameters.owner(input, context)
        let caller = context.caller(self, reason: input[MemoryParameters.reason])
        let said = try input.require(verdict)
        return .value(
            Output(
                verdict: said,
                memory: try await context.memory.recordFeedback(
                    try input.require(MemoryParameters.id), said, owner: owner, by: caller)))
    }
}

/// freeze: as it is, until it is restored.
public enum FreezeOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "freeze"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary =
        "Keep a memory as it is: it is recalled, and nobody changes it until it is restored."
    /// `write`, the same that `restore` takes to undo it.
    public static let permission = Permission.write
    /// The id is part of the path; reason and owner are in the body.
    public static let route: Route? = Route(.post, "/v1/memories/{id}/freeze")
    /// The id (required), the reason, the owner.
    public static let parameters: [any AnyParameter] = MemoryParameters.forChange()

    /// Freezes the memory: it stays recallable, and no update, job or claim changes it.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        try await MemoryParameters.change(self, input, context, Mutation.freeze)
    }
}

/// quarantine: out of recall until it is released.
public enum QuarantineOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "quarantine"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary =
        "Keep a memory out of recall, and out of every prompt, until it is released."
    /// The texts that are quarantined without anybody's call, and how they are listed.
    public static let discussion = """
        Memories that read like instructions to a model are quarantined by themselves; `list --state quarantined` shows them. What is like a quarantined one is \
        quarantined, too.
        """
    /// `write`: putting into quarantine takes less than releasing from it.
    public static let permission = Permission.write
    /// The id is part of the path; reason and owner are in the body.
    public static let route: Route? = Route(.post, "/v1/memories/{id}/quarantine")
    /// The id (required), the reason, the owner.
    public static let parameters: [any AnyParameter] = MemoryParameters.forChange()

    /// Quarantines the memory. Drafts that are like it are quarantined from then on, see
    /// `GuardSignal.lesson`.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        try await MemoryParameters.change(self, input, context, Mutation.quarantine)
    }
}

/// release: into recall, on somebody's word.
public enum ReleaseOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "release"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary = "Release a quarantined memory into recall, on your word."
    /// `share`; the store asks for `read` and `write`, too.
    public static let permission = Permission.share
    /// The id is part of the path; reason and owner are in the body.
    public static let route: Route? = Route(.post, "/v1/memories/{id}/release")
    /// The id (required), the reason, the owner.
    public static let parameters: [any AnyParameter] = MemoryParameters.forChange()

    /// Releases the memory in the caller's name, which is kept with it as who vouches. Takes
    /// `share` besides `write`, as others will read it.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        try await MemoryParameters.change(self, input, context, Mutation.release)
    }
}
