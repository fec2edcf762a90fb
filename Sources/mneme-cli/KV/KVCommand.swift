import ArgumentParser
import MnemeKV

/// `mneme kv`: looks after the KV cache on disk. It is a cache: all of it can be computed again.
/// Texts that are kept for good are memories (`keep`), or pinned.
///
/// Blocks are files of one format for all models; each names the model that computed it. The five
/// last commands measure and change nothing of the cache.
struct KVCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kv",
        abstract:
            "Look after the KV cache on disk: what is kept, how big, when last used.",
        discussion: """
            KV blocks lie in $MNEME_HOME/kv, one file a block of 32 tokens, and are found by the prefix of a prompt. They are a cache: \
            all of it may be deleted at any time.
            """,
        subcommands: [
            List.self, Show.self, Warm.self, Keep.self, Pin.self, Unpin.self, Export.self,
            Import.self, Erase.self,
            Verify.self, Remotes.self, AllocBench.self, Heads.self, Eval.self, Stream.self,
            ReuseEval.self,
        ], defaultSubcommand: List.self)

    /// The cache on disk, without a bound: bounds are of those that write it.
    static func folder() throws -> KVFolder { try Home.kvFolder() }
}
