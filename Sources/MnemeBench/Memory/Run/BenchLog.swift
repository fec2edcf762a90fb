import Foundation
import Mneme
import MnemeBase

/// Results as they come, a JSON line each, so that a run that was ended goes on where it stopped.
///
/// The first line says what the run depends on; a file of another run is refused. A last line that is not
/// whole, as a machine that stopped leaves it, is dropped.
public final class BenchLog {
    /// One line of the file: one of the three.
    private struct Line: Codable {
        var header: BenchHeader?
        var feed: BenchFeed?
        var outcome: BenchOutcome?
    }

    /// What earlier runs brought.
    public private(set) var outcomes: [BenchOutcome] = [], feeds: [BenchFeed] = []
    /// The file that lines go to; nil keeps nothing.
    private var file: FileHandle?

    /// A log in a file, or in memory alone.
    ///
    /// - Throws: `InputError` for a file of another run or of none, `FileError` if it cannot be written.
    public init(_ path: String?, _ header: BenchHeader) throws {
        guard let path else { return }
        var kept = Data()
        if let data = FileManager.default.contents(atPath: path), !data.isEmpty {
            let known = try Self.read(path)
            guard known.header == header else {
                let other = known.header
                throw InputError(
                    "\(path) holds results of another run (\(other.bench) on \(other.data), recipe \(other.recipe), "
                        + "\(other.answerer)). Name another file.")
            }
            (outcomes, feeds, kept) = (known.outcomes, known.feeds, data.prefix((data.lastIndex(of: 10) ?? -1) + 1))
        }
        if kept.isEmpty { kept = try Self.text(Line(header: header)) }
        try AtomicFile.write(kept, to: path, mode: 0o644)
        guard let file = FileHandle(forWritingAtPath: path) else { throw FileError(path) }
        try file.seekToEnd()
        self.file = file
    }

    /// What a file of results holds, but for a last line that is not whole.
    ///
    /// - Throws: `InputError` for a file of another form.
    static func read(_ path: String) throws -> (header: BenchHeader, outcomes: [BenchOutcome], feeds: [BenchFeed]) {
        let data = FileManager.default.contents(atPath: path) ?? Data()
        let whole = data.prefix((data.lastIndex(of: 10) ?? -1) + 1)
        let lines = whole.split(separator: 10).map { try? JSONDecoder().decode(Line.self, from: $0) }
        guard let first = lines.first, let header = first?.header, !lines.contains(where: { $0 == nil }) else {
            throw InputError("\(path) cannot be read, or holds no results of a benchmark.")
        }
        return (header, lines.compactMap { $0?.outcome }, lines.compactMap { $0?.feed })
    }

    /// Keeps what came of a question.
    ///
    /// - Throws: `FileError` if it cannot be written.
    public func add(_ outcome: BenchOutcome) throws {
        outcomes.append(outcome)
        try write(Line(outcome: outcome))
    }

    /// Keeps what storing a history cost.
    ///
    /// - Throws: `FileError` if it cannot be written.
    public func add(_ feed: BenchFeed) throws {
        feeds.removeAll { $0.episode == feed.episode }
        feeds.append(feed)
        try write(Line(feed: feed))
    }

    private static func text(_ line: Line) throws -> Data { Data((try OperationTable.encode(line) + "\n").utf8) }

    private func write(_ line: Line) throws {
        guard let file else { return }
        do { try file.write(contentsOf: Self.text(line)) } catch {
            throw FileError("the results' file", "cannot be written: \(error.localizedDescription)")
        }
    }
}
