import ArgumentParser
import Foundation
import Mneme
import MnemeBench

/// `mneme bench kernels`: multiply-adds a second of each weight format on each instruction set of
/// this machine: for whoever changes a kernel, or wonders which one a processor should take.
///
/// A column for each number of activation rows: billions of multiply-adds a second, and their share
/// of the peak of that instruction set. With `--attention`, the time of a token's attention over so many rows
/// of f16, int8 and int4 instead. Weights are made up; no model is read, nothing is written.
struct BenchKernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract:
            "Speed of each matrix product, or of attention, on each instruction set of this machine, by one thread.")

    /// Outputs of the layer; the default is an intermediate size of a small model.
    @Option(help: "Columns of the product, a multiple of 16.") var outputs = 1536
    /// Inputs of the layer, over which each product is summed.
    @Option(help: "Length of a row, a multiple of 64.") var inputs = 576
    /// Rows, a column each: 1 is decoding of one sequence, many are prefill.
    @Option(parsing: .upToNextOption, help: "Rows of activations.") var rows = [1, 8, 64, 512]
    @Option(help: "Seconds for each measurement.") var seconds = 0.2
    /// Rows of a head: 90 heads of 64 elements with three queries each, as SmolLM2-135M has them.
    @Option(help: ArgumentHelp("Measure attention over this many rows instead.", valueName: "rows")) var attention: Int?
    @Flag(help: "Print JSON.") var json = false

    /// Bounds of the shapes: what the kernels' blocks divide, and what fits memory. Exit code 2
    /// otherwise.
    func validate() throws {
        guard (16...65_536).contains(outputs), outputs % 16 == 0 else {
            throw ValidationError("--outputs is a multiple of 16, at most 65536.")
        }
        guard (64...65_536).contains(inputs), inputs % 64 == 0 else {
            throw ValidationError("--inputs is a multiple of 64, at most 65536.")
        }
        guard rows.allSatisfy((1...4096).contains) else {
            throw ValidationError("--rows are 1 to 4096.")
        }
        if let attention, !(32...65_536).contains(attention) || attention % 32 != 0 {
            throw ValidationError("--attention is a multiple of 32, at most 65536.")
        }
    }

    /// Measures each format on each instruction set, and prints a line for each pair.
    func run() throws {
        if let attention { return try measureAttention(attention) }
        let progress = ProgressLine()
        let report = KernelBenchmark.run(
            outputs: outputs, inputs: inputs, rows: rows, seconds: seconds
        ) {
            progress.show($0, $1, "measured")
        }
        progress.end()
        if json { return print(try OperationTable.encode(report, pretty: true)) }
        print(
            "rows × \(inputs) × \(outputs), one thread, billions of multiply-adds a second (share of the path's peak)"
        )
        print("format        path    " + rows.map { "\($0) rows".leftPadded(to: 15) }.joined())
        for start in stride(from: 0, to: report.rows.count, by: rows.count) {
            let line = report.rows[start..<start + rows.count]
            let cells = line.map { row in
                let share = row.shareOfPeak.map { String(format: " (%2.0f%%)", $0 * 100) } ?? ""
                return (String(format: "%.1f", row.gigaMultiplyAdds) + share).leftPadded(to: 15)
            }
            let name = line[start].format.padded(to: 14)
            print(
                name + line[start].path.padded(to: 8)
                    + cells.joined())
        }
    }

    private func measureAttention(_ positions: Int) throws {
        let progress = ProgressLine()
        let rows = AttentionBenchmark.run(AttentionBenchmark.Shape(positions: positions)) {
            progress.show($0, $1, "measured")
        }
        progress.end()
        if json { return print(try OperationTable.encode(rows, pretty: true)) }
        print("a token's attention over \(positions) rows of a head, one thread, microseconds")
        print("rows  path        KiB   from memory    from cache   share of f16's time")
        for row in rows {
            let whole = rows.first { $0.path == row.path && $0.rows == "f16" } ?? row
            print(
                row.rows.padded(to: 6) + row.path.padded(to: 8)
                    + String(
                        format: "%7d %13.1f %13.1f   %.2f, %.2f", row.bytes / 1024, row.memory, row.cache,
                        row.memory / whole.memory, row.cache / whole.cache))
        }
    }
}
