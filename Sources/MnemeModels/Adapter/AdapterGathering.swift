import Foundation
import MnemeBase

/// A mean of adapters that come one after the other, each by a process of its own (LIFL, Qi et al. 2024)
/// [165]: whoever brings the last one of a group makes the group's mean, and whoever brings the last of
/// all the last mean. No process waits for others, and none runs between two of them.
///
/// All is in a folder, one of memory (`/dev/shm`) or of a disk: `LEVEL-NUMBER` holds an adapter as PEFT
/// writes it, with its weight, and is gone once it is in a mean. A mean of means with weights that count
/// what is behind each is the mean of all.
public struct AdapterGathering: Sendable {
    /// What has come so far.
    public struct Progress: Sendable, Equatable, Codable {
        /// Adapters that came.
        public internal(set) var come = 0
        /// Adapters that are expected, those that came among them.
        public internal(set) var expected: Int
        /// Adapters of a group.
        public internal(set) var group: Int
        /// Bytes of weights that were written to the folder, and read from it.
        public internal(set) var copiedBytes = 0
        /// The sum of all weights.
        public internal(set) var weight = 0.0

        /// True if all came: the mean is there.
        public var isDone: Bool { come == expected }
    }

    /// The folder.
    public let folder: String
    private let expected: Int
    private let group: Int

    /// - Parameters:
    ///   - folder: is made if it is not there.
    ///   - expected: adapters in all.
    ///   - group: adapters of a mean.
    /// - Throws: ``AdapterError`` for numbers below 2.
    public init(_ folder: String, expected: Int, group: Int) throws {
        guard expected >= 2, group >= 2, expected <= 10_000 else {
            throw AdapterError(
                .unsupported, "A mean is gathered of at least two adapters, in groups of at least two.")
        }
        (self.folder, self.expected, self.group) = (folder, expected, group)
    }

    /// Where the mean is when all came.
    public var mean: AdapterFolder { AdapterFolder(path: folder + "/mean") }

    /// Puts an adapter to the others, and makes the means that are complete with it.
    ///
    /// - Parameters:
    ///   - adapter: what it adds to the model.
    ///   - weight: above 0, such as the number of examples behind it.
    ///   - base: what the adapters' settings call the model, and its shape.
    /// - Returns: what has come with it.
    /// - Throws: ``AdapterError`` if all came already, the adapters do not fit, or the folder was begun with
    ///   other numbers; `FileError`.
    public func put(
        _ adapter: Adapter, weight: Double, base: (name: String, shape: DecoderConfiguration)
    ) throws -> Progress {
        guard weight > 0, weight.isFinite else {
            throw AdapterError(.unsupported, "An adapter's weight in a mean is a number above 0.")
        }
        try Privacy.makeFolder(folder)
        guard let lock = try FileLock.take(folder + "/lock", waiting: 60) else {
            throw AdapterError(.unavailable, "Another process has held \(folder) for a minute. Try again.")
        }
        defer { withExtendedLifetime(lock) {} }
        var progress = try read() ?? Progress(expected: expected, group: group)
        guard progress.expected == expected, progress.group == group, !progress.isDone else {
            throw AdapterError(
                .exists,
                progress.isDone
                    ? "All \(progress.expected) adapters came to \(folder) already. Name another folder."
                    : "\(folder) gathers \(progress.expected) adapters in groups of \(progress.group). Name the same numbers."
            )
        }
        var (level, number, one, sum) = (0, progress.come, adapter, weight)
        progress.come += 1
        progress.weight += weight
        // How many there are of a level.
        var count = expected
        while count > 1 {
            let first = number / group * group
            guard number == min(first + group, count) - 1 else { break }
            // The last one of its group: the others are there.
            var parts: [(adapter: Adapter, weight: Double)] = []
            for other in first..<number {
                let node = node(level, other)
                progress.copiedBytes += AdapterFolder(path: node).fileBytes
                parts.append((try AdapterFolder(path: node).read(for: base.shape), try self.weight(node)))
            }
            one = try Adapter.mean(of: parts + [(one, sum)])
            sum = parts.reduce(sum) { $0 + $1.weight }
            (level, number, count) = (level + 1, number / group, (count + group - 1) / group)
        }
        let to = count == 1 ? mean.path : node(level, number)
        try Privacy.makeFolder(to)
        try AdapterFolder(path: to).write(one, base: base.name)
        try AtomicFile.write(Data("\(sum)".utf8), to: to + "/weight")
        progress.copiedBytes += AdapterFolder(path: to).fileBytes
        try AtomicFile.write(JSONEncoder().encode(progress), to: folder + "/progress.json")
        removeMembers(below: level, number)
        return progress
    }

    private func node(_ level: Int, _ number: Int) -> String { "\(folder)/\(level)-\(number)" }

    /// What went into a mean that is written is not needed any more.
    private func removeMembers(below level: Int, _ number: Int) {
        for lower in 0..<level {
            let span = (0..<level - lower).reduce(1) { size, _ in size * group }
            for member in number * span..<(number + 1) * span {
                try? FileManager.default.removeItem(atPath: node(lower, member))
            }
        }
    }

    private func weight(_ node: String) throws -> Double {
        guard let data = FileManager.default.contents(atPath: node + "/weight"),
            let weight = Double(String(decoding: data, as: UTF8.self))
        else { throw AdapterError(.invalidFile, "\(node) has no weight. Begin with another folder.") }
        return weight
    }

    private func read() throws -> Progress? {
        let path = folder + "/progress.json"
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        guard let progress = try? JSONDecoder().decode(Progress.self, from: data) else {
            throw AdapterError(.invalidFile, "\(path) is damaged. Begin with another folder.")
        }
        return progress
    }
}
