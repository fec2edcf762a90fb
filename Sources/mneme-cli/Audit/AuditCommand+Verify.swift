import ArgumentParser
import Crypto
import Foundation
import Mneme
import MnemeBase

extension AuditCommand {
    /// `mneme audit verify`: recomputes the chain of hashes, the signatures, and every memory's
    /// history from the journal. Exit code 1 if something was changed, taken out or put in.
    ///
    /// Who can write the store and read the key could make another log: compare the end with one
    /// that was noted elsewhere.
    ///
    /// It prints each finding as a line that begins with WRONG, then the trusted key and the end of
    /// the log as POSITION:HASH. Exit code 2 for a key or an end that is not in hex.
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract:
                "Check that nothing in the log and the journal was changed, taken out or put in.",
            discussion:
                "Note the printed end somewhere else; a later `--head` finds out whether the log was cut off or written anew."
        )
        @OptionGroup var store: StoreFileOptions
        /// The end to compare with: the log must still hold this hash at this position.
        @Option(
            help: ArgumentHelp("An end that an earlier run printed: PLACE:HASH.", valueName: "end"))
        var head: String?
        /// Ed25519 public keys of 32 bytes; several where the key was exchanged.
        @Option(
            help: ArgumentHelp(
                "A public key to trust, in hex; this machine's if left out.", valueName: "key"))
        var key: [String] = []
        @Flag(help: "Print JSON.") var json = false

        /// Prints findings and the end, then fails if there was a finding.
        func run() async throws {
            /// 32 bytes from hexadecimal digits of either case.
            func bytes(_ hex: String) throws -> Data {
                guard let data = Hexadecimal.bytes(hex.lowercased()), data.count == 32 else {
                    throw InputError("'\(hex.prefix(80))' is not 64 hex digits.")
                }
                return data
            }
            // The end that somebody noted elsewhere: position and hash.
            let noted = try head.map { text in
                let parts = text.split(separator: ":")
                guard parts.count == 2, let position = Int64(parts[0]) else {
                    throw InputError("An end looks like 120:4f2a….")
                }
                return (position: position, hash: try bytes(String(parts[1])))
            }
            // Keys that may have signed; by default the one of this machine.
            let trusted =
                key.isEmpty
                ? [try Home.signingKey().publicKey.rawRepresentation] : try key.map(bytes)
            let report = try store.open().verifyAudit(
                keys: trusted, head: noted, by: AuditCommand.caller)
            if json {
                print(try OperationTable.encode(report, pretty: true))
            } else {
                for finding in report.findings { print("WRONG  \(finding)") }
                if report.findings.isEmpty {
                    print(
                        "The log is whole: \(report.entries) entries, \(report.checkpoints) signatures, each memory's history as it was written."
                    )
                }
                if report.begin > 1 {
                    print(
                        "It begins at entry \(report.begin); what was before was moved to a file.")
                }
                if report.unaudited > 0 {
                    print("\(report.unaudited) changes are older than the log.")
                }
                print("key  \(trusted.map { Hexadecimal.string($0) }.joined(separator: ", "))")
                print("end  \(report.position):\(Hexadecimal.string(report.head))")
            }
            if !report.findings.isEmpty { throw ExitCode(1) }
        }
    }
}
