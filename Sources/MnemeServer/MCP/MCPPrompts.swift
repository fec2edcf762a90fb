import Mneme
import MnemeStore

/// Prompts that a user chooses in their host: what memory is used for most.
struct MCPPrompts: Sendable {
    /// A prompt's words, and what they need.
    private struct Prompt {
        /// The name for clients, and title and description for their users.
        let name: String, title: String, description: String
        /// Its one argument.
        let argument: (name: String, description: String, isRequired: Bool)
        /// The permission without which the model could not do what the words ask of it.
        let permission: Permission
        /// True if memories that fit the argument are recalled, and stand behind the words.
        let recalls: Bool
        /// The words before the memories; `{}` stands for the argument.
        let words: String
    }

    /// The prompts, in the order in which clients show them.
    private static let all = [
        Prompt(
            name: "answer", title: "Answer from memory",
            description: "Answer a question from what is remembered.",
            argument: ("question", "What you want to know.", true), permission: .read,
            recalls: true,
            words: """
                Answer this question from the memories below. Name the dates that matter, prefer the \
                later of two that differ, and say so if they do not tell.

                Question: {}
                """),
        Prompt(
            name: "brief", title: "What is known about",
            description: "Sum up what is remembered about somebody or something.",
            argument: ("topic", "A person, project or thing.", true), permission: .read,
            recalls: true,
            words: "Sum up what the memories below tell about this, with dates: {}"),
        Prompt(
            name: "save", title: "Remember this conversation",
            description: "Remember what should last of this conversation.",
            argument: ("focus", "What matters most; all if left out.", false), permission: .write,
            recalls: false,
            words: """
                Go through our conversation and remember what should last: facts about people, \
                preferences, decisions with their reasons, plans with their dates. Write each as one \
                sentence that stands for itself, call recall first to see what is known, and update \
                what has changed instead of adding to it. Leave out small talk and secrets. {}
                """),
    ]

    /// The context of the caller; what a prompt recalls is recorded as recall.
    let context: OperationContext

    /// `prompts/list`: those that the caller's permissions allow.
    ///
    /// Each takes one argument, a text.
    static func list(for principal: Principal) -> MCPResult {
        MCPResult(
            [
                "prompts": .array(
                    all.filter { principal.permissions.contains($0.permission) }.map { prompt in
                        [
                            "name": .string(prompt.name), "title": .string(prompt.title),
                            "description": .string(prompt.description),
                            "arguments": [
                                [
                                    "name": .string(prompt.argument.name),
                                    "description": .string(prompt.argument.description),
                                    "required": .bool(prompt.argument.isRequired),
                                ]
                            ],
                        ]
                    })
            ], lifetime: MCPResult.listLifetime)
    }

    /// `prompts/get`: the words, and the memories that they are about.
    ///
    /// - Parameters:
    ///   - name: one that the list has.
    ///   - arguments: an object with the prompt's argument.
    /// - Returns: one message of the user's, which begins a conversation.
    /// - Throws: ``MCPError`` for a name or arguments that are wrong, and what recall throws.
    func get(_ name: String?, _ arguments: JSONValue?) async throws -> MCPResult {
        guard
            let prompt = Self.all.first(where: {
                $0.name == name && context.principal.permissions.contains($0.permission)
            })
        else {
            throw MCPError(
                .invalidParams,
                "There is no prompt '\(name?.prefix(60) ?? "")'. prompts/list names them.")
        }
        // Clients send all arguments as texts.
        let given = arguments?[prompt.argument.name]?.string ?? ""
        guard !given.isEmpty || !prompt.argument.isRequired else {
            throw MCPError(.invalidParams, "'\(prompt.argument.name)' is missing, a text.")
        }
        // Where nothing was given, nothing stands in its place.
        var text = prompt.words.replacing("{}", with: given)
        // The memories stand in the prompt: hosts without tools can use it, too.
        if prompt.recalls {
            let found = try await MCPTool.answer(
                RecallOperation.self, ["query": .string(given), "limit": 20], context)
            text += "\n\nMemories:\n" + MCPText.of(RecallOperation.name, found)
        }
        return MCPResult([
            "description": .string(prompt.description),
            "messages": [["role": "user", "content": ["type": "text", "text": .string(text)]]],
        ])
    }
}
