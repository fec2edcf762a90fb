/// A string's rule: an automaton over its UTF-8, and how many scalars it has.
///
/// The automaton reads what the string stands for: escapes are resolved before.
struct TextRule: Sendable {
    private let automaton: ByteAutomaton
    /// The fewest and the most scalars.
    private let least: Int, most: Int?
    /// Bytes at most that a text needs to its end, for each count of scalars and each state, and
    /// ``never`` if it cannot be finished; nil if the automaton takes every text, or counts do not
    /// matter.
    private let table: [UInt16]?
    /// The same without counts, for each state.
    private let distances: [Int32]

    /// True if every character fits, as far as their number does.
    private let takesAll: Bool

    /// Entry of ``table`` for what cannot be finished; larger distances are one less.
    private static let never = UInt16.max
    /// Entries that ``table`` may have.
    private static let maximumTable = 4_000_000

    /// Every text.
    static let all: ByteAutomaton = {
        var budget = AutomatonBudget(100_000)
        do { return try ByteAutomaton(pattern: "", budget: &budget) } catch {
            preconditionFailure("The empty pattern has an automaton: \(error)")
        }
    }()

    private static let allDistances = all.distances(weight)

    /// Bytes at most that a byte takes within quotes.
    private static func weight(_ byte: UInt8) -> Int {
        byte < 32 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") ? 6 : 1
    }

    /// A string of any content.
    init(least: Int = 0, most: Int? = nil) {
        automaton = Self.all
        (self.least, self.most) = (least, most)
        table = nil
        distances = Self.allDistances
        takesAll = true
    }

    /// A string that an automaton takes.
    ///
    /// - Throws: ``AutomatonTooLarge``.
    init(
        _ automaton: ByteAutomaton, least: Int, most: Int?
    ) throws(AutomatonTooLarge) {
        self.automaton = automaton
        (self.least, self.most) = (least, most)
        distances = automaton.distances(Self.weight)
        takesAll = false
        table =
            least == 0 && most == nil
            ? nil : try Self.table(automaton, distances, least: least, most: most)
    }

    /// True if no text fits.
    var isEmpty: Bool {
        automaton.isEmpty || most.map { $0 < least } ?? false
            || !isPossible(ByteAutomaton.start, count: 0)
    }

    /// Looks from the longest texts back, so that each entry is looked at a few times.
    private static func table(
        _ automaton: ByteAutomaton, _ distances: [Int32], least: Int, most: Int?
    ) throws(AutomatonTooLarge) -> [UInt16] {
        let last = most ?? least
        let width = automaton.count
        guard last < maximumTable, (last + 1) * width <= maximumTable else {
            throw AutomatonTooLarge()
        }
        // A scalar's first byte counts; those that continue it are of the same count.
        let states = 0..<Int32(width)
        let escaped = automaton.targets(in: states, 0...0x7f)
        let leads = [0x20...0x21, 0x23...0x5b, 0x5d...0x7f, 0xc0...0xff].map {
            automaton.targets(in: states, $0)
        }
        let continues = automaton.targets(in: states, 0x80...0xbf)
        let within = (0..<width).filter { !continues[$0].isEmpty }
        var table = [UInt16](repeating: never, count: (last + 1) * width)
        /// One entry by way of others in a row.
        func shorten(_ entry: Int, _ row: Int, _ targets: [Int32], by weight: UInt16) {
            for target in targets where table[row + Int(target)] != never {
                let distance = min(never - weight - 1, table[row + Int(target)]) + weight
                table[entry] = min(table[entry], distance)
            }
        }
        for count in stride(from: last, through: 0, by: -1) {
            let row = count * width
            let next = count < last ? row + width : row
            for state in 0..<width {
                // Without a most, what fits behind the least is known by the automaton alone.
                if count == last, most == nil {
                    table[row + state] = UInt16(clamping: min(Int(distances[state]), Int(never) - 1))
                } else if count >= least, automaton.accepts(Int32(state)) {
                    table[row + state] = 0
                } else if count < last {
                    for targets in leads { shorten(row + state, next, targets[state], by: 1) }
                    shorten(row + state, next, escaped[state], by: 6)
                }
            }
            // A scalar has three such bytes at most.
            for _ in 0..<3 {
                for state in within where table[row + state] > 0 {
                    shorten(row + state, row, continues[state], by: 1)
                }
            }
        }
        return table
    }

    /// True if the text can be finished in a state, after so many scalars.
    private func isPossible(_ state: Int32, count: Int) -> Bool {
        guard state >= 0, count <= most ?? .max else { return false }
        guard let table else { return true }
        return table[count * automaton.count + Int(state)] != Self.never
    }

