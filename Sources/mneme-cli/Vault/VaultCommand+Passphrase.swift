import ArgumentParser
import Foundation
import MnemeBase

extension VaultCommand {
    /// The passphrase of sealed packages: from a file, or from `MNEME_PASSPHRASE`; never from the
    /// command line, which other users can see.
    struct Passphrase: ParsableArguments {
        @Option(
            help: ArgumentHelp(
                "A file with the passphrase; MNEME_PASSPHRASE has it otherwise.", valueName: "file")
        )
        var passphrase: String?

        /// The passphrase in `MNEME_PASSPHRASE`; nil if that is empty or not set.
        static var ofEnvironment: String? {
            ProcessInfo.processInfo.environment["MNEME_PASSPHRASE"].flatMap {
                $0.isEmpty ? nil : $0
            }
        }

        /// The passphrase; nil if none is given.
        ///
        /// - Throws: `InputError` if the file cannot be read.
        ///
        /// Line breaks at both ends of the file are left out, as editors add one.
        func read() throws -> String? {
            guard let passphrase else { return Self.ofEnvironment }
            guard let text = try? String(contentsOfFile: passphrase, encoding: .utf8) else {
                throw InputError("\(passphrase) cannot be read.")
            }
            return text.trimmingCharacters(in: .newlines)
        }
    }
}
