/// The range and steps of a number, from `minimum`, `maximum`, `exclusiveMinimum`,
/// `exclusiveMaximum` and `multipleOf`, and whether it must be whole.
struct NumberRule: Hashable, Sendable {
    /// One side of a range.
    struct Bound: Hashable, Sendable {
        /// The number that ends the range.
        var value: DecimalText
        /// True if the bound itself is outside of the range.
        var isExclusive: Bool
    }

    /// True for the type `integer`: no point and no exponent is written.
    var isWhole = false
    /// The lower end of the range; nil for none.
    var lower: Bound?
    /// The upper end of the range; nil for none.
    var upper: Bound?
    /// Numbers of which it must be a multiple, of every one.
    var steps: [DecimalText] = []

    /// Keeps the tighter of two lower bounds.
    mutating func raise(to bound: Bound) {
        guard let old = lower else { return lower = bound }
        if bound.value > old.value || (bound.value == old.value && bound.isExclusive) {
            lower = bound
        }
    }

    /// Keeps the tighter of two upper bounds.
    mutating func cap(at bound: Bound) {
        guard let old = upper else { return upper = bound }
        if bound.value < old.value || (bound.value == old.value && bound.isExclusive) {
            upper = bound
        }
    }

    /// The texts of the numbers that fit. Bounded ones have no exponent, and no more digits than a
    /// double tells apart: what is written as less than a bound is also read as less.
    ///
    /// - Throws: ``AutomatonTooLarge``, also for a step that no remainder is kept for.
    func automaton(budget: inout AutomatonBudget) throws(AutomatonTooLarge) -> ByteAutomaton {
        budget.beginAnother()
        if lower == nil, upper == nil, steps.isEmpty {
            return try isWhole ? Self.wholeNumbers(&budget) : Self.numbers(&budget)
        }
        let reader = try NumberReader(self)
        return try ByteAutomaton(
            start: NumberReader.State(), classes: Self.classes, budget: &budget,
            accepts: reader.accepts,
            step: { (state, column, _) in reader.step(state, Self.examples[column]) })
    }

    /// A class for each byte that numbers are made of, and one for all others.
    private static let examples = Array("\0-+.e0123456789".utf8)
    /// The column of each byte in the automaton's table; `E` is the same as `e`, class 0 fits
    /// nowhere.
    private static let classes: [UInt8] = (0...255).map { byte in
        let byte = byte == UInt8(ascii: "E") ? UInt8(ascii: "e") : UInt8(byte)
        return UInt8(examples.firstIndex(of: byte) ?? 0)
    }

    /// The state of reading a number without bounds.
    private enum Form: Hashable {
        case start, minus, zero, digits, point, fraction, e, sign, exponent, longExponent
    }

    /// The automaton of integers without bounds: ``form(_:_:)`` without point and exponent.
    private static func wholeNumbers(
        _ budget: inout AutomatonBudget
    ) throws(AutomatonTooLarge) -> ByteAutomaton {
        try ByteAutomaton(
            start: Form.start, classes: classes, budget: &budget,
            accepts: { $0 == .zero || $0 == .digits },
            step: { (state, column, _) in
                let next = form(state, examples[column])
                return next == .point || next == .e ? nil : next
            })
    }

    /// The automaton of numbers without bounds.
    private static func numbers(
        _ budget: inout AutomatonBudget
    ) throws(AutomatonTooLarge) -> ByteAutomaton {
        try ByteAutomaton(
            start: Form.start, classes: classes, budget: &budget,
            accepts: { [.zero, .digits, .fraction, .exponent, .longExponent].contains($0) },
            step: { (state, column, _) in form(state, examples[column]) })
    }

    /// RFC 8259's grammar of numbers.
    private static func form(_ state: Form, _ byte: UInt8) -> Form? {
        let isDigit = (48...57).contains(byte)
        switch state {
        case .start:
            if byte == UInt8(ascii: "-") { return .minus }
            return isDigit ? byte == 48 ? .zero : .digits : nil
        case .minus: return isDigit ? byte == 48 ? .zero : .digits : nil
        case .zero, .digits:
            if isDigit { return state == .digits ? .digits : nil }
            return byte == UInt8(ascii: ".") ? .point : byte == UInt8(ascii: "e") ? .e : nil
        case .point: return isDigit ? .fraction : nil
        case .fraction: return isDigit ? .fraction : byte == UInt8(ascii: "e") ? .e : nil
        case .e:
            if isDigit { return .exponent }
            return byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") ? .sign : nil
        case .sign: return isDigit ? .exponent : nil
        // Two digits: what is larger, doubles may not hold.
        case .exponent: return isDigit ? .longExponent : nil
        case .longExponent: return nil
        }
    }
}

