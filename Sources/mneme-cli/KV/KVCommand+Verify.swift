import ArgumentParser
import Foundation
import MnemeKV

extension KVCommand {
    /// `mneme kv verify`: reads every block and compares its checksum. A damaged block is never
    /// used; with `--repair` it is deleted, and computed when it is needed again.
    ///
    /// It reads the whole cache, so it takes as long as the disk needs for it. The number of sound
    /// blocks goes to standard output, each damaged file to standard error. Exit code 1 if one is
    /// damaged and was not deleted.
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract: "Read all blocks and compare their checksums. Ends with 1 if one is damaged.")
        /// Removes the files of damaged blocks; memories are not touched.
        @Flag(help: "Delete damaged blocks; they are computed again when needed.") var repair =
            false

        func run() async throws {
            let line = ProgressLine()
            let result = try KVCommand.folder().verify { line.show($0, $1, "blocks") }
            line.end()
            print("\(result.sound) block\(result.sound == 1 ? " is" : "s are") sound")
            for path in result.damaged {
                if repair { unlink(path) }
                Terminal.error("\(path) is damaged\(repair ? "; deleted" : "")")
            }
            if !result.damaged.isEmpty, !repair { throw ExitCode(1) }
        }
    }
}
