import Foundation
import MnemeRecipes

/// What recipes find and cost, as lines of text: a row each, and beside flat memory where that was measured, too.
public struct RecipeTable: Sendable {
    /// The rows, in the order in which they are shown.
    public var rows: [RecipeEvaluation.Row]

    /// A table of rows.
    public init(_ rows: [RecipeEvaluation.Row]) { self.rows = rows }

    /// The row of flat memory, `StructureGrid.flat` of MnemeRecipes; nil if it was not measured.
    private var flat: RecipeEvaluation.Row? { rows.first { $0.recipe == StructureGrid.flat } }

    /// A heading, and a line for each row. With flat memory among them each line says how many times its milliseconds
    /// building (a write and its share of the maintenance) and recalling (the median) take.
    public var lines: [String] {
        let width = max(18, (rows.map(\.recipe.count).max() ?? 0) + 1)
        let heading =
            Self.padded("recipe", width)
            + " any@1  any@5 any@10 all@10 time@10 tokens calls  ms/write maintain ms/recall    MiB memories compared"
            + (flat == nil ? "" : "  build×  recall×")
        return [heading] + rows.map { line(of: $0, width) }
    }

    private func line(of row: RecipeEvaluation.Row, _ width: Int) -> String {
        let found = [row.any1, row.any5, row.any10, row.all10].map { String(format: "%6.3f", $0) }
        var line = Self.padded(row.recipe, width) + found.joined(separator: " ")
        line += String(
            format: " %7.3f %6.0f %5d %9.2f %8.2f %9.2f %6.1f %8d %8.0f", row.temporal10, row.tokens, row.modelCalls,
            row.writeMilliseconds, row.maintainMilliseconds, row.recallMilliseconds, Double(row.bytes) / 1_048_576,
            row.memories, row.compared)
        guard let flat else { return line }
        return line
            + String(
                format: " %7.2f %8.2f", row.buildMilliseconds / max(flat.buildMilliseconds, 1e-6),
                row.recallMilliseconds / max(flat.recallMilliseconds, 1e-6))
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }
}
