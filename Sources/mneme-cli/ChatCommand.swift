import ArgumentParser
import Foundation
import Mneme
import MnemeEngine
import MnemeStore

/// Talks with a model, with memory.
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat", abstract: "Talk with a language model that remembers.",
        discussion: """
            Each line is a turn; an empty line or the end of input ends the talk. With --memory, memories that bear on a line are \
            recalled before the answer and shown, and the turn is remembered after it.
            """)

    @OptionGroup var language: LanguageModelOptions
    @Option(help: "What the model is told first.") var system: String?
    @Flag(help: "Recall before each answer and remember after it.") var memory = false
    @Option(help: "Whose memory.") var user = "default"
    @Option(help: "A vault to recall from besides, such as a team's; may be repeated.") var also: [String] = []
    @Option(help: "The conversation that turns are remembered in; today's date if left out.") var session: String?
    @Option(help: "The most tokens of an answer.") var maxTokens = 512
    @OptionGroup var sampling: SamplingOptions
    @OptionGroup var kv: KVOptions
    @OptionGroup var store: StoreOptions

    func run() async throws {
        let model = try language.open(), engine = try kv.engine(model)
        defer { engine.close() }
        let os = memory ? try store.open() : nil
        let session = session ?? "chat-" + Date().formatted(Date.ISO8601FormatStyle().year().month().day())
        let chatMemory = os.map {
            ChatMemory($0, scope: Scope(user: user, session: session), also: also.map { Owner(user: $0) })
        }
        let profile = try await chatMemory?.profile() ?? []
        for cube in profile { Terminal.note("  profile: " + Terminal.line(cube.text.prefix(Terminal.width - 13))) }
        var messages =
            ChatMemory.system(system, profile: profile).map { [ChatMessage(role: "system", content: $0)] } ?? []
        let interactive = Terminal.isInteractive(STDIN_FILENO)
        while true {
            if interactive {
                print(Terminal.styled("> ", .bold), terminator: "")
                fflush(nil)
            }
            guard let line = readLine(), line.contains(where: { !$0.isWhitespace }) else { break }
            let known = Set(profile.map(\.id)),
                memories = try await chatMemory?.recall(line).filter { !known.contains($0.memory.id) } ?? []
            for item in memories {
                Terminal.note("  memory: " + Terminal.line(item.memory.text.prefix(Terminal.width - 12)))
            }
            var turn = messages
            turn.append(ChatMessage(role: "user", content: line))
            let prompt = try engine.prompt(
                model, turn, at: turn.count - 1, parts: ChatMemory.parts(line, memories: memories))
            var request = GenerationRequest(prompt: prompt.tokens)
            request.texts = prompt.texts
            request.maxTokens = maxTokens
            request.sources = chatMemory?.sources(memories, profile: profile) ?? []
            request.sampling = sampling.parameters
            var answer = "", output = AnswerOutput()
            for try await event in try engine.generate(request) {
                switch event {
                case .token(let text, _, _, _):
                    answer += text
                    output.write(text)
                case .finished(_, let usage):
                    print()
                    if interactive { Terminal.note(usage.summary) }
                }
            }
            messages.append(ChatMessage(role: "user", content: line))
            messages.append(ChatMessage(role: "assistant", content: answer))
            try await chatMemory?.remember(user: line, answer: answer)
        }
        await os?.close()
    }
}
