public import Mneme
import MnemeBase

/// One scenario of LoCoBench-Agent: a task in a project, given as a conversation of phases.
///
/// Both published forms are read: that of one prompt (`task_prompt`), of which phases are made by its category,
/// and that of phases (`conversation_phases`).
public struct AgentScenario: Sendable, Equatable {
    /// A part of the conversation.
    public struct Phase: Sendable, Equatable {
        /// Names it, and what the user says first.
        public var id: String, prompt: String
        /// Functions of which a call ends the phase, and words of an answer that do.
        public var actions: [String] = [], conditions: [String] = []
        /// Turns at most.
        public var turns = 6
        /// What the user says next, by what was done: `file_read`, `analysis_started` or other names.
        public var followUps: [String: String] = [:]

        /// A phase that begins with a prompt.
        public init(id: String, prompt: String) { (self.id, self.prompt) = (id, prompt) }
    }

    /// Names it.
    public var id: String
    /// What it is about, and the task.
    public var title = "", task = ""
    /// Its category, and how hard it is: `easy`, `medium`, `hard` or `expert`.
    public var category = "code_comprehension", difficulty = "medium"
    /// Paths that the authors name as what the task needs.
    public var contextFiles: [String] = []
    /// The authors' solution, in prose.
    public var groundTruth = ""
    /// The conversation, and its turns at most.
    public var phases: [Phase] = [], turns = 30
    /// The project's files by path; those of the project's folder come with ``AgentDataset``.
    public var files: [String: String] = [:]

    /// A scenario without a task yet.
    public init(id: String) { self.id = id }

    /// Files that should be read: those of the context that are there, and those that the solution names by their
    /// paths or, with an ending, by their names alone.
    public var wanted: Set<String> {
        let words = groundTruth.split { !$0.isLetter && !$0.isNumber && !"._-/".contains($0) }
        // A full stop behind a name ends the sentence.
        let named = Set(words.map { word in word.hasSuffix(".") ? String(word.dropLast()) : String(word) })
        let found = files.keys.filter { path in
            let name = path.split(separator: "/").last.map(String.init) ?? path
            return named.contains(path) || (name.contains(".") && named.contains(name))
        }
        return Set(contextFiles.filter { files[$0] != nil }).union(found)
    }

    // MARK: Reading

    /// Phases and files of a scenario, and bytes of a prompt, at most.
    private static let mostPhases = 50, mostFiles = 20_000, promptBytes = 1 << 18

    /// Reads a scenario; the number names one without an id.
    ///
    /// - Throws: `InputError` that names the member that is missing or of another form.
    public init(_ value: JSONValue, _ number: Int) throws {
        let fields = try BenchFields(value)
        self.init(id: try fields.text("scenario_id") ?? fields.text("id") ?? "scenario-\(number + 1)")
        // The form of phases holds that of one prompt as the scenario that it was made of.
        let original = try fields.object("original_scenario")
        title = try fields.text("title") ?? ""
        difficulty = try (fields.text("difficulty") ?? "medium").lowercased()
        category =
            try fields.text("task_category") ?? original?.text("task_category") ?? fields.text("category") ?? category
        let prompt = try original?.answer("task_prompt") ?? fields.answer("task_prompt")
        task = try [fields.text("description"), prompt].compactMap(\.self).joined(separator: "\n\n")
        groundTruth = Self.prose(original?.value("ground_truth") ?? fields.value("ground_truth"))
        contextFiles = try (fields.texts("context_files") ?? []).map(Self.path)
        try readFiles(fields.value("project_files"))
        guard !task.isEmpty, task.utf8.count <= Self.promptBytes else {
            throw InputError(
                "'description' and 'task_prompt' must hold a task of \(Self.promptBytes >> 10) KiB at most.")
        }
        if let list = try fields.list("conversation_phases") {
            guard (1...Self.mostPhases).contains(list.count) else {
                throw InputError("'conversation_phases' must hold 1 to \(Self.mostPhases) phases.")
            }
            phases = try list.map { try Self.phase(BenchFields($0)) }
        } else {
            phases = AgentPhases.phases(of: self)
        }
        turns = min(500, max(1, Self.whole(fields.value("max_turns")) ?? AgentPhases.turns(difficulty)))
    }

    /// The files that stand in the scenario itself: a list of paths and contents, or contents by path.
    private mutating func readFiles(_ value: JSONValue?) throws {
        if let members = value?.object {
            for (path, content) in members {
                guard let content = content.string else { throw InputError("'project_files' must hold texts.") }
                files[try Self.path(path)] = content
            }
        } else if let list = value?.array {
            for entry in list {
                let file = try BenchFields(entry)
                guard let path = try file.text("path"), let content = try file.text("content") else { continue }
                files[try Self.path(path)] = content
            }
        }
        guard files.count <= Self.mostFiles else { throw InputError("A project has \(Self.mostFiles) files at most.") }
    }

    /// One phase; what a file leaves out has usual values, and numbers are kept within bounds.
    private static func phase(_ fields: BenchFields) throws -> Phase {
        var phase = Phase(
            id: try fields.text("phase_id") ?? fields.text("name") ?? "phase",
            prompt: try fields.require("initial_prompt", fields.text("initial_prompt")))
        guard phase.prompt.utf8.count <= promptBytes else {
            throw InputError("'initial_prompt' is longer than \(promptBytes >> 10) KiB.")
        }
        phase.actions = try fields.texts("expected_actions") ?? []
        phase.conditions = try fields.texts("success_conditions") ?? []
        phase.turns = min(100, max(1, whole(fields.value("max_turns_in_phase")) ?? phase.turns))
        phase.followUps = (fields.value("dynamic_prompts")?.object ?? [:]).compactMapValues(\.string)
        return phase
    }

    /// A whole number; nil for any other.
    private static func whole(_ value: JSONValue?) -> Int? { (value?.double).flatMap { Int(exactly: $0) } }

    /// A solution as prose: a text, or whatever texts a list or an object holds.
    private static func prose(_ value: JSONValue?) -> String {
        switch value {
        case .string(let text)?: text
        case .array(let list)?: list.map { prose($0) }.joined(separator: "\n")
        case .object(let members)?:
            members.sorted { $0.key < $1.key }.map { $0.key + " " + prose($0.value) }.joined(separator: "\n")
        default: ""
        }
    }

    /// A path within the project, its parts separated by single slashes.
    ///
    /// - Throws: `InputError` for one that is empty or leads out of the project.
    static func path(_ text: String) throws -> String {
        let parts = text.replacing("\\", with: "/").split(separator: "/").filter { $0 != "." }
        guard !parts.isEmpty, parts.count <= 64, text.utf8.count <= 1024, !parts.contains(".."),
            !text.utf8.contains(0)
        else { throw InputError("'\(text.prefix(80))' is no path within a project.") }
        return parts.joined(separator: "/")
    }
}
