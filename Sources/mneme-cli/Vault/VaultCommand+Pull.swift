import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeHub

extension VaultCommand {
    /// `mneme vault pull`: imports what changed in the vaults that are followed; for cron. Vaults
    /// that were pulled before one that fails stay pulled. Exit code 1 if a server cannot be
    /// reached.
    ///
    /// It prints a report for each vault. Exit code 2 if nothing is followed, or a package is not
    /// signed by the trusted key. Sealed files take the passphrase from `MNEME_PASSPHRASE`.
    struct Pull: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pull",
            abstract: "Get what changed in the vaults that are followed.")
        @OptionGroup var store: StoreOptions
        @OptionGroup var tenant: Tenant
        /// One followed vault; all of them if nil.
        @Option(help: "Only for this vault.") var user: String?

        func run() async throws {
            let wanted = try user.map(tenant.owner)
            let all = try Subscription.all()
            let chosen = all.filter { wanted == nil || $0.owner == wanted }
            guard !chosen.isEmpty else {
                throw InputError(
                    "Nothing is followed\(user.map { " for '\($0)'" } ?? ""). `mneme vault subscribe` begins."
                )
            }
            // One after the other: what was reached stays, whatever becomes of the next.
            for before in chosen {
                var after = before
                try await Self.pull(&after, store)
                let reached = after
                try Subscription.change { subscriptions in
                    // If another process pulled or subscribed meanwhile, what it wrote stands.
                    guard let i = subscriptions.firstIndex(of: before) else { return }
                    subscriptions[i] = reached
                }
            }
        }

        /// Imports what changed since the subscription's position, and moves that. Files are read
        /// whole, as what is here already is not doubled.
        ///
        /// - Parameter subscription: its position moves only after the whole package was imported.
        /// - Throws: `InputError` for a source that is no URL or a package that is refused, and
        ///   errors of the network and the store.
        static func pull(_ subscription: inout Subscription, _ store: StoreOptions) async throws {
            var file = subscription.source
            let isServer = file.hasPrefix("http")
            if isServer {
                // What changed since the position, from the server's own endpoint for packages.
                guard var parts = URLComponents(string: subscription.source) else {
                    throw InputError("\(subscription.source) is no URL.")
                }
                parts.path += (parts.path.hasSuffix("/") ? "" : "/") + "v1/package"
                var items = [URLQueryItem(name: "since", value: String(subscription.position))]
                if let mark = subscription.mark { items.append(URLQueryItem(name: "mark", value: mark)) }
                if let vault = subscription.vault { items.append(URLQueryItem(name: "user", value: vault)) }
                parts.queryItems = items
                guard let url = parts.url else {
                    throw InputError("\(subscription.source) is no URL.")
                }
                try Privacy.makeFolder(Home.folder)
                file = Home.folder + "/pull-\(UUID().uuidString).package"
                // Nobody else reads it meanwhile.
                try AtomicFile.write(Data(), to: file, durability: .cache)
                do {
                    try await Downloader(token: subscription.key).file(url, into: file) { _, _ in }
                } catch {
                    unlink(file)
                    throw error
                }
            }
            defer { if isServer { unlink(file) } }
            let (path, owner, trusted) = (
                file, subscription.owner, try subscription.trust.map(VaultCommand.key)
            )
            let report = try await VaultCommand.taking(store) { memory, progress in
                try await memory.importPackage(
                    package: path, into: owner, trusted: trusted,
                    passphrase: Passphrase.ofEnvironment,
                    by: VaultCommand.caller("pull"), progress: progress)
            }
            if isServer { (subscription.position, subscription.mark) = (report.position, report.mark) }
            print(VaultCommand.text(report, subscription.owner))
        }
    }
}