    /// Bytes at most from a state to the end of a text of so many scalars.
    private func distance(_ state: Int32, count: Int) -> Int {
        if let table { return Int(table[count * automaton.count + Int(state)]) }
        return Int(distances[Int(state)]) + max(0, least - count)
    }

    /// Counts beyond these do not differ.
    private func counted(_ count: Int) -> Int { most == nil ? min(count, least) : count }

    /// True if every scalar of a whole text fits.
    func accepts(_ text: String) -> Bool {
        let count = text.unicodeScalars.count
        return count >= least && count <= most ?? .max && automaton.accepts(text.utf8)
    }
}

// MARK: - Inside of quotes

extension TextRule {
    /// The state of reading a string between its quotes.
    struct Progress: Sendable, Hashable {
        /// Within what an escape spells.
        enum Escape: Sendable, Hashable {
            /// Outside of escapes.
            case none
            /// Behind a backslash.
            case begun
            /// Within `\u`: digits that are missing, and those that are there.
            case digits(left: UInt8, value: UInt16)
            /// Behind the first half of a pair: a backslash must follow, then a `u`, then digits.
            case half(first: UInt16)
            /// Behind the backslash of the pair's second half.
            case halfBegun(first: UInt16)
            /// Within the second half: digits that are missing, and the value of those that are
            /// there.
            case halfDigits(first: UInt16, left: UInt8, value: UInt16)
        }

        /// The automaton's state behind the scalars read.
        fileprivate var state = ByteAutomaton.start
        /// Scalars read, as far as their number matters (``counted(_:)``).
        fileprivate var count: Int32 = 0
        /// The escape that is being read.
        fileprivate var escape = Escape.none
    }

    /// True if the closing quote may come.
    func mayEnd(_ progress: Progress) -> Bool {
        progress.escape == .none && Int(progress.count) >= least && automaton.accepts(progress.state)
    }

    /// The most characters that may come, of any kind; nil where some may not, or within one.
    func room(_ progress: Progress) -> Int? {
        guard takesAll, progress.escape == .none, automaton.accepts(progress.state) else { return nil }
        return most.map { $0 - Int(progress.count) } ?? .max
    }

    /// True if an arbitrary character may come.
    func isOpen(_ progress: Progress) -> Bool { progress.escape == .none }

    /// The place behind a byte that is no closing quote; nil if the byte does not fit.
    func step(_ progress: Progress, _ byte: UInt8) -> Progress? {
        var next = progress
        switch progress.escape {
        case .none:
            guard byte >= 32, byte != UInt8(ascii: "\"") else { return nil }
            guard byte == UInt8(ascii: "\\") else { return plain(progress, byte) }
            next.escape = .begun
            return canTake(0...0x10ffff, at: progress) ? next : nil
        case .begun:
            if byte == UInt8(ascii: "u") {
                next.escape = .digits(left: 4, value: 0)
                return next
            }
            return Self.short(byte).flatMap { take($0, at: progress) }
        case .digits(let left, let value):
            guard let value = Self.adding(byte, to: value) else { return nil }
            let rest = UInt32(left - 1) * 4
            let low = UInt32(value) << rest
            guard canTakeUnit(low...(low | (1 << rest - 1)), at: progress) else { return nil }
            if left > 1 {
                next.escape = .digits(left: left - 1, value: value)
                return next
            }
            guard (0xd800..<0xdc00).contains(value) else { return take(UInt32(value), at: progress) }
            next.escape = .half(first: value)
            return next
        case .half(let first):
            next.escape = .halfBegun(first: first)
            return byte == UInt8(ascii: "\\") ? next : nil
        case .halfBegun(let first):
            next.escape = .halfDigits(first: first, left: 4, value: 0)
            return byte == UInt8(ascii: "u") ? next : nil
        case .halfDigits(let first, let left, let value):
            guard let value = Self.adding(byte, to: value) else { return nil }
            let rest = UInt32(left - 1) * 4
            let low = UInt32(value) << rest
            let second = low...(low | (1 << rest - 1))
            guard second.overlaps(0xdc00...0xdfff) else { return nil }
            let base = 0x10000 + (UInt32(first) - 0xd800) << 10
            let scalars = second.clamped(to: 0xdc00...0xdfff)
            let range =
                (base + scalars.lowerBound - 0xdc00)...(base + scalars.upperBound - 0xdc00)
            if left == 1 { return take(range.lowerBound, at: progress) }
            next.escape = .halfDigits(first: first, left: left - 1, value: value)
            return canTake(range, at: progress) ? next : nil
        }
    }