/// Reads a number digit by digit and knows at each how it lies to its bounds, and what remains of
/// it beyond whole steps.
private struct NumberReader {
    /// The order of the digits read and those of a bound at the same positions.
    enum Order: Hashable { case below, same, above }

    /// The reader's state behind some digits. Counts stop where further digits change nothing, so
    /// that the states are finite and become those of a ``ByteAutomaton``.
    struct State: Hashable {
        /// The part of RFC 8259's `number` that was read last; `point` has no digit behind it yet.
        enum Part: Hashable { case start, minus, zero, whole, point, fraction }
        /// Part of the number in which the next byte stands.
        var part = Part.start
        /// True behind a minus; bounds are then compared as distances from zero.
        var isNegative = false
        /// Digits of this part that were read, as far as it matters.
        var digitsRead = 0
        /// Order of the digits read against the side's lower and upper bound.
        var least = Order.same, most = Order.same
        /// Remainder of the digits read, as one integer, divided by ``NumberReader/step``.
        var remainder = 0
    }

    /// The distances from zero that fit one sign.
    private struct Side {
        /// The smallest distance from zero that fits, zero itself where the range crosses it.
        var least: NumberRule.Bound
        /// The largest distance from zero that fits; nil for any.
        var most: NumberRule.Bound?
    }

    /// Distances of numbers without and with a minus; nil where the range has no such numbers.
    private let positive: Side?, negative: Side?
    /// The most digits behind the point; behind `scale` of them only zeros fit.
    private let fractionDigits: Int
    /// The step as an integer in units of 10^-`scale`: the least common multiple of all steps.
    private let step: Int, scale: Int
    /// Digits before the point that are told apart.
    private let wholeDigits: Int

    /// Largest ``step``: each remainder below it is a state of its own.
    private static let maximumStep = 100_000
    /// Decimal digits that a double tells apart around any number.
    private static let doubleDigits = 16
    /// More digits say nothing.
    private static let maximumDigits = 20

    /// Prepares the digits that are compared.
    ///
    /// - Throws: ``AutomatonTooLarge`` for a step of zero, or one above ``maximumStep`` when
    /// written without its point.
    init(_ rule: NumberRule) throws(AutomatonTooLarge) {
        positive = Self.side(from: rule.lower, to: rule.upper)
        func negated(_ bound: NumberRule.Bound?) -> NumberRule.Bound? {
            bound.map { NumberRule.Bound(value: $0.value.negated, isExclusive: $0.isExclusive) }
        }
        negative = Self.side(from: negated(rule.upper), to: negated(rule.lower))
        let scale = rule.steps.map(\.fraction.count).max() ?? 0
        var step = 1
        for text in rule.steps {
            let digits =
                text.whole + text.fraction
                + [UInt8](repeating: 0, count: scale - text.fraction.count)
            var value = 0
            for digit in digits {
                value = value * 10 + Int(digit)
                guard value <= Self.maximumStep else { throw AutomatonTooLarge() }
            }
            guard value > 0 else { throw AutomatonTooLarge() }
            step = step / Self.divisor(step, value) * value
            guard step <= Self.maximumStep else { throw AutomatonTooLarge() }
        }
        (self.step, self.scale) = (step, scale)
        let bounds = [rule.lower, rule.upper].compactMap { $0?.value }
        wholeDigits = (bounds.map(\.whole.count).max() ?? 0) + 1
        let finest = (bounds.map(\.fraction.count).max() ?? 0) + 1
        if rule.isWhole {
            fractionDigits = 0
        } else if !rule.steps.isEmpty {
            fractionDigits = max(scale, 1)
        } else {
            fractionDigits = max(finest, Self.distinctDigits(rule))
        }
    }

    /// The number of digits behind the point that keep a number apart from bounds that it must not
    /// reach: a double rounds further ones away.
    private static func distinctDigits(_ rule: NumberRule) -> Int {
        let exclusive = [rule.lower, rule.upper].compactMap(\.self).filter(\.isExclusive)
        return exclusive.map { bound in
            if bound.value.isZero { return maximumDigits }
            return doubleDigits - (bound.value.whole == [0] ? 0 : bound.value.whole.count)
        }.min() ?? maximumDigits
    }

