import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeStore

/// `mneme vault`: moves a user's or a team's memories, with their history, between stores, and
/// follows those of others.
///
/// Nothing is sent by itself: files are carried by people, and a server is asked by `pull` alone or
/// when a subscription begins.
struct VaultCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vault",
        abstract: "Create, list, share, pack, import, merge and compare vaults.",
        discussion: """
            A vault is all that is remembered for one user of a tenant; a team's or a project's is a user that nobody is (`--user NAME` elsewhere). \
            A package carries a vault to another store, with history and checksum; it can be signed and sealed.
            """,
        subcommands: [
            Create.self, List.self, OperationCommand<ShareOperation>.self, Export.self,
            Exports.self, Inspect.self,
            Import.self, Merge.self, Diff.self,
            Subscribe.self,
            Pull.self,
        ])

    /// The owner of this machine as caller, for the audit log and the list of copies.
    static func caller(_ operation: String) -> Caller {
        Caller(.local, operation: "vault \(operation)")
    }

    /// Runs what takes memories in, with its progress shown and the store closed behind it.
    ///
    /// - Parameter body: imports into the open memory, and reports counts and a word on what is
    ///   done.
    /// - Returns: the report of `body`, after what was imported has its vectors.
    static func taking(
        _ store: StoreOptions,
        _ body: (MemoryOS, @escaping @Sendable (Int, Int, String) -> Void) async throws ->
            VaultReport
    ) async throws -> VaultReport {
        let memory = try store.open()
        let progress = ProgressLine()
        do {
            let report = try await body(memory) { progress.show($0, $1, $2) }
            progress.end()
            await memory.close()
            return report
        } catch {
            progress.end()
            await memory.close(deadline: .zero)
            throw error
        }
    }

    // MARK: Following another vault

    /// The rule that `--conflicts` names.
    static func rule(_ name: String) throws -> ConflictRule {
        guard let rule = ConflictRule(rawValue: name) else {
            throw ValidationError("There is no '\(name)': keep, take or both.")
        }
        return rule
    }

    /// A public key of 32 bytes, from hexadecimal digits.
    ///
    /// - Throws: `InputError` for anything but 64 digits.
    static func key(_ text: String) throws -> Data {
        guard let key = Hexadecimal.bytes(text.lowercased()), key.count == 32 else {
            throw InputError("A key has 64 hexadecimal digits, as `mneme vault inspect` shows it.")
        }
        return key
    }

    /// The result of an import on one line, then the conflicts and problems, a paragraph each.
    ///
    /// Counts of 0 are left out. A conflict shows the text here and the text of the other side.
    static func text(_ report: VaultReport, _ owner: Owner) -> String {
        let parts = [
            (report.added, "imported"), (report.updated, "brought up to date"),
            (report.unchanged, "here already"),
            (report.newerHere, "newer here"),
            (report.duplicates, "said here already"), (report.erased, "erased as there"),
            (report.erasedHere, "erased here before and left out"),
            (report.quarantined, "quarantined, as they read like instructions"), (report.refused, "refused"),
            (report.conflictCount, "changed here and there"),
        ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        var lines = [
            "\(owner.user): \(parts.isEmpty ? "nothing new" : parts.joined(separator: ", ")) (\(report.memories) memories of \(report.from.user) read)"
        ]
        for conflict in report.conflicts {
            lines.append("~ \(conflict.id)\n  here:  \(conflict.here)\n  there: \(conflict.there)")
        }
        lines += report.problems
        return lines.joined(separator: "\n")
    }
}