    /// Bytes at most of the shortest way from a place to the closing quote.
    func bytesToEnd(_ progress: Progress) -> Int {
        progress.escape == .none
            ? distance(progress.state, count: Int(progress.count)) : shortestEnd(progress).count
    }

    /// The shortest text from a place to the closing quote, as it stands in JSON.
    func shortestEnd(_ progress: Progress) -> [UInt8] {
        var text: [UInt8] = []
        var progress = progress
        while progress.escape != .none,
            let byte = Self.ofEscapes.first(where: { step(progress, $0) != nil }),
            let next = step(progress, byte)
        {
            text.append(byte)
            progress = next
        }
        while case let left = distance(progress.state, count: Int(progress.count)), left > 0 {
            let found = ByteAutomaton.preferred.lazy.compactMap { byte in
                plain(progress, byte).map { (byte, $0) }
            }.first { byte, next in
                distance(next.state, count: Int(next.count)) + Self.weight(byte) <= left
            }
            // Distances beyond the table's numbers lead nowhere.
            guard let (byte, next) = found else { break }
            text += Self.escaped(byte)
            progress = next
        }
        return text
    }

    /// The bytes that escapes are made of, those for people first.
    private static let ofEscapes = Array("n\"\\/tbfru0123456789abcdef".utf8)

    /// A byte of a text as it stands in a JSON string.
    static func escaped(_ byte: UInt8) -> [UInt8] {
        switch byte {
        case 34: Array("\\\"".utf8)
        case 92: Array("\\\\".utf8)
        case 10: Array("\\n".utf8)
        case 13: Array("\\r".utf8)
        case 9: Array("\\t".utf8)
        case ..<32:
            Array("\\u00".utf8) + [48 + byte >> 4, Array("0123456789abcdef".utf8)[Int(byte & 15)]]
        default: [byte]
        }
    }

    /// The place behind a byte that stands for itself. Only the first byte of a scalar counts.
    private func plain(_ progress: Progress, _ byte: UInt8) -> Progress? {
        let isLead = byte & 0xc0 != 0x80
        let count = isLead ? counted(Int(progress.count) + 1) : Int(progress.count)
        let state = automaton.step(progress.state, byte)
        guard isPossible(state, count: count) else { return nil }
        return Progress(state: state, count: Int32(count), escape: .none)
    }

    /// The place behind a scalar that was spelled by an escape.
    private func take(_ scalar: UInt32, at progress: Progress) -> Progress? {
        let bytes = ScalarSet.bytes(scalar)
        guard !bytes.isEmpty else { return nil }
        var next: Progress? = Progress(state: progress.state, count: progress.count, escape: .none)
        for byte in bytes { next = next.flatMap { plain($0, byte) } }
        return next
    }

    /// True if some UTF-16 unit of a range can begin what comes next.
    private func canTakeUnit(_ units: ClosedRange<UInt32>, at progress: Progress) -> Bool {
        if canTake(units, at: progress) { return true }
        guard units.overlaps(0xd800...0xdbff) else { return false }
        let firsts = units.clamped(to: 0xd800...0xdbff)
        let low = 0x10000 + (firsts.lowerBound - 0xd800) << 10
        let high = 0x103ff + (firsts.upperBound - 0xd800) << 10
        return canTake(low...high, at: progress)
    }

    /// True if some scalar of a range can come next.
    private func canTake(_ range: ClosedRange<UInt32>, at progress: Progress) -> Bool {
        let count = counted(Int(progress.count) + 1)
        return ScalarSet([range]).byteSequences.contains { sequence in
            var states: Set<Int32> = [progress.state]
            for bytes in sequence {
                states = states.reduce(into: []) { $0.formUnion(automaton.targets($1, bytes)) }
            }
            return states.contains { isPossible($0, count: count) }
        }
    }

    /// The scalar of an escape of one letter.
    private static func short(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): UInt32(byte)
        case UInt8(ascii: "b"): 8
        case UInt8(ascii: "f"): 12
        case UInt8(ascii: "n"): 10
        case UInt8(ascii: "r"): 13
        case UInt8(ascii: "t"): 9
        default: nil
        }
    }

    /// A hexadecimal digit behind those read; nil for another byte.
    private static func adding(_ byte: UInt8, to value: UInt16) -> UInt16? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { value << 4 | UInt16($0) }
    }
}
