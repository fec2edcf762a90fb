import ArgumentParser
import Foundation
import MnemeBase

extension VaultCommand {
    /// Where a passphrase comes from.
    struct Passphrase: ParsableArguments {
        @Option(
            help: ArgumentHelp(
                "A file with the passphrase; MNEME_PASSPHRASE has it otherwise.", valueName: "file")
        )
        var passphrase: String?

        static var ofEnvironment: String? {
            ProcessInfo.processInfo.environment["MNEME_PASSPHRASE"].flatMap {
                $0.isEmpty ? nil : $0
            }
        }

        func read() throws -> String? {
            guard let passphrase else { return Self.ofEnvironment }
            guard let text = try? String(contentsOfFile: passphrase, encoding: .utf8) else {
                throw InputError("\(passphrase) cannot be read.")
            }
            return text.trimmingCharacters(in: .newlines)
        }
    }
}
