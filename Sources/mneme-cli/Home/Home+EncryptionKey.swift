import Foundation
import MnemeBase
import MnemeSeal

extension Home {
    /// The key that encrypts what lies in ``folder``: from a file, the environment, or a command
    /// that prints it. Nil if none is named.
    ///
    /// - Throws: `InputError` if two sources are named at once or one cannot be read, `SealError`
    ///   for a text that is no key.
    static func encryptionKey() throws -> EncryptionKey? {
        let environment = ProcessInfo.processInfo.environment
        // Two keys at once would leave open which one is meant.
        let named = ["MNEME_KEY_FILE", "MNEME_KEY", "MNEME_KEY_COMMAND"].filter {
            environment[$0].map { !$0.isEmpty } ?? false
        }
        guard let name = named.first, let value = environment[name] else { return nil }
        guard named.count == 1 else {
            throw InputError("\(named.joined(separator: " and ")) are set. Set one of them.")
        }
        switch name {
        case "MNEME_KEY_FILE": return try encryptionKey(at: value)
        case "MNEME_KEY": return try EncryptionKey(text: value)
        default: return try EncryptionKey(text: output(of: value))
        }
    }

    /// The key in a file: 64 hexadecimal digits.
    ///
    /// - Throws: `InputError` if it cannot be read, `SealError` if it is none.
    static func encryptionKey(at path: String) throws -> EncryptionKey {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw InputError("The key's file \(path) cannot be read.")
        }
        return try EncryptionKey(text: String(decoding: data, as: UTF8.self))
    }

    /// Standard output of a shell command, at most 4 KiB.
    ///
    /// - Throws: `InputError` if it cannot be started or ends with another code than 0. The message
    ///   has the command, never its output.
    private static func output(of command: String) throws -> String {
        guard let pipe = popen(command, "r") else {
            throw InputError("MNEME_KEY_COMMAND cannot be run.")
        }
        var bytes: [UInt8] = []
        // A key is short; a command that prints without end is not waited for.
        while bytes.count < 4096 {
            let byte = fgetc(pipe)
            if byte == EOF { break }
            bytes.append(UInt8(byte))
        }
        guard pclose(pipe) == 0 else {
            throw InputError("MNEME_KEY_COMMAND failed: \(command.prefix(200))")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
