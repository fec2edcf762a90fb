import ArgumentParser
import Foundation
import Mneme
import MnemeModels

extension AdaptersCommand {
    /// `mneme adapters list`: a line for each adapter: name, base model, and why it is out of use if
    /// it is. Weights are not read. Exit code 0 also if there are none.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List the adapters in $MNEME_HOME/adapters.")

        @Flag(help: "Print JSON.") var json = false

        /// An adapter whose record could not be read has no base.
        struct Row: Encodable {
            var name: String, base: String?, memories: Int, withdrawn: String?
        }

        func run() async throws {
            let store = Home.adapters
            let rows = try store.names().map { name in
                let record = (try? store.folder(name).record()) ?? nil
                return Row(
                    name: name, base: record?.base, memories: record?.memories.count ?? 0,
                    withdrawn: try record.flatMap(Home.whyOutOfUse))
            }
            if json { return print(try OperationTable.encode(rows, pretty: true)) }
            if rows.isEmpty {
                print(
                    "There are no adapters in \(store.path). `mneme adapters import` brings one.")
            }
            for row in rows {
                let state = row.withdrawn.map { "  out of use: \($0)" } ?? ""
                print(
                    Terminal.line(
                        "\(row.name.padded(to: 24))  \(row.base ?? "an unknown model")\(state)"))
            }
        }
    }
}
