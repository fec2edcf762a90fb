import MnemePipeline
import MnemeStore

/// A file of a task: what one step writes, and later ones read.
public struct TaskFile: Sendable, Codable, Equatable {
    /// Names it within its task.
    public var path: String
    /// All that it holds.
    public var text: String

    /// A file with what it holds.
    public init(path: String, text: String) { (self.path, self.text) = (path, text) }

    /// Its first line that is not blank, by which whoever does not read it knows what it is.
    public var outline: String {
        text.split(whereSeparator: \.isNewline).first { $0.contains { !$0.isWhitespace } }.map(String.init) ?? ""
    }
}

/// The form in which a file of a task is a memory: its text below its path, task and path in the metadata.
enum TaskFileMemory {
    /// The tag of files.
    static let tag = "task-file"
    /// Bytes of a path at most.
    static let pathBytes = 200

    /// The text of the memory.
    static func text(_ file: TaskFile) -> String { "File: \(file.path)\n\(file.text)" }

    /// What it keeps besides its text.
    static func metadata(_ file: TaskFile, root: String) -> [String: String] {
        ["kind": tag, "root": root, "path": file.path]
    }

    /// The file that a memory holds, and its task; nil if it is none.
    static func read(_ cube: MemCube) -> (file: TaskFile, root: String)? {
        guard cube.metadata["kind"] == tag, let root = cube.metadata["root"], let path = cube.metadata["path"],
            let end = cube.text.firstIndex(of: "\n")
        else { return nil }
        return (TaskFile(path: path, text: String(cube.text[cube.text.index(after: end)...])), root)
    }

    /// Why a path is none; nil for one that is.
    static func fault(in path: String) -> String? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return path.utf8.count <= pathBytes && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
            && !path.contains { $0.isNewline }
            ? nil : "'\(path.prefix(60))' is no path: parts between slashes, none of them empty, '.' or '..'."
    }
}
