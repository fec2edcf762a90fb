import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeStore

/// `mneme demo`: a conversation and questions in a store of its own, so that a first look changes
/// nothing. `make demo` runs it.
///
/// If the file has questions with marked evidence (LoCoMo), it counts for how many the evidence is
/// among the answers.
///
/// The store is `$MNEME_HOME/demo.db`, removed and made anew by each run. Exit code 2 for a limit
/// out of bounds, 1 if the embedding model is not here or the file cannot be read. At most ten
/// questions of a LoCoMo file are asked, spread over its first conversation.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Import a conversation, ask it questions, and show how the answers were found.",
        discussion: "Uses a store of its own, $MNEME_HOME/demo.db, made anew each time.")

    /// The conversation to import; the built-in sample if nil.
    @Argument(
        help:
            "A file to import instead of the sample: LoCoMo, OpenAI export, JSON lines, Markdown or text."
    )
    var file: String?
    /// Questions that are asked in the place of the prepared ones.
    @Option(
        help: ArgumentHelp(
            "Ask this instead of the prepared questions. May be given several times.",
            valueName: "question")) var ask: [String] = []
    /// Memories for each question, 1 to 50; evidence counts as found if it is among them.
    @Option(help: "Memories to show for a question.") var limit = 3

    /// Imports, asks, and prints how to go on. The sample goes through a file as any import does,
    /// so that the demo shows the same code that a user has.
    func run() async throws {
        guard (1...50).contains(limit) else { throw InputError("--limit lies between 1 and 50.") }
        let path = Home.folder + "/demo.db"
        // A demo begins with nothing.
        for suffix in ["", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: path + suffix)
        }
        let memory = try Home.memory(path, embedder: Home.miniLM())
        let progress = ProgressLine()
        let context = OperationContext(memory: memory, principal: .local) { done, total, what in
            progress.show(done, total, what)
        }

        print(
            Terminal.styled(
                "Importing \(file ?? "a sample conversation: Nora and Tomás, January to August 2026")",
                .bold))
        var conversation: LocomoConversation?
        var arguments: [String: JSONValue] = [:]
        if let file {
            arguments["path"] = .string(file)
            // Only LoCoMo files carry questions of their own; ask about the first conversation.
            if let data = FileManager.default.contents(atPath: file), data.count < 256 << 20 {
                conversation = (try? LocomoConversation.read(data))?.first { !$0.questions.isEmpty }
            }
        } else {
            let sample =
                NSTemporaryDirectory()
                + "mneme-sample-\(ProcessInfo.processInfo.processIdentifier).jsonl"
            try AtomicFile.write(
                Data(SampleConversation.jsonLines.utf8), to: sample, durability: .cache)
            defer { unlink(sample) }
            arguments["path"] = .string(sample)
            try await show(ImportOperation.self, arguments, context, progress)
        }
        if file != nil { try await show(ImportOperation.self, arguments, context, progress) }
        print("")

        // Asked for, or the file's own with evidence, or those prepared for the sample.
        var questions: [(text: String, evidence: [String])] = ask.map { ($0, []) }
        if questions.isEmpty, let conversation {
            let usable = conversation.questions.filter {
                (1...4).contains($0.category) && !$0.evidence.isEmpty
            }
            questions = stride(from: 0, to: usable.count, by: max(1, usable.count / 10)).prefix(10)
                .map {
                    (usable[$0].text, usable[$0].evidence.map { conversation.id + "/" + $0 })
                }
        } else if questions.isEmpty, file == nil {
            questions = SampleConversation.questions.map { ($0, []) }
        }
        var found = 0
        for question in questions {
            print(Terminal.styled("? \(question.text)", .bold))
            let output = try await RecallOperation.call(
                ["query": .string(question.text), "limit": .number(Double(limit))], context,
                surface: .commandLine)
            guard case .value(let value) = output else { continue }
            let json = try OperationTable.encode(value)
            print(RecallOperation.rendered(try JSONValue(parsing: Array(json.utf8))))
            if !question.evidence.isEmpty {
                let hit = question.evidence.contains { json.contains("\"reference\":\"\($0)\"") }
                found += hit ? 1 : 0
                print(
                    hit
                        ? Terminal.styled("✓ the marked evidence is among them", .green)
                        : Terminal.styled(
                            "✗ the marked evidence (\(question.evidence.joined(separator: ", "))) is not among the first \(limit)",
                            .yellow))
            }
            print("")
        }
        if questions.contains(where: { !$0.evidence.isEmpty }) {
            print(
                "Evidence found for \(found) of \(questions.count) questions among the first \(limit) memories.\n"
            )
        }
        // Named as it was started, so that the line can be copied.
        let program = CommandLine.arguments[0]
        print("Ask it yourself:  \(program) recall --store \(path) \"…\"")
        print("Start your own:   \(program) remember \"…\"   (help: \(program) --help)")
        await memory.close()
    }

    /// Runs an operation and prints its answer.
    ///
    /// As the command of that operation would print it; progress is taken away first.
    private func show(
        _ operation: any Mneme.Operation.Type, _ arguments: [String: JSONValue],
        _ context: OperationContext,
        _ progress: ProgressLine
    )
        async throws
    {
        let output = try await operation.call(arguments, context, surface: .commandLine)
        progress.end()
        if case .value(let value) = output {
            let json = try OperationTable.encode(value)
            print(try operation.shown(JSONValue(parsing: Array(json.utf8))))
        }
    }
}
