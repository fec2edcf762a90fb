import ArgumentParser
import Mneme
import MnemeStore

extension VaultCommand {
    /// The tenant whose vaults are meant.
    struct Tenant: ParsableArguments {
        @Option(help: "The vaults' tenant.") var tenant = "default"
        /// The owner of a vault's name in this tenant.
        ///
        /// - Throws: `InputError` for names out of bounds.
        func owner(_ name: String) throws -> Owner {
            try Principal.local.owner(tenant: tenant, user: name)
        }
    }
}
