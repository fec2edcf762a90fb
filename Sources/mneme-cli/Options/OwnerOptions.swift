import ArgumentParser
import MnemeStore

/// Whose memories a command reads: those of one user.
struct OwnerOptions: ParsableArguments {
    @Option(help: "Whose memories.") var user = "default"
    @Option(help: "An organisation or deployment.") var tenant = "default"

    /// The owner that they name.
    var owner: Owner { Owner(tenant: tenant, user: user) }
}
