import ArgumentParser
import Foundation
import Mneme

extension ModelsCommand {
    /// `mneme models list`: a line for each file of weights in `$MNEME_HOME/models`: folder, size
    /// in MiB, file.
    ///
    /// Files are not opened, so a damaged one is listed too; `mneme models verify` finds it. Hidden
    /// folders are left out. Exit code 0 also if there are none.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List the models in $MNEME_HOME/models.")

        @Flag(help: "Print JSON.") var json = false

        /// A file of weights; `model` is the folder's name, which other commands take.
        struct Row: Encodable {
            var model, file: String, bytes: Int
        }

        /// Lists two levels: folders of models, and files of weights in each.
        func run() async throws {
            let files = FileManager.default
            /// Names in a folder; none if it is not there, as nothing was fetched then.
            func names(in folder: String) -> [String] {
                ((try? files.contentsOfDirectory(atPath: folder)) ?? []).sorted()
            }
            let rows = names(in: Home.models).filter { !$0.hasPrefix(".") }.flatMap { model in
                names(in: Home.models + "/" + model)
                    .filter { $0.hasSuffix(".gguf") || $0.hasSuffix(".safetensors") }
                    .map { file in
                        let attributes = try? files.attributesOfItem(
                            atPath: "\(Home.models)/\(model)/\(file)")
                        return Row(
                            model: model, file: file, bytes: attributes?[.size] as? Int ?? 0)
                    }
            }
            if json { return print(try OperationTable.encode(rows, pretty: true)) }
            if rows.isEmpty { print("There are no models in \(Home.models). `mneme pull` fetches them.") }
            for row in rows {
                let size = String(format: "%6.0f MiB", Double(row.bytes) / 1_048_576)
                print(Terminal.line("\(row.model.padded(to: 20))  \(size)  \(row.file)"))
            }
        }
    }
}
