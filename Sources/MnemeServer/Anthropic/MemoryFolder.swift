import Foundation
import Mneme
import MnemeStore

/// A folder of memories, as a model that uses Anthropic's memory tool sees it: files under
/// `/memories`, each a memory of its own. Answers are in the words that Anthropic's documentation
/// gives, as models know them.
struct MemoryFolder: Sendable {
    /// The files, as the caller may see them.
    private let files: TextFiles
    /// The memory, asked whether the caller may write.
    private let memory: MemoryOS
    /// The caller, whose permissions count for every command.
    private let caller: Caller

    /// The folder of the user that a request names, or of its caller.
    ///
    /// - Throws: `InputError` for names out of bounds.
    init(_ memory: MemoryOS, _ request: WireRequest) throws {
        let owner = try request.caller.principal.owner(
            tenant: try MemoryToolFields.tenant.read(request.fields),
            user: try MemoryToolFields.user.read(request.fields))
        files = TextFiles(memory, of: owner, by: request.caller)
        self.memory = memory
        caller = request.caller
    }

    /// The result of a tool call: the words for the model, and whether they tell of a failure that
    /// the model can correct.
    ///
    /// - Throws: ``MnemeStore/AccessError``, and errors of the store.
    func run(_ command: MemoryCommand) async throws -> JSONValue {
        do {
            return ["content": .string(try await text(command)), "is_error": false]
        } catch let error as Failure {
            return ["content": .string(error.message), "is_error": true]
        }
    }

    /// A failure that the model is told of, as it asked for something that cannot be.
    private struct Failure: Error {
        let message: String
    }

    /// The words for the model. Whoever views need only read; all else takes the permission to
    /// write.
    private func text(_ command: MemoryCommand) async throws -> String {
        if case .view(let path, let lines) = command { return try await view(path, lines) }
        try memory.authorize(.write, by: caller)
        switch command {
        case .view: return ""
        case .create(let path, let text): return try await create(path, text)
        case .replace(let path, let old, let new): return try await replace(path, old, new)
        case .insert(let path, let line, let text): return try await insert(path, line, text)
        case .delete(let path): return try await delete(path)
        case .rename(let path, let target): return try await rename(path, target)
        }
    }

    // MARK: Commands

    /// A file's lines with their numbers, or what a folder holds. The root is there even if it is
    /// empty.
    private func view(_ path: MemoryPath, _ lines: ClosedRange<Int>?) async throws -> String {
        let all = try await files.all()
        if let file = all.first(where: { $0.path == path.text }) {
            let content = try readable(file).text.components(separatedBy: "\n")
            let shown = lines.map { $0.clamped(to: 1...max(1, content.count)) } ?? 1...content.count
            return "Here's the content of \(path.text) with line numbers:\n"
                + Self.numbered(content, shown)
        }
        let inside = all.filter { $0.path.hasPrefix(path.folder) }
        guard path.isRoot || !inside.isEmpty else { throw missing(path) }
        return Self.listing(inside, of: path)
    }

    /// A new file. One that is there is not written over: the model may not know what it holds.
    private func create(_ path: MemoryPath, _ text: String) async throws -> String {
        let all = try await files.all()
        guard !all.contains(where: { $0.path == path.text || $0.path.hasPrefix(path.folder) }),
            !path.isRoot
        else { throw Failure(message: "Error: File \(path.text) already exists") }
        let file = try await files.create(path.text, text: text)
        return "File created successfully at: \(path.text)" + Self.caution(file)
    }

    /// Another text in place of one that must stand in the file once: else it is not clear which is
    /// meant.
    private func replace(_ path: MemoryPath, _ old: String, _ new: String) async throws -> String {
        let file = try await file(at: path)
        let parts = old.isEmpty ? [file.text] : file.text.components(separatedBy: old)
        guard parts.count == 2 else {
            throw Failure(
                message: parts.count == 1
                    ? "No replacement was performed, old_str `\(old.prefix(200))` did not appear verbatim in \(path.text)."
                    : "No replacement was performed. Multiple occurrences of old_str `\(old.prefix(200))` in \(path.text). Please ensure it is unique"
            )
        }
        let text = parts.joined(separator: new)
        let saved = try await files.write(text, to: file)
        let lines = text.components(separatedBy: "\n")
        let changed = parts[0].components(separatedBy: "\n").count
        return "The memory file has been edited. Here is the snippet showing the change:\n"
            + Self.numbered(lines, max(1, changed - 2)...min(lines.count, changed + 2))
            + Self.caution(saved)
    }

