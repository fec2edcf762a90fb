import Foundation
import Mneme
import MnemeBase

/// A project's files, and Mneme's memory of them: each file is remembered in pieces of forty lines, and
/// `semantic_search` recalls these. It serves the calls of one session.
public final class AgentWorkspace {
    /// Contents by path, as they are now.
    public private(set) var files: [String: String]
    /// Contents of the files that were written.
    public private(set) var modified: [String: String] = [:]
    /// Calls of recall, and their milliseconds.
    public private(set) var recalls = 0, recallMilliseconds = 0.0
    /// The memory of all pieces, and how it is asked.
    private let memory: BenchMemory, setup: BenchSetup
    private let owner = Owner(user: "bench")
    /// How often a file was written: pieces of an earlier text are not shown.
    private var versions: [String: Int] = [:]

    /// Lines of a piece, bytes of one, and bytes of what a tool shows at most.
    private static let pieceLines = 40, pieceBytes = 6000, shownBytes = 24_000

    /// Remembers a project.
    ///
    /// - Throws: `InputError` for a text that no memory takes, `StoreError`, `ModelError`.
    public init(_ files: [String: String], _ setup: BenchSetup) async throws {
        (self.files, self.setup) = (files, setup)
        memory = try BenchMemory(recipe: setup.recipe, embedder: setup.embedder)
        do {
            try await memory.feed(
                files.sorted { $0.key < $1.key }.flatMap { Self.pieces($0.key, $0.value, 0) }, owner: owner)
        } catch {
            await memory.close()
            throw error
        }
    }

    /// Takes the memory away.
    public func close() async { await memory.close() }

    /// Bytes of the memory's files.
    public var bytes: Int { memory.bytes }

    /// Does what a call asks for.
    ///
    /// - Throws: `StoreError`, `ModelError`. What the agent did wrong is said in the result.
    public func answer(_ name: String, _ parameters: [String: String]) async throws -> AgentToolResult {
        guard let tool = AgentTool(rawValue: name) else {
            let names = AgentTool.allCases.map(\.rawValue).joined(separator: ", ")
            return .failed("There is no tool '\(name.prefix(40))'. There are \(names).")
        }
        let query = (parameters["query"] ?? "").trimmingCharacters(in: .whitespacesAndNewlines)
        switch tool {
        case .listDirectory: return list(parameters["path"] ?? ".")
        case .searchCode: return search(query)
        case .semanticSearch: return try await recall(query)
        case .compiler, .debugger:
            return .failed("There is no \(tool.rawValue) here: nothing is compiled or run. Read the code instead.")
        case .readFile, .writeFile, .analyzeDependencies: break
        }
        guard let path = try? AgentScenario.path(parameters["path"] ?? "") else {
            return .failed("'path' must name a file of the project.")
        }
        if tool == .writeFile { return try await write(path, parameters["content"] ?? "") }
        guard let text = files[path] else { return .failed("There is no file '\(path)'. See list_directory.") }
        return tool == .readFile ? Self.result(text, [path]) : dependencies(path, text)
    }

    // MARK: Tools

    /// Paths of all files in a folder and below.
    private func list(_ folder: String) -> AgentToolResult {
        let prefix = ((try? AgentScenario.path(folder)) ?? "") + "/"
        let found = files.keys.filter { prefix == "/" || $0.hasPrefix(prefix) }.sorted()
        guard !found.isEmpty else { return .failed("There is no folder '\(folder.prefix(80))'. The project is '.'.") }
        return Self.result(found.joined(separator: "\n"), [])
    }

    /// Lines that hold a text, without regard to case: 100 of them at most.
    private func search(_ text: String) -> AgentToolResult {
        guard !text.isEmpty else { return .failed("'query' must say what to look for.") }
        let text = text.lowercased()
        var lines: [String] = []
        var found: [String] = []
        for (path, content) in files.sorted(by: { $0.key < $1.key }) where content.lowercased().contains(text) {
            found.append(path)
            for (number, line) in content.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
            where lines.count < 100 && line.lowercased().contains(text) {
                lines.append("\(path):\(number + 1): \(line.prefix(200))")
            }
        }
        return Self.result(lines.isEmpty ? "Nothing holds this text." : lines.joined(separator: "\n"), found)
    }

