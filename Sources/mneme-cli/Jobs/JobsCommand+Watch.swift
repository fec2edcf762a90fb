import ArgumentParser
import Foundation
import MnemeEngine
import MnemeStore

extension JobsCommand {
    /// `mneme jobs watch`: a line whenever a job changes, looked at once a second, from whichever
    /// process does them.
    ///
    /// Of each look the latest 200 jobs are compared, so that a burst of more may be missed. It
    /// prints lines for people only; programs ask `mneme jobs list --json`.
    struct Watch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "watch",
            abstract: "Show what becomes of jobs as it happens, until Control-C.")
        @OptionGroup var store: StoreFileOptions

        /// Compares the jobs with those of the last look; it ends by a signal only.
        func run() async throws {
            let store = try store.open()
            // What has been shown; jobs that had ended before are no news.
            var seen: [Int64: Job] = [:]
            var isFirst = true
            while true {
                for job in try store.jobs(
                    in: Set(Job.State.allCases), limit: 200, by: JobsCommand.caller
                ).reversed() {
                    var shown = job
                    // A lease that is renewed is no news.
                    shown.leaseEnd = nil
                    if seen[job.id] != shown, !isFirst || !job.state.isFinal {
                        print(JobsCommand.line(job))
                    }
                    seen[job.id] = shown
                }
                fflush(nil)
                isFirst = false
                try await Task.sleep(for: .seconds(1))
            }
        }
    }
}
