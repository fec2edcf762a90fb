import ArgumentParser
import Foundation
import Mneme
import MnemeChat
import MnemeEngine
import MnemeStore

/// `mneme chat`: a conversation in the terminal, or of piped lines. The same turn as of the chat
/// endpoint: ``MnemeChat/Conversation`` does both.
///
/// Answers go to standard output; memories, profile and figures to standard error, so that a pipe
/// gets answers alone. Exit code 1 if the model is missing or fails; 2 for a line that does not fit
/// the context. Without `--memory` nothing is kept but the KV cache, and no store is opened but that of an
/// adapter's memory, which says whether the adapter is in use.
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat", abstract: "Talk with a language model that remembers.",
        discussion: """
            Each line is a turn; an empty line or the end of input ends the talk. With --memory, memories that bear on a line are \
            recalled before the answer and shown, and the turn is remembered after it.
            """)

    @OptionGroup var language: LanguageModelOptions
    /// The adapter of all answers; the model as it is if nil.
    @Option(help: "An adapter of the model, as `mneme adapters` lists them.") var adapter: String?
    /// The system message; none if nil.
    @Option(help: "What the model is told first.") var system: String?
    /// Opens the store; without it the model knows this conversation only.
    @Flag(help: "Recall before each answer and remember after it.") var memory = false
    /// The owner whose memories are recalled and written.
    @Option(help: "Whose memory.") var user = "default"
    /// Further owners in the same tenant, which are read only.
    @Option(help: "A vault to recall from besides, such as a team's; may be repeated.") var also: [String] = []
    /// 0 recalls always; `mneme bench convomem` measures where recall becomes worth as much.
    @Option(
        help: ArgumentHelp(
            "Give the model all memories while they have so many tokens at most, instead of what is recalled.",
            valueName: "tokens"))
    var wholeHistory = 0
    /// The session of the turns, which makes them conversation neighbours.
    @Option(help: "The conversation that turns are remembered in; today's date if left out.")
    var session: String?
    /// Completion tokens of an answer; it is cut off there.
    @Option(help: "The most tokens of an answer.") var maxTokens = 512
    @OptionGroup var sampling: SamplingOptions
    @OptionGroup var kv: KVOptions
    @OptionGroup var store: StoreOptions

    /// Refuses a number of tokens that makes no sense.
    func validate() throws {
        guard (0...1_000_000).contains(wholeHistory) else {
            throw ValidationError("--whole-history lies between 0 and 1000000 tokens.")
        }
        guard wholeHistory == 0 || memory else { throw ValidationError("--whole-history needs --memory.") }
    }

    /// A turn a line, until an empty one. The first error ends the talk: what was said before it
    /// stays remembered.
    func run() async throws {
        try Home.requireInUse(adapter)
        let model = try language.open()
        let engine = try kv.engine(model)
        defer { engine.close() }
        let memory = memory ? try store.open() : nil
        // Closed after an error, too: what was said before it gets its vectors and its audit entries.
        do { try await talk(model, engine, memory) } catch {
            await memory?.close()
            throw error
        }
        await memory?.close()
    }

    /// Asks and answers until there is no further line.
    private func talk(_ model: LanguageModel, _ engine: Engine, _ memory: MemoryOS?) async throws {
        // The profile is read here once, so that prompts begin alike.
        let conversation = try await Conversation(model, engine, memory: memory.map(chatMemory))
        for cube in conversation.profile { note("profile: ", cube.text) }
        // The whole conversation goes to the model each time; what is cached of it is not computed
        // again.
        var messages = system.map { [ChatMessage(role: "system", content: $0)] } ?? []
        while let line = Self.nextLine() {
            messages.append(ChatMessage(role: "user", content: line))
            var turn = ChatTurn(messages)
            turn.generation.maxTokens = maxTokens
            turn.generation.sampling = sampling.parameters
            turn.generation.adapter = adapter
            turn.dropsOldest = true
            let answer = try await conversation.answer(turn)
            for item in answer.memories { note("memory: ", item.memory.text) }
            if answer.droppedMessages > 0 {
                note("left out: ", "the \(answer.droppedMessages) oldest messages, as all do not fit the model")
            }
            messages.append(ChatMessage(role: "assistant", content: try await Self.show(answer)))
        }
    }

    /// Memory for the conversation: the user's, and a session of its own, so that its turns are
    /// neighbours.
    private func chatMemory(_ memory: MemoryOS) -> ChatMemory {
        let session =
            session ?? "chat-" + Date().formatted(Date.ISO8601FormatStyle().year().month().day())
        var chat = ChatMemory(
            memory, scope: Scope(user: user, session: session), also: also.map { Owner(user: $0) })
        chat.router.fullTokens = wholeHistory
        return chat
    }

    /// True if somebody types the lines; then there is a prompt, and figures after each answer.
    private static var isInteractive: Bool { Terminal.isInteractive(STDIN_FILENO) }

    /// The next line of the user; nil at an empty one or at the end of input.
    private static func nextLine() -> String? {
        if isInteractive {
            print(Terminal.styled("> ", .bold), terminator: "")
            fflush(nil)
        }
        guard let line = readLine(), line.contains(where: { !$0.isWhitespace }) else { return nil }
        return line
    }

    /// Tells, on standard error, which memories the model was given.
    private func note(_ kind: String, _ text: String) {
        Terminal.note("  " + kind + Terminal.line(text.prefix(Terminal.width - kind.count - 4)))
    }

    /// Shows an answer as it comes, and returns it.
    private static func show(_ answer: ChatAnswer) async throws -> String {
        var text = ""
        var output = AnswerOutput()
        for try await event in answer {
            switch event {
            case .text(let piece, _):
                text += piece
                output.write(piece)
            case .toolCall, .toolArguments: break  // No tools were offered.
            case .finished(_, let usage):
                print()
                if isInteractive { Terminal.note(usage.summary) }
            }
        }
        return text
    }
}
