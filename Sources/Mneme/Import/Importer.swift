import Foundation
import MnemeStore

/// Reads conversations and documents and remembers them, batch by batch.
///
/// Every batch is one transaction. A message that is already there is recognised by its content, so
/// that an import that was interrupted can be repeated from the start.
struct Importer: Sendable {
    let memory: MemoryOS
    let scope: Scope
    /// Stop at the first bad line.
    let strict: Bool
    let context: OperationContext

    private static let batch = 256
    /// JSON documents are read whole up to this size; larger histories come as JSON lines.
    private static let maximumDocument = 1 << 30

    /// Imports a file or a folder, then embeds what is new.
    func importPath(_ path: String, format: ImportFormat?) async throws -> ImportReport {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { throw InputError("There is no file or folder \(path).") }
        let files = isFolder.boolValue ? try Self.documents(in: path) : [path]
        guard !files.isEmpty else { throw InputError("\(path) holds no .md, .markdown or .txt file.") }
        return try await timed { report in
            for file in files {
                try Task.checkCancellation()
                let format = try format ?? Self.format(of: file)
                do {
                    if format == .jsonl {
                        try await importLines(file, &report)
                    } else {
                        let size = (try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int) ?? 0
                        guard size <= Self.maximumDocument, let data = FileManager.default.contents(atPath: file) else {
                            throw InputError("\(file) cannot be read, or is larger than \(Self.maximumDocument) bytes; use JSON lines for large histories.")
                        }
                        try await importDocument(
                            data, format,
                            name: isFolder.boolValue ? String(file.dropFirst(path.count).drop { $0 == "/" }) : (file as NSString).lastPathComponent, &report)
                    }
                } catch let error as InputError where isFolder.boolValue && !strict {
                    report.skipped += 1
                    note(ImportReport.Problem(file: file, line: nil, reason: error.description), &report)
                }
                report.files += 1
                if isFolder.boolValue { context.progress?(report.files, files.count, "files") }
            }
        }
    }

    /// Imports the content of a file.
    func importText(_ text: String, format: ImportFormat?) async throws -> ImportReport {
        try await timed { report in
            let data = Data(text.utf8), format = format ?? Self.format(head: data.prefix(4096))
            if format == .jsonl {
                var batch = Batch()
                for (number, line) in text.utf8.split(separator: 10, omittingEmptySubsequences: false).enumerated() {
                    try await take(Array(line), number + 1, file: "data", &batch, &report)
                }
                try await store(&batch, &report)
            } else {
                try await importDocument(data, format, name: "data", &report)
            }
            report.files = 1
        }
    }

    private func timed(_ body: (inout ImportReport) async throws -> Void) async throws -> ImportReport {
        let clock = ContinuousClock(), start = clock.now
        var report = ImportReport()
        try await body(&report)
        try await memory.embedPending { done, total in context.progress?(done, total, "embedded") }
        try await memory.prepareIndex(of: scope.owner)
        report.seconds = (clock.now - start) / .seconds(1)
        return report
    }

    // MARK: Formats

    private static func documents(in folder: String) throws -> [String] {
        guard let walk = FileManager.default.enumerator(atPath: folder) else { throw InputError("\(folder) cannot be read.") }
        return walk.compactMap { $0 as? String }.filter {
            ["md", "markdown", "txt"].contains(($0 as NSString).pathExtension.lowercased()) && !$0.hasPrefix(".")
        }
        .sorted().map { (folder as NSString).appendingPathComponent($0) }
    }

    static func format(of file: String) throws -> ImportFormat {
        switch (file as NSString).pathExtension.lowercased() {
        case "md", "markdown": return .markdown
        case "txt": return .text
        case "jsonl", "ndjson": return .jsonl
        default:
            guard let handle = FileHandle(forReadingAtPath: file) else { throw InputError("\(file) cannot be read.") }
            defer { try? handle.close() }
            return format(head: (try? handle.read(upToCount: 65536)) ?? Data())
        }
    }

    private static func format(head: Data) -> ImportFormat {
        let text = String(decoding: head, as: UTF8.self), start = text.first { !$0.isWhitespace }
        // Whole documents with spaces at will; JSON lines begin and end on one line.
        if start == "[" || start == "{", text.contains("\"memory\"") {
            if text.contains("\"nodes\"") || text.contains("\"metadata\"") && !text.contains("\"user_id\"") && !text.contains("\"created_at\"") {
                return .memos
            }
            if text.contains("\"results\"") || start == "[" { return text.contains("\"memory_type\"") ? .memos : .mem0 }
        }
        if start == "[" {
            if text.contains("\"mapping\"") { return .openai }
            if text.contains("\"conversation\"") || text.contains("\"qa\"") || text.contains("\"dia_id\"") { return .locomo }
        }
        return start == "{" ? .jsonl : .text
    }

