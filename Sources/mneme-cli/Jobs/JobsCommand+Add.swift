import ArgumentParser
import MnemeEngine
import MnemeStore

extension JobsCommand {
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask for work. The same again, while it waits or runs, is asked for once.")
        @OptionGroup var store: StoreFileOptions
        @OptionGroup var work: Work

        func run() async throws {
            try JobsCommand.show(
                [try store.open().enqueue(work.job(), by: JobsCommand.caller)], json: false)
        }
    }
}
