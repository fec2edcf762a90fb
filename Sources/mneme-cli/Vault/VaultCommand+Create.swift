import ArgumentParser
import MnemeBase
import MnemeStore

extension VaultCommand {
    /// `mneme vault create`: an empty vault for a team or a project. Exit code 2 if there is one of
    /// that name.
    ///
    /// It prints how to fill and share it. Nobody but the owner of this machine and whoever is
    /// granted it reaches the vault. The name is a user's: `--user NAME` in other commands.
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Make an empty vault, to be shared and filled.")
        @OptionGroup var store: StoreFileOptions
        @OptionGroup var tenant: Tenant
        @Argument(help: "Its name.") var name: String

        func run() async throws {
            // An owner without memories exists from here on, so that it can be shared.
            guard try store.open().create(tenant.owner(name), by: VaultCommand.caller("create"))
            else {
                throw InputError("There is a vault '\(name)' already.")
            }
            print(
                "Made '\(name)'. `mneme remember … --user \(name)` fills it, `mneme vault share user:NAME --user \(name)` shares it."
            )
        }
    }
}
