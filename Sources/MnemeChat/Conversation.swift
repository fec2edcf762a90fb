public import Mneme
public import MnemeCube
public import MnemeEngine

/// A chat with a language model that runs here, with memory if it is given one.
///
/// ```swift
/// let memory = ChatMemory(os, scope: Scope(user: "ana"))
/// let conversation = try await Conversation(model, engine, memory: memory)
/// let turn = ChatTurn([ChatMessage(role: "user", content: "Hello!")])
/// for try await event in try await conversation.answer(turn) {
///     if case .text(let text, _) = event { print(text, terminator: "") }
/// }
/// ```
public struct Conversation: Sendable {
    private let model: LanguageModel
    private let engine: Engine
    private let memory: ChatMemory?
    private let selection: ToolSelection
    /// The user's profile as it was when the conversation began: it stands in every prompt.
    public let profile: [MemCube]

    /// Begins a conversation.
    ///
    /// - Parameters:
    ///   - model: the model that answers.
    ///   - engine: runs the model; the caller closes it.
    ///   - memory: what is recalled from before an answer, and remembered in after it.
    ///   - choosing: whose embedding model chooses a tool for small models where one must be called.
    /// - Throws: `AccessError` if the memory's caller may not read the profile.
    public init(
        _ model: LanguageModel, _ engine: Engine, memory: ChatMemory? = nil,
        choosing: MemoryOS? = nil
    ) async throws {
        selection = ToolSelection(model: model, engine: engine, memory: choosing)
        self.model = model
        self.engine = engine
        self.memory = memory
        profile = try await memory?.profile() ?? []
    }

    /// Answers the user's last message. Memories that bear on it are recalled before, and the turn
    /// is remembered at the answer's end.
    ///
    /// - Throws: `InputError` for messages that memory cannot go with,
    ///   `EngineError` for requests that cannot be carried out; the answer throws
    ///   what comes up later.
    public func answer(_ turn: ChatTurn) async throws -> ChatAnswer {
        var request = turn.generation
        let tools = turn.tools?.callable ?? []
        request.tools = try await grammar(turn)
        let callPrefix = request.tools.map { model.tokens(ofCallPrefix: $0) } ?? []
        // What is kept free for the answer, where turns may be dropped for it.
        let room = engine.roomTokens
        let reserved = min(request.maxTokens ?? room / 4, room / 2) + callPrefix.count
        func fitted(_ messages: [ChatMessage], _ count: ([ChatMessage]) throws -> Int) throws
            -> [ChatMessage]
        {
            turn.dropsOldest
                ? try OldestTurns.fitted(messages) { try count($0) + reserved <= room } : messages
        }
        guard let memory else {
            let messages = try fitted(turn.messages) { try model.tokens(of: $0, tools: tools).count }
            request.prompt = try model.tokens(of: messages, tools: tools) + callPrefix
            var answer = ChatAnswer(
                try engine.generate(request, span: "generate"), tools: request.tools, memories: [],
                remember: nil)
            answer.droppedMessages = turn.messages.count - messages.count
            return answer
        }
        let all = introduced(turn.messages)
        let said = all[try Self.lastWords(all)].content
        let known = Set(profile.map(\.id))
        let recalled = try await memory.recall(said).filter { !known.contains($0.memory.id) }
        func prompt(_ messages: [ChatMessage]) throws -> (tokens: [Int32], texts: [Range<Int>]) {
            try engine.prompt(
                model, messages, tools: tools, at: try Self.lastWords(messages),
                parts: ChatMemory.parts(said, memories: recalled))
        }
        let messages = try fitted(all) { try prompt($0).tokens.count }
        (request.prompt, request.texts) = try prompt(messages)
        request.prompt += callPrefix
        request.sources = memory.sources(recalled, profile: profile)
        if let adapter = request.adapter { try await memory.noteUse(ofAdapter: adapter) }
        let remember: ChatAnswer.Remember = { try await memory.remember(user: said, answer: $0) }
        var answer = ChatAnswer(
            try engine.generate(request, span: "generate"), tools: request.tools,
            memories: recalled, remember: turn.remembers ? remember : nil)
        answer.droppedMessages = all.count - messages.count
        return answer
    }

    /// The calls that an answer may hold; nil if it may hold none. Where one must be called of
    /// several, it is chosen here.
    private func grammar(_ turn: ChatTurn) async throws -> ToolGrammar? {
        guard let tools = turn.tools, case let callable = tools.callable, let first = callable.first
        else { return nil }
        var chosen = callable.count == 1 ? first : nil
        if callable.count > 1, tools.isRequired {
            chosen = try await selection.tool(
                among: callable, for: turn.messages, adapter: turn.generation.adapter)
        }
        return ToolGrammar(tools, format: model.toolFormat, tool: chosen)
    }

    /// The messages with the profile in the system message.
    private func introduced(_ messages: [ChatMessage]) -> [ChatMessage] {
        let given = messages.first.flatMap { $0.role == "system" ? $0.content : nil }
        guard !profile.isEmpty, let system = ChatMemory.system(given, profile: profile) else {
            return messages
        }
        return [ChatMessage(role: "system", content: system)]
            + messages.dropFirst(given == nil ? 0 : 1)
    }

    /// The index of the user's last message.
    private static func lastWords(_ messages: [ChatMessage]) throws -> Int {
        guard let place = messages.lastIndex(where: { $0.role == "user" }) else {
            throw InputError("'memory' needs a message of the user.")
        }
        guard !messages[place].content.utf8.contains(0) else {
            throw InputError("A message that is remembered must not hold a NUL character.")
        }
        return place
    }
}
