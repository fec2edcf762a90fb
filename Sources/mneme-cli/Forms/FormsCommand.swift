import ArgumentParser
import Mneme
import MnemeBase
import MnemeChat

/// `mneme forms`: what can be done with texts, keys and values, and adapters; with an operation and a
/// form, the command for it.
///
/// Exit code 2 for an operation that is refused; the message says why, and what to do instead.
struct FormsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forms",
        abstract: "What can be done with each form of memory: texts, keys and values, adapters.")

    @Argument(
        help: "consolidate, update, index, forget, retrieve or compress.",
        transform: { try value($0, of: MemoryVerb.self) }) var operation: MemoryVerb?
    @Argument(help: "text, kv or adapter.", transform: { try value($0, of: MemoryForm.self) }) var form: MemoryForm?
    @Flag(help: "Print JSON.") var json = false

    /// A case by its name.
    private static func value<Value: RawRepresentable<String> & CaseIterable>(_ name: String, of: Value.Type) throws
        -> Value
    {
        guard let value = Value(rawValue: name) else {
            throw ValidationError("'\(name)' is not \(Value.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        return value
    }

    /// Prints the table, or one entry of it.
    func run() throws {
        if let operation, let form {
            let entry = try FormOperation.require(operation, on: form)
            print(json ? try OperationTable.encode(entry, pretty: true) : "\(entry.command ?? ""): \(entry.note)")
            return
        }
        let entries = FormOperation.all.filter { operation == nil || $0.verb == operation }
        if json { return print(try OperationTable.encode(entries, pretty: true)) }
        for entry in entries {
            print(
                entry.verb.rawValue.padded(to: 12), entry.form.rawValue.padded(to: 8),
                (entry.command ?? "refused").padded(to: 34), entry.note)
        }
    }
}
