/// A small square picture of colours, and the moves that puzzles are made of.
struct ToyGrid: Hashable, Sendable {
    /// Colours 0..<5, row by row.
    var rows: [[Int]]

    /// Rows and columns.
    static let size = 4
    /// Colours that there are.
    static let colours = 5

    /// One step of a program.
    enum Move: String, CaseIterable, Sendable {
        case mirror, flip, turn, slide, sink, swap, fade, tint
    }

    /// A picture by chance.
    init(using generator: inout some RandomNumberGenerator) {
        rows = (0..<Self.size).map { _ in
            (0..<Self.size).map { _ in Int.random(in: 0..<Self.colours, using: &generator) }
        }
    }

    /// The picture after a program.
    func applying(_ program: [Move]) -> ToyGrid { program.reduce(self) { $0.applying($1) } }

    /// The picture after one move: `mirror` and `flip` turn columns and rows around, `turn` goes a quarter to the right,
    /// `slide` and `sink` push by one, and the last three change colours alone.
    func applying(_ move: Move) -> ToyGrid {
        var next = self
        switch move {
        case .mirror: next.rows = rows.map { $0.reversed() }
        case .flip: next.rows = rows.reversed()
        case .turn:
            next.rows = (0..<Self.size).map { row in (0..<Self.size).map { rows[Self.size - 1 - $0][row] } }
        case .slide: next.rows = rows.map { [$0.last!] + $0.dropLast() }
        case .sink: next.rows = [rows.last!] + rows.dropLast()
        case .swap: next.rows = rows.map { $0.map { [0, 2, 1, 3, 4][$0] } }
        case .fade: next.rows = rows.map { $0.map { $0 == 3 ? 0 : $0 } }
        case .tint: next.rows = rows.map { $0.map { ($0 + 1) % Self.colours } }
        }
        return next
    }
}