    /// A text behind a line. A line's end at the end of the text is the line's own.
    private func insert(_ path: MemoryPath, _ line: Int, _ text: String) async throws -> String {
        let file = try await file(at: path)
        var lines = file.text.components(separatedBy: "\n")
        guard line <= lines.count else {
            throw Failure(
                message:
                    "Error: Invalid `insert_line` parameter: \(line). It should be within the range of lines of the file: [0, \(lines.count)]"
            )
        }
        lines.insert(text.hasSuffix("\n") ? String(text.dropLast()) : text, at: line)
        let saved = try await files.write(lines.joined(separator: "\n"), to: file)
        return "The file \(path.text) has been edited." + Self.caution(saved)
    }

    /// Without the files, which can be restored. Held ones stay: they are for people to look at.
    private func delete(_ path: MemoryPath) async throws -> String {
        guard !path.isRoot else {
            throw Failure(message: "Error: \(path.text) itself cannot be deleted")
        }
        let gone = try await inside(path)
        try await files.remove(gone.map(readable))
        return "Successfully deleted \(path.text)"
    }

    /// Another path for a file or for all in a folder. A folder is the paths of its files, so there
    /// is nothing else to move.
    private func rename(_ path: MemoryPath, _ target: MemoryPath) async throws -> String {
        guard !path.isRoot, !target.isRoot, !target.text.hasPrefix(path.folder) else {
            throw Failure(message: "Error: \(path.text) cannot be renamed to \(target.text)")
        }
        let moved = try await inside(path).map(readable)
        let all = try await files.all()
        guard !all.contains(where: { $0.path == target.text || $0.path.hasPrefix(target.folder) })
        else { throw Failure(message: "Error: The destination \(target.text) already exists") }
        for file in moved {
            try await files.move(file, to: target.text + file.path.dropFirst(path.text.count))
        }
        return "Successfully renamed \(path.text) to \(target.text)"
    }

    // MARK: Files

    /// The file of that path.
    private func file(at path: MemoryPath) async throws -> TextFile {
        guard let file = try await files.all().first(where: { $0.path == path.text }) else {
            throw missing(path)
        }
        return try readable(file)
    }

    /// The file of that path, or those of the folder.
    private func inside(_ path: MemoryPath) async throws -> [TextFile] {
        let found = try await files.all().filter {
            $0.path == path.text || $0.path.hasPrefix(path.folder)
        }
        guard !found.isEmpty else { throw missing(path) }
        return found
    }

    /// The failure for a path where nothing is.
    private func missing(_ path: MemoryPath) -> Failure {
        Failure(message: "The path \(path.text) does not exist. Please provide a valid path.")
    }

    /// A file that is not quarantined.
    private func readable(_ file: TextFile) throws -> TextFile {
        guard !file.isQuarantined else {
            throw Failure(message: "\(file.path) cannot be used." + Self.caution(file))
        }
        return file
    }

    /// A sentence about a quarantined file, empty for others: the model cannot release it itself.
    private static func caution(_ file: TextFile) -> String {
        file.isQuarantined
            ? " It is quarantined, as it reads like an instruction to a model: somebody has to release memory \(file.cube.id)."
            : ""
    }

    // MARK: Words

    /// Lines with their numbers, from 1.
    private static func numbered(_ lines: [String], _ range: ClosedRange<Int>) -> String {
        range.map { number in
            let digits = String(number)
            return String(repeating: " ", count: max(0, 6 - digits.count)) + digits + "\t"
                + lines[number - 1]
        }.joined(separator: "\n")
    }

    /// A folder and what is in it, two levels deep, each with its size.
    private static func listing(_ files: [TextFile], of path: MemoryPath) -> String {
        var sizes: [String: Int] = [:]
        for file in files {
            let names = file.path.dropFirst(path.folder.count).split(separator: "/")
            guard !names.contains(where: { $0.hasPrefix(".") }) else { continue }
            for depth in 1...min(2, max(1, names.count)) {
                let name = names.prefix(depth).joined(separator: "/")
                sizes[name + (depth < names.count ? "/" : ""), default: 0] += file.text.utf8.count
            }
        }
        let total = files.reduce(0) { $0 + $1.text.utf8.count }
        let lines =
            ["\(size(total))\t\(path.text)"]
            + sizes.sorted { $0.key < $1.key }.map { "\(size($0.value))\t\(path.folder)\($0.key)" }
        return
            "Here're the files and directories up to 2 levels deep in \(path.text), excluding hidden items and node_modules:\n"
            + lines.joined(separator: "\n")
    }

    /// Bytes as `du -h` says them: 900, 1.5K.
    private static func size(_ bytes: Int) -> String {
        guard bytes >= 1024 else { return String(bytes) }
        let tenths = bytes * 10 / 1024
        return tenths % 10 == 0 ? "\(tenths / 10)K" : "\(tenths / 10).\(tenths % 10)K"
    }
}
