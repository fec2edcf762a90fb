import ArgumentParser
import Mneme
import MnemeStore

extension VaultCommand {
    struct Tenant: ParsableArguments {
        @Option(help: "The vaults' tenant.") var tenant = "default"
        func owner(_ name: String) throws -> Owner {
            try Principal.local.owner(tenant: tenant, user: name)
        }
    }
}
