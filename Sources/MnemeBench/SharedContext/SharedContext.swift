public import Mneme
import MnemeBase

/// One request of a shared context.
public struct SharedContextTurn: Sendable, Equatable {
    /// What is asked, and the choices where there are some.
    public var input: String, options: [String] = []
    /// Right answers; the first is what the conversation goes on with.
    public var answers: [String]
    /// Its task; records of two tasks have both.
    public var task: SharedContextTask

    /// A request with its answers.
    public init(_ input: String, answers: [String], task: SharedContextTask) {
        (self.input, self.answers, self.task) = (input, answers, task)
    }
}

/// One record of SCBench (Li et al. 2025, arXiv:2412.10319): a long context, and what is asked of it in turn.
public struct SharedContext: Sendable, Equatable {
    /// Names it within the file.
    public var id: String
    /// The context, and its requests in order.
    public var context: String, turns: [SharedContextTurn]

    /// A context with its requests.
    public init(id: String, context: String, turns: [SharedContextTurn]) {
        (self.id, self.context, self.turns) = (id, context, turns)
    }

    /// Bytes of a context, and requests of one, at most.
    private static let contextBytes = 32 << 20, mostTurns = 1000

    /// Reads a record of the published files: `context` (a text, or a list of numbers), `multi_turns` with `input`,
    /// `answer`, and `options` or `task` where there are some.
    ///
    /// - Parameter task: of turns that name none.
    /// - Throws: `InputError` that names the record and the member.
    public init(_ record: JSONValue, _ number: Int, task: SharedContextTask) throws {
        do {
            let fields = try BenchFields(record)
            let text = try fields.value("context") ?? fields.require("context", fields.value("input"))
            // Numbers keep names apart where a file repeats them, or has none.
            id = "\(number + 1)" + (try fields.answer("id").map { "-\($0.prefix(60))" } ?? "")
            if let list = text.array {
                // A list of numbers reads as it would in Python.
                let parts = try list.map { try fields.require("context", BenchFields.plain($0)) }
                context = "[" + parts.joined(separator: ", ") + "]"
            } else {
                context = try fields.require("context", text.string)
            }
            let list = try fields.require("multi_turns", fields.list("multi_turns"))
            guard !list.isEmpty, list.count <= Self.mostTurns, context.utf8.count <= Self.contextBytes else {
                throw InputError(
                    "A context has \(Self.contextBytes >> 20) MiB and \(Self.mostTurns) turns at most, and one at least."
                )
            }
            turns = try list.map { try Self.turn(BenchFields($0), task) }
        } catch let error as InputError { throw InputError("Record \(number + 1): \(error.message)") }
    }

    /// One request; its task is the record's unless it names one of its own.
    ///
    /// - Throws: `InputError` for one without an answer, and for choices without options.
    private static func turn(_ fields: BenchFields, _ task: SharedContextTask) throws -> SharedContextTurn {
        let name = try fields.text("task")
        // Many-shot records name the set of their examples, which is none of the tasks.
        let own = name.flatMap { SharedContextTask(name: $0) } ?? task
        var turn = SharedContextTurn(
            try fields.require("input", fields.text("input")), answers: try fields.answers("answer"), task: own)
        turn.options = try fields.texts("options") ?? []
        guard turn.input.utf8.count <= 1 << 20, turn.answers.contains(where: { !$0.isEmpty }) else {
            throw InputError("a turn has no 'answer', or an 'input' of over 1 MiB.")
        }
        if own == .choice {
            guard (2...8).contains(turn.options.count) else { throw InputError("'options' must hold 2 to 8 choices.") }
            // Answers are letters, or the choices themselves.
            turn.answers = turn.answers.map { answer in
                turn.options.firstIndex(of: answer).map { String(Array("ABCDEFGH")[$0]) } ?? answer
            }
        }
        return turn
    }

    /// Reads a file of records.
    ///
    /// - Parameters:
    ///   - path: JSON lines, or a list.
    ///   - task: nil takes it from the file's name, as `scbench_kv.jsonl` has it.
    ///   - limit: records that are read at most.
    /// - Throws: `InputError` for a file of another form, or whose name says no task.
    public static func read(_ path: String, task: SharedContextTask?, limit: Int = .max) throws -> [SharedContext] {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        guard let task = task ?? SharedContextTask(name: name) else {
            let names = SharedContextTask.allCases.map(\.rawValue).joined(separator: ", ")
            throw InputError("The name '\(name.prefix(80))' says no task: name one with --task (\(names)).")
        }
        var records = try JSONRecords(path: path)
        var found: [SharedContext] = []
        while found.count < limit, let record = try records.next() {
            found.append(try SharedContext(record, found.count, task: task))
        }
        guard !found.isEmpty else { throw InputError("\(name) holds no records.") }
        return found
    }
}