    /// The pieces that recall brings, those of texts that were written over left out.
    private func recall(_ question: String) async throws -> AgentToolResult {
        guard question.contains(where: { $0.isLetter || $0.isNumber }) else {
            return .failed("'query' must be a question or words.")
        }
        let question = String(question.prefix(2000))
        let request = RecallRequest(question, owner: owner, limit: setup.limit)
        _ = try setup.embedder?.embed([question], as: .query)
        let result = try await memory.memory.recall(request)
        recalls += 1
        recallMilliseconds += result.milliseconds
        var found: [String] = []
        var shown: [String] = []
        for cube in result.memories.map(\.memory) {
            // A reference is a path, a line and the file's version.
            guard let reference = cube.provenance.reference, let mark = reference.lastIndex(of: "@"),
                let colon = reference[..<mark].lastIndex(of: ":")
            else { continue }
            let path = String(reference[..<colon])
            guard Int(reference[reference.index(after: mark)...]) == versions[path] ?? 0 else { continue }
            found.append(path)
            shown.append(cube.text)
        }
        return Self.result(
            shown.isEmpty ? "Nothing fits." : shown.joined(separator: "\n\n"), RankScore.distinct(found))
    }

    /// Writes a file and remembers its pieces; those of its text before stay in memory, but are not shown.
    private func write(_ path: String, _ text: String) async throws -> AgentToolResult {
        guard text.utf8.count <= 1 << 20, !text.utf8.contains(0) else {
            return .failed("'content' must be a text of at most 1 MiB without NUL characters.")
        }
        files[path] = text
        modified[path] = text
        let version = versions[path, default: 0] + 1
        versions[path] = version
        try await memory.feed(Self.pieces(path, text, version), owner: owner)
        return Self.result("\(path) is written, \(text.utf8.count) bytes.", [path])
    }

    /// Files whose names, without their endings, stand in a line that imports, and those that import this one.
    private func dependencies(_ path: String, _ text: String) -> AgentToolResult {
        func stem(_ path: String) -> String {
            String(path.split(separator: "/").last?.split(separator: ".").first ?? "")
        }
        func imported(_ text: String) -> Set<String> {
            let words = ["import", "from", "#include", "require", "use ", "using "]
            let lines = text.split(separator: "\n").filter { line in
                words.contains(where: line.contains) && line.utf8.count < 400
            }
            return Set(
                lines.flatMap { $0.split { !$0.isLetter && !$0.isNumber && $0 != "_" && $0 != "-" } }.map(String.init))
        }
        // Names, not paths, are compared: languages write paths in many ways.
        let own = imported(text)
        let needs = files.keys.filter { $0 != path && own.contains(stem($0)) }.sorted()
        let name = stem(path)
        let needed = files.filter { $0.key != path && imported($0.value).contains(name) }.keys.sorted()
        return Self.result(
            "imports: \(needs.joined(separator: ", "))\nis imported by: \(needed.joined(separator: ", "))",
            needs + needed)
    }

    // MARK: Pieces

    /// A result that shows as much as a tool may.
    private static func result(_ text: String, _ files: [String]) -> AgentToolResult {
        var result = AgentToolResult(
            text.utf8.count > shownBytes
                ? String(text.prefix(shownBytes)) + "\n… cut: \(text.utf8.count) bytes in all" : text)
        result.files = files
        return result
    }

    /// A file as memories: forty lines each, under their path. The reference ends with the file's version.
    private static func pieces(_ path: String, _ text: String, _ version: Int) -> [BenchTurn] {
        // What no memory takes is not remembered; the file can be read nevertheless.
        guard !text.utf8.contains(0) else { return [] }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var pieces: [BenchTurn] = []
        var first = 0
        while first < lines.count {
            var end = first
            var size = 0
            while end < lines.count, end - first < pieceLines, end == first || size + lines[end].utf8.count < pieceBytes
            {
                size += lines[end].utf8.count
                end += 1
            }
            // A line of a minified file is remembered by its beginning.
            let body = lines[first..<end].map { $0.prefix(pieceBytes) }.joined(separator: "\n")
            if body.contains(where: { !$0.isWhitespace }) {
                pieces.append(
                    BenchTurn(
                        id: "\(path):\(first + 1)@\(version)", session: path,
                        text: "\(path), lines \(first + 1) to \(end):\n\(body)"))
            }
            first = end
        }
        return pieces
    }
}