    /// Greatest common divisor (Euclid's algorithm).
    private static func divisor(_ a: Int, _ b: Int) -> Int { b == 0 ? a : divisor(b, a % b) }

    /// The part of a range that is not negative, nil if there is none.
    private static func side(from lower: NumberRule.Bound?, to upper: NumberRule.Bound?) -> Side? {
        if let upper, upper.value.isNegative { return nil }
        let zero = NumberRule.Bound(value: .zero, isExclusive: false)
        let least = lower.map { $0.value.isNegative ? zero : $0 } ?? zero
        return Side(least: least, most: upper)
    }

    /// The side that the number's sign selects; nil if no number of that sign fits.
    private func side(_ state: State) -> Side? { state.isNegative ? negative : positive }

    /// The state behind a byte; nil if no number that fits begins so.
    ///
    /// Digits before the point are compared without knowing how many will follow: their order
    /// counts only among numbers of equal length, and ``order(_:_:)`` decides at the point or at
    /// the end.
    func step(_ state: State, _ byte: UInt8) -> State? {
        var next = state
        switch (state.part, byte) {
        case (.start, UInt8(ascii: "-")):
            next.part = .minus
            next.isNegative = true
            return negative == nil ? nil : next
        case (.whole, UInt8(ascii: ".")), (.zero, UInt8(ascii: ".")):
            guard fractionDigits > 0, let side = side(state) else { return nil }
            next.part = .point
            next.least = order(state, side.least)
            next.most = side.most.map { order(state, $0) } ?? .below
            next.digitsRead = 0
            return next.least == .below || next.most == .above ? nil : next
        case (.start, 48...57), (.minus, 48...57):
            next.part = byte == 48 ? .zero : .whole
        case (.whole, 48...57): break
        case (.point, 48...57), (.fraction, 48...57): next.part = .fraction
        default: return nil
        }
        guard let side = side(next) else { return nil }
        let digit = byte - 48
        if next.part == .fraction {
            guard state.digitsRead < fractionDigits, step == 1 && scale == 0 || state.digitsRead < scale || digit == 0
            else { return nil }
            next.least =
                state.least == .same
                ? compare(digit, side.least.value.fraction, state.digitsRead) : state.least
            if let most = side.most, state.most == .same {
                next.most = compare(digit, most.value.fraction, state.digitsRead)
            }
            if next.least == .below || next.most == .above { return nil }
        } else if state.digitsRead < wholeDigits {
            if state.least == .same {
                next.least = compare(digit, side.least.value.whole, state.digitsRead)
            }
            if let most = side.most, state.most == .same {
                next.most = compare(digit, most.value.whole, state.digitsRead)
            }
        }
        if next.part != .fraction || state.digitsRead < scale {
            next.remainder = (state.remainder * 10 + Int(digit)) % step
        }
        next.digitsRead = min(state.digitsRead + 1, next.part == .fraction ? fractionDigits : wholeDigits)
        return next
    }

    /// A bound has zeros where its digits end.
    private func compare(_ digit: UInt8, _ digits: [UInt8], _ digitsRead: Int) -> Order {
        let other = digitsRead < digits.count ? digits[digitsRead] : 0
        return digit < other ? .below : digit > other ? .above : .same
    }

    /// Compares the digits before the point with a bound's: the longer number is the larger.
    private func order(_ state: State, _ bound: NumberRule.Bound) -> Order {
        let count = bound.value.whole.count
        if state.digitsRead != count { return state.digitsRead < count ? .below : .above }
        return bound == side(state)?.least ? state.least : state.most
    }

    /// True if the number may end here: both bounds are kept, and no remainder is left.
    func accepts(_ state: State) -> Bool {
        guard let side = side(state) else { return false }
        let isInFraction = state.part == .fraction
        guard isInFraction || state.part == .whole || state.part == .zero else { return false }
        let places = isInFraction ? min(state.digitsRead, scale) : 0
        var remainder = state.remainder
        for _ in places..<max(places, scale) { remainder = remainder * 10 % step }
        guard remainder == 0 else { return false }
        func order(_ bound: NumberRule.Bound, _ known: Order) -> Order {
            let order = isInFraction ? known : self.order(state, bound)
            guard order == .same else { return order }
            let read = isInFraction ? state.digitsRead : 0
            return read < bound.value.fraction.count ? .below : .same
        }
        let least = order(side.least, state.least)
        guard least == .above || least == .same && !side.least.isExclusive else { return false }
        guard let most = side.most else { return true }
        let top = order(most, state.most)
        return top == .below || top == .same && !most.isExclusive
    }
}
