import ArgumentParser
import Foundation
import MnemeBase

extension VaultCommand {
    /// `mneme vault subscribe`: follows a vault elsewhere, and pulls at once. If that fails,
    /// nothing is subscribed.
    ///
    /// A vault here follows one source: subscribing again replaces it. Exit code 2 for a source
    /// that is neither, or `--trust` with a server.
    struct Subscribe: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "subscribe",
            abstract:
                "Follow a vault of another Mneme, or a package that is written again from time to time.",
            discussion: """
                Pulls at once; `mneme vault pull` gets what changed since. What was erased there is erased here, unless it was changed here. Subscriptions \
                and their keys are kept in $MNEME_HOME/subscriptions.json, which only you can read.
                """)
        @OptionGroup var store: StoreOptions
        @OptionGroup var tenant: Tenant
        @Argument(help: "A server such as https://host:8080, or a file.") var source: String
        /// The owner on the server; a key that reaches one owner only needs no name.
        @Option(help: "The vault there; that of the key if left out.") var vault: String?
        /// The owner that memories are imported into.
        @Option(help: "The vault here.") var user: String
        /// The API key that is sent to the server, kept in `subscriptions.json` for later pulls.
        @Option(help: "A key of the server, with the permission 'read'.") var key: String?
        /// The public key of a file's signer; packages of others are refused at each pull.
        @Option(
            help: ArgumentHelp("Take only what this key has signed; for files.", valueName: "key"))
        var trust: String?

        /// Pulls once, and adds the subscription to the list only if that was successful.
        func run() async throws {
            let owner = try tenant.owner(user)
            _ = try trust.map(VaultCommand.key)
            // A list that cannot be read is told before anything is fetched.
            _ = try Subscription.all()
            // Servers are known by their URL and key, files by their signature.
            let isServer = source.hasPrefix("http://") || source.hasPrefix("https://")
            guard isServer || FileManager.default.fileExists(atPath: source) else {
                throw InputError("\(source) is neither a server's URL nor a file.")
            }
            if isServer, trust != nil {
                throw InputError(
                    "A server's packages are not signed; it is known by its URL and key.")
            }
            var subscription = Subscription(
                owner: owner, source: isServer ? source : URL(fileURLWithPath: source).path,
                vault: vault, key: key,
                trust: trust, position: 0)
            try await Pull.pull(&subscription, store)
            let made = subscription
            try Subscription.change { subscriptions in
                subscriptions.removeAll { $0.owner == owner }
                subscriptions.append(made)
            }
        }
    }
}
