/// Texts of which one follows, told byte by byte. A blank or line break in a text stands for
/// either of both or nothing, and ``anyID`` for letters and digits.
struct LiteralChoice: Sendable, Hashable {
    private let options: [[UInt8]]
    /// The number of bytes of each option that were read; nil if another byte came.
    private var places: [Int?]

    /// Stands in a text for any id: one letter or digit and more of them, as models number calls.
    static let anyID = "\u{1}\u{2}"
    private static let first = UInt8(1), more = UInt8(2)

    /// A text with an id where any may stand.
    static func written(_ text: String) -> String { text.replacing(anyID, with: "0") }

    /// - Parameter options: nil for one that cannot come here.
    init(_ options: [String?]) {
        self.options = options.map { Array(($0 ?? "").utf8) }
        places = options.map { $0 == nil ? nil : 0 }
    }

    static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || byte == 10 }

    private static func isOfID(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }

    /// True if an option is read to its end.
    func isComplete(_ option: Int) -> Bool {
        places.indices.contains(option) && places[option] == options[option].count
    }

    /// The option that is read to its end; nil if none is.
    var completed: Int? { options.indices.first(where: isComplete) }

    /// The rest of the option that is nearest to its end; nil if none can come any more.
    var shortestRest: [UInt8]? {
        options.indices.compactMap { rest($0) }.min { $0.count < $1.count }
    }

    /// The rest of an option; nil if it cannot come any more.
    func rest(_ option: Int) -> [UInt8]? {
        // By bytes: a character may be cut.
        places[option].map { place in
            options[option][place...].compactMap { byte in
                byte == Self.more ? nil : byte == Self.first ? UInt8(ascii: "0") : byte
            }
        }
    }

    /// True if nothing was read yet.
    var isAtStart: Bool { places.allSatisfy { $0 == nil || $0 == 0 } }

    /// Takes a byte; false if no option has it here.
    mutating func advance(_ byte: UInt8) -> Bool {
        var fits = false
        for i in options.indices {
            guard let place = places[i] else { continue }
            places[i] = Self.next(options[i], place, byte)
            fits = fits || places[i] != nil
        }
        return fits
    }

    private static func next(_ option: [UInt8], _ place: Int, _ byte: UInt8) -> Int? {
        guard place < option.count else { return nil }
        if isBlank(option[place]) {
            return isBlank(byte) ? place + 1 : next(option, place + 1, byte)
        }
        switch option[place] {
        case first: return isOfID(byte) ? place + 1 : nil
        case more: return isOfID(byte) ? place : next(option, place + 1, byte)
        default: return option[place] == byte ? place + 1 : nil
        }
    }

    /// Compares a text with an option: 1 if it is all of it, 0 if it is its beginning, nil if it is
    /// neither.
    static func compare(_ text: some Sequence<UInt8>, _ option: String) -> Int? {
        var choice = LiteralChoice([option])
        for byte in text where !choice.advance(byte) { return nil }
        return choice.isComplete(0) ? 1 : 0
    }

    /// True if a text holds an option somewhere.
    static func holds(_ text: [UInt8], _ option: String) -> Bool {
        text.indices.contains { start in
            var choice = LiteralChoice([option])
            for byte in text[start...] {
                guard choice.advance(byte) else { return false }
                if choice.isComplete(0) { return true }
            }
            return false
        }
    }
}
