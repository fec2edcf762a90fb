import ArgumentParser
import MnemeKV

extension KVCommand {
    /// `mneme kv remotes`: the servers that keys and values were shared through, which `mneme erase`
    /// reaches.
    ///
    /// It prints a line for each: the URL without its password, how many blocks it has, and what they
    /// take of their limit if there is one; or why it does not say. Exit code 2 for `--forget` of one that is not there.
    struct Remotes: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remotes",
            abstract: "List the Redis servers that KV blocks were sent to: `mneme erase` erases there, too.")
        /// The URL of a server that is no more; what lies there is not erased.
        @Option(
            help: ArgumentHelp(
                "Take a server off the list, because it is no more: nothing is erased there from now on.",
                valueName: "url"))
        var forget: String?

        /// Lists them, or takes one off the list.
        func run() async throws {
            if let forget {
                try Home.forgetRemote(forget)
                return print("Erasing does not ask that server any more.")
            }
            let current = try Settings.current.text(.kvRemote).map { (try RedisAddress($0).publicURL, $0) }
            let known = try Home.knownRemotes()
            for name in (known + (current.map { [$0.0] } ?? [])).uniqued() {
                let url = current.flatMap { $0.0 == name ? $0.1 : nil } ?? name
                do {
                    let tier = try RedisTier(url: url, key: Home.encryptionKey())
                    let size = try tier.size().map {
                        ", \($0.bytes >> 20) of \($0.limit >> 20) MiB"
                    }
                    print("\(name)  \(try tier.blocks()) blocks\(size ?? "")")
                } catch let error as KVError { print("\(name)  \(error.message)") }
            }
        }
    }
}

extension [String] {
    /// Each once, where it stands first.
    fileprivate func uniqued() -> [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}
