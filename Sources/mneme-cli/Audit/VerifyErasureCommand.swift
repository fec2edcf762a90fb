import ArgumentParser
import Foundation
import Mneme

/// `mneme verify-erasure`: looks for what was erased, in the store's raw files and in others such
/// as backups. The report holds keyed hashes of pieces and no words, so that it can be handed on.
///
/// Exit code 1 if pieces are found, 2 if the report cannot be read.
///
/// For whoever has to show that an erasure reached everything: it prints a line that begins with
/// WRONG for each place of a piece, or how many files were searched. Compressed or encrypted
/// backups cannot be looked into.
struct VerifyErasureCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify-erasure",
        abstract: "Check a report of `mneme erase --prove` against the raw files.",
        discussion: """
            Every byte of the store, its log and indexes, and of kept keys and values is looked through for pieces of what was erased. Other files, such as \
            backups, can be named.
            """)
    @OptionGroup var store: StoreFileOptions
    /// The JSON file that `mneme erase --prove` wrote.
    @Argument(help: "The report.") var report: String
    /// Backups and exports. One that is not there is an error: an unsearched file proves nothing.
    @Argument(help: "Other files and folders to look through.") var others: [String] = []

    /// Reads the report, searches the store's files and the named ones, and prints what stands
    /// there.
    func run() async throws {
        guard let data = FileManager.default.contents(atPath: report) else {
            throw InputError("\(report) cannot be read.")
        }
        // A report of a later version is refused, not half understood.
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        guard let proof = try? decoder.decode(ErasureProof.self, from: data), proof.version == 1
        else {
            throw InputError("\(report) is not a report of an erasure that this Mneme reads.")
        }
        if let missing = others.first(where: { !FileManager.default.fileExists(atPath: $0) }) {
            throw InputError("\(missing) is not there.")
        }
        let memory = try store.memory()
        // The store's own files first, then those that were named.
        var (findings, problems) = try await memory.check(proof)
        let more = try proof.search(others)
        findings += more
        problems += more.filter { !$0.offsets.isEmpty }.map {
            "\($0.path) holds pieces of it, the first at byte \($0.offsets[0])"
        }
        for problem in problems { print("WRONG  \(problem)") }
        if problems.isEmpty {
            print(
                """
                Erased \(DateText.format(proof.time)) by \(proof.principal): \(proof.erased.count) \(proof.erased.count == 1 ? "memory" : "memories"), \(proof.fingerprints.count) pieces of them. \
                None stands in \(findings.count) files (\(findings.reduce(0) { $0 + $1.bytes } >> 10) KiB).
                """)
        }
        if proof.fingerprints.isEmpty {
            print(
                "The memory was too short for pieces; only the store's tables were looked through.")
        }
        for unsearched in [memory.store.unsearched, memory.unsearchedIndexes].compactMap(\.self) {
            print(unsearched)
        }
        try memory.store.flush()
        if !problems.isEmpty { throw ExitCode(1) }
    }
}