    private func importDocument(_ data: Data, _ format: ImportFormat, name: String, _ report: inout ImportReport) async throws {
        var batch = Batch()
        switch format {
        case .locomo:
            let conversations = try LocomoConversation.read(data)
            let total = conversations.reduce(0) { $0 + $1.turns.count }
            for conversation in conversations {
                for turn in conversation.turns {
                    var input = MemoryInput(turn.text, speaker: turn.speaker, eventTime: turn.time, session: conversation.id + "/" + turn.session)
                    input.source = "message"
                    input.reference = conversation.id + "/" + turn.id
                    try await add(input, &batch, &report, total: total)
                }
            }
        case .mem0, .memos:
            let inputs = try format == .mem0 ? PeerDumps.mem0(data) : PeerDumps.memos(data)
            for input in inputs { try await add(input, &batch, &report, total: inputs.count) }
        case .openai:
            let inputs = try OpenAIExport.read(data)
            for input in inputs { try await add(input, &batch, &report, total: inputs.count) }
        case .markdown, .text:
            guard let text = String(data: data, encoding: .utf8) else { throw InputError("\(name) is not UTF-8 text.") }
            for (i, part) in Self.sections(text, markdown: format == .markdown).enumerated() {
                var input = MemoryInput(part.text, session: name)
                input.source = "file"
                input.reference = "\(name)#\(i)"
                if let heading = part.heading { input.metadata["heading"] = heading }
                try await add(input, &batch, &report, total: 0)
            }
        case .jsonl:
            break  // read line by line, see importLines
        }
        try await store(&batch, &report)
    }

    /// Paragraphs of a text, short ones joined, each with the heading above it.
    private static func sections(_ text: String, markdown: Bool) -> [(heading: String?, text: String)] {
        var sections: [(String?, String)] = [], heading: String?, current = ""
        func end() {
            if current.contains(where: { !$0.isWhitespace }) { sections.append((heading, current)) }
            current = ""
        }
        for paragraph in text.replacingOccurrences(of: "\r\n", with: "\n").components(separatedBy: "\n\n") where paragraph.contains(where: { !$0.isWhitespace })
        {
            if markdown, paragraph.hasPrefix("#") {
                end()
                heading = paragraph.prefix { $0 != "\n" }.drop { $0 == "#" || $0 == " " }.trimmingCharacters(in: .whitespaces)
            }
            if current.count + paragraph.count > Segmenter.targetLength { end() }
            current += current.isEmpty ? paragraph : "\n\n" + paragraph
        }
        end()
        return sections
    }

    private func importLines(_ path: String, _ report: inout ImportReport) async throws {
        var reader = try LineReader(path: path), batch = Batch(), number = 0
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        while let line = try reader.next() {
            number += 1
            switch line {
            case .text(let bytes): try await take(bytes, number, file: path, &batch, &report)
            case .tooLong: try bad(number, path, "the line is longer than \(LineReader.maximumLine) bytes", &report)
            }
            if number % 1024 == 0 { context.progress?(reader.bytes >> 10, size >> 10, "KiB read") }
        }
        try await store(&batch, &report)
    }

    private func take(_ line: [UInt8], _ number: Int, file: String, _ batch: inout Batch, _ report: inout ImportReport) async throws {
        guard line.contains(where: { $0 > 32 }) else { return }
        do {
            guard let json = try? JSONDecoder().decode(JSONValue.self, from: Data(line)) else { throw InputError("it is not JSON") }
            try await add(try MessageReader.input(json), &batch, &report, total: 0)
        } catch let error as InputError { try bad(number, file, error.description, &report) }
    }

    private func bad(_ line: Int, _ file: String, _ reason: String, _ report: inout ImportReport) throws {
        guard !strict else { throw InputError("\(file), line \(line): \(reason). Lines before it were imported.") }
        report.skipped += 1
        note(ImportReport.Problem(file: file, line: line, reason: reason), &report)
    }

    private func note(_ problem: ImportReport.Problem, _ report: inout ImportReport) {
        if report.problems.count < 100 { report.problems.append(problem) }
    }

    // MARK: Batches

    private struct Batch {
        var inputs: [MemoryInput] = []
    }

    private func add(_ input: MemoryInput, _ batch: inout Batch, _ report: inout ImportReport, total: Int) async throws {
        try input.check()
        report.read += 1
        batch.inputs.append(input)
        if batch.inputs.count == Self.batch {
            try await store(&batch, &report)
            if total > 0 { context.progress?(report.read, total, "messages") }
        }
    }

    private func store(_ batch: inout Batch, _ report: inout ImportReport) async throws {
        guard !batch.inputs.isEmpty else { return }
        try Task.checkCancellation()
        let caller = context.caller(ImportOperation.self)
        let remembered = try await memory.record(batch.inputs, scope: scope, by: caller, isBulk: true)
        report.stored += remembered.count { !$0.duplicate }
        report.duplicates += remembered.count { $0.duplicate }
        batch.inputs.removeAll(keepingCapacity: true)
    }
}
