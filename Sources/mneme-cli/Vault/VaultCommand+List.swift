import ArgumentParser
import Mneme
import MnemeStore

extension VaultCommand {
    /// `mneme vault list`: a line for each owner in the store: name, memories, grants, and what is
    /// followed.
    ///
    /// For whoever runs the store: owners of all tenants are shown, the tenant in brackets where it
    /// is not `default`. Vaults made by `create` and still empty are among them.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Show all vaults.")
        @OptionGroup var store: StoreFileOptions
        @Flag(help: "Print JSON.") var json = false

        /// A vault in `--json`; `from` is what it follows.
        struct Row: Encodable {
            var vault: Owner, memories: Int, grants: Int, from: String?
        }

        func run() async throws {
            let store = try store.open()
            let caller = VaultCommand.caller("list")
            let subscriptions = try Subscription.all()
            let rows = try store.owners().map { owner in
                Row(
                    vault: owner, memories: try store.statistics(owner: owner, by: caller).memories,
                    grants: try store.grants(owner: owner, by: caller).count,
                    from: subscriptions.first { $0.owner == owner }?.source)
            }
            if json { return print(try OperationTable.encode(rows, pretty: true)) }
            if rows.isEmpty { return print("There are no vaults yet.") }
            for row in rows {
                // What is worth saying beside the name.
                let notes = [
                    row.grants > 0 ? "\(row.grants) grants" : nil, row.from.map { "follows \($0)" },
                ]
                .compactMap(\.self).joined(separator: ", ")
                let name =
                    row.vault.tenant == "default"
                    ? row.vault.user : "\(row.vault.user) (\(row.vault.tenant))"
                print(
                    Terminal.line(
                        "\(name.padded(to: 30)) \(row.memories) memories  \(notes)"
                    ))
            }
        }
    }
}
