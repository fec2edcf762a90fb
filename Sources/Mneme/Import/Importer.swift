import Foundation
import MnemeStore

/// Reads conversations and documents and remembers them.
///
/// A failure leaves whole batches behind, and the import may be repeated from its start.
struct Importer: Sendable {
    /// The memory system that is imported to.
    let memory: MemoryOS
    /// Tenant, agent and session of all, and the user where nobody is named.
    let scope: Scope
    /// Whose memories are taken where a file holds those of several; nil takes them all, each to
    /// its own.
    let chosen: String?
    /// Stop at the first bad line.
    let strict: Bool
    /// The context of the call: in whose name is imported, and who is told of the progress.
    let context: OperationContext

    /// JSON documents are read whole up to this size; larger histories come as JSON lines.
    private static let maximumDocument = 1 << 28

    /// Imports a file or a folder, then embeds what is new.
    ///
    /// - Parameter format: nil finds it for each file by name and content.
    /// - Throws: `InputError` if nothing can be read, or at the first problem of a strict import;
    ///   in a folder, a file that cannot be read is skipped and reported otherwise.
    func importPath(_ path: String, format: ImportFormat?) async throws -> ImportReport {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw InputError("There is no file or folder \(path).")
        }
        guard isFolder.boolValue else {
            return try await timed { run in
                try await read(file: path, name: (path as NSString).lastPathComponent, format, &run)
            }
        }
        let files = try Self.documents(in: path)
        guard !files.isEmpty else {
            throw InputError("\(path) holds no .md, .markdown or .txt file.")
        }
        return try await timed { run in
            for (number, file) in files.enumerated() {
                let name = String(file.dropFirst(path.count).drop { $0 == "/" })
                try run.begin(name, users: [])
                do {
                    try await read(file: file, name: name, format, &run)
                } catch let error as InputError where !strict {
                    try run.skip(error.description)
                }
                context.progress?(number + 1, files.count, "files")
            }
        }
    }

    /// Imports the content of a file.
    func importText(_ text: String, format: ImportFormat?) async throws -> ImportReport {
        try await timed { run in
            let data = try ImportText.withoutMark(Data(text.utf8), "The data")
            if Self.isLines(data, format, suffix: "") {
                let lines = data.split(separator: 10, omittingEmptySubsequences: false)
                var rest = lines[...]
                try run.begin("data", users: users { rest.popFirst().map { .text(Array($0)) } })
                for (number, line) in lines.enumerated() {
                    try await take(.text(Array(line)), number + 1, &run)
                }
                try await run.end()
            } else {
                try await read(data, name: "data", suffix: "", format, &run)
            }
        }
    }

    /// Runs an import to its end: writes what waits, embeds what is new, and prepares the indexes
    /// of those who got something.
    private func timed(_ body: (inout ImportRun) async throws -> Void) async throws -> ImportReport {
        let clock = ContinuousClock()
        let start = clock.now
        var run = ImportRun(self)
        do { try await body(&run) } catch let error as InputError where strict {
            // What was read before it is written; the first problem is the one that is told.
            do {
                try await run.end()
                _ = try await run.finish()
            } catch is InputError {}
            throw error
        }
        if run.report.read == 0, let problem = run.report.problems.first {
            let place = problem.file + (problem.line.map { ", line \($0)" } ?? "")
            throw InputError(
                "Nothing was imported: none of \(run.report.skipped) could be read. \(place): \(problem.reason)."
            )
        }
        var report = try await run.finish()
        try await memory.embedPendingIfPossible { done, total in context.progress?(done, total, "embedded") }
        for user in Set(report.users.map(\.user) + [scope.user]) {
            try await memory.prepareIndex(of: Owner(tenant: scope.tenant, user: user))
        }
        report.seconds = (clock.now - start) / .seconds(1)
        return report
    }

    // MARK: Files

    /// Markdown and text files in a folder, however deep, sorted, so that a repeated import goes
    /// the same way.
    private static func documents(in folder: String) throws -> [String] {
        guard let walk = FileManager.default.enumerator(atPath: folder) else {
            throw InputError("\(folder) cannot be read.")
        }
        return walk.compactMap { $0 as? String }.filter {
            ["md", "markdown", "txt"].contains(($0 as NSString).pathExtension.lowercased())
                && !$0.hasPrefix(".")
        }
        .sorted().map { (folder as NSString).appendingPathComponent($0) }
    }

    /// Reads one file: line by line if it is JSON lines, else whole.
    private func read(file: String, name: String, _ format: ImportFormat?, _ run: inout ImportRun)
        async throws
    {
        try Task.checkCancellation()
        guard let handle = FileHandle(forReadingAtPath: file) else {
            throw InputError("\(file) cannot be read.")
        }
        let head = (try? handle.read(upToCount: 65_536)) ?? Data()
        let suffix = (file as NSString).pathExtension.lowercased()
        try? handle.close()
        if Self.isLines(try ImportText.withoutMark(head, name), format, suffix: suffix) {
            return try await readLines(file, name: name, &run)
        }
        let size = (try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int) ?? 0
        guard size <= Self.maximumDocument, let data = FileManager.default.contents(atPath: file)
        else {
            throw InputError(
                "\(file) cannot be read, or is longer than \(Self.maximumDocument >> 20) MiB; use JSON lines then."
            )
        }
        try await read(
            try ImportText.withoutMark(data, name), name: name, suffix: suffix, format, &run)
    }

    /// True for a file of JSON lines: by its suffix or the format asked for, else by its first two
    /// lines, which must each begin an object, the first a whole one.
    ///
    /// - Parameter head: the first bytes of the file, up to 64 KiB.
    private static func isLines(_ head: Data, _ format: ImportFormat?, suffix: String) -> Bool {
        guard [nil, .jsonl, .mneme, .mcp, .sharegpt, .mem0].contains(format),
            !["md", "markdown"].contains(suffix) || format != nil
        else { return false }
        if ["jsonl", "ndjson"].contains(suffix) { return true }
        let start = ImportText.start(head)
        if format == .jsonl { return start.first != UInt8(ascii: "[") && start.first != nil }
        guard start.first == UInt8(ascii: "{") else { return false }
        let lines = head.split(separator: 10).filter { line in line.contains { $0 > 32 } }
        // A document of one line is read as a whole.
        guard lines.count > 1, ImportText.start(lines[1]).first == UInt8(ascii: "{") else {
            return false
        }
        return (try? ImportText.json(lines[0])) != nil
    }

    /// Reads a document that is no JSON lines.
    private func read(
        _ data: Data, name: String, suffix: String, _ format: ImportFormat?, _ run: inout ImportRun
    )
        async throws
    {
        guard data.contains(where: { $0 > 32 }) else {
            throw InputError("\(name) is empty: there is nothing to import.")
        }
        let isMarkdown =
            format == .markdown || format == nil && ["md", "markdown"].contains(suffix)
        if !isMarkdown, format != .text,
            let json = try Self.json(data, name: name, suffix: suffix, format)
        {
            let document = try ImportForm.read(json, as: format, name: name)
            try run.begin(name, users: ImportForm.users(document))
            try await run.take(document)
            return try await run.end()
        }
        let note = MarkdownNote(try ImportText.text(data, name), name: name, isMarkdown: isMarkdown)
        try run.begin(name, users: [])
        try await run.take(ImportedDocument(entries: note.entries), isDated: false)
        try await run.end(isDated: false)
    }

    /// The JSON that data is; nil for text.
    ///
    /// - Throws: `InputError` if it should be JSON and is none.
    private static func json(_ data: Data, name: String, suffix: String, _ format: ImportFormat?)
        throws -> JSONValue?
    {
        let (first, second) = ImportText.start(data)
        var isMeant =
            format != nil || ["json", "af"].contains(suffix) || first == UInt8(ascii: "{")
        if first == UInt8(ascii: "["), let second, Array("[{\"]".utf8).contains(second) {
            isMeant = isMeant || suffix != "txt"
        }
        guard isMeant || first == UInt8(ascii: "[") else { return nil }
        do { return try ImportText.json(data) } catch {
            guard isMeant, suffix != "txt" || format != nil else { return nil }
            throw InputError(
                """
                \(name) begins like JSON or is called so, but cannot be read; it may be cut off. \(error) As plain text \
                it is taken with the format 'text'.
                """
            )
        }
    }

    // MARK: Lines

    /// Reads JSON lines in constant memory, twice where it matters whose memories they name.
    private func readLines(_ path: String, name: String, _ run: inout ImportRun) async throws {
        var ahead = try LineReader(path: path)
        try run.begin(name, users: users { try ahead.next() })
        var reader = try LineReader(path: path)
        var number = 0
        var isEmpty = true
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        while let line = try reader.next() {
            number += 1
            if case .text(let bytes) = line, !bytes.contains(where: { $0 > 32 }) { continue }
            isEmpty = false
            try await take(line, number, &run)
            if number % 1024 == 0 { context.progress?(reader.bytes >> 10, size >> 10, "KiB read") }
        }
        guard !isEmpty else { throw InputError("\(name) is empty: there is nothing to import.") }
        try await run.end()
    }

    /// Takes one line, or counts what is wrong with it.
    private func take(_ line: LineReader.Line, _ number: Int, _ run: inout ImportRun) async throws {
        guard case .text(let bytes) = line else {
            return try run.skip(
                "the line is longer than \(LineReader.maximumLine) bytes", line: number)
        }
        guard bytes.contains(where: { $0 > 32 }) else { return }
        do {
            try await run.take(try Self.document(bytes, number), line: number)
        } catch let error as ImportLineError { try run.skip(error.reason, line: number) }
    }

    /// Reads one line as a document of its own; the first may begin with a byte order mark.
    private static func document(_ bytes: [UInt8], _ number: Int) throws(ImportLineError)
        -> ImportedDocument
    {
        do {
            let data = number == 1 ? try ImportText.withoutMark(Data(bytes), "it") : Data(bytes)
            return try ImportForm.line(try ImportText.json(data), number: number)
        } catch { throw ImportLineError(reason: "\(error)") }
    }

    /// False for a line without a member that names a user: most need not be parsed to know. An escape may
    /// stand for a letter of such a name.
    private static func mayNameUser(_ line: [UInt8]) -> Bool {
        let word = Array("\"user".utf8)
        for start in line.indices.dropLast(word.count) {
            if line[start] == UInt8(ascii: "\\"), line[start + 1] == UInt8(ascii: "u") { return true }
            guard line[start] == word[0], line[start...].starts(with: word) else { continue }
            // A name, and not a value such as that of `"role":"user"`.
            let rest = line[(start + word.count)...].drop { $0 != word[0] }.dropFirst()
            if rest.first(where: { $0 > 32 }) == UInt8(ascii: ":") { return true }
        }
        return false
    }

    /// The users that lines name, looked for before anything is written where it matters.
    /// - Complexity: a pass over all lines if a user was chosen, else none; those are parsed in which the
    ///   word stands.
    private func users(_ next: () throws -> LineReader.Line?) rethrows -> Set<String> {
        guard chosen != nil else { return [] }
        var users: Set<String> = []
        var number = 0
        while let line = try next() {
            number += 1
            guard case .text(let bytes) = line, Self.mayNameUser(bytes),
                let document = try? Self.document(bytes, number)
            else { continue }
            users.formUnion(ImportForm.users(document))
        }
        return users
    }
}

/// A line that cannot be read.
private struct ImportLineError: Error {
    /// For the report, which names the file and the line.
    var reason: String
}
