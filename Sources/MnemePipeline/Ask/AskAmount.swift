/// A number with a unit in a text: 8 km, 45 euros, an hour.
package struct AskAmount: Equatable, Sendable {
    /// What units can be added to each other.
    package enum Kind: Hashable, Sendable {
        /// In metres.
        case distance
        /// In minutes.
        case duration
        /// In a currency's own unit; currencies are not added to each other.
        case money(String)

        /// True if both are distances, durations, or money of any currency.
        func isLike(_ other: Kind) -> Bool {
            if case .money = self, case .money = other { return true }
            return self == other
        }
    }

    /// The kind.
    package var kind: Kind
    /// The value in the kind's own unit.
    package var value: Double
    /// The unit in which it was told: its name, and how many of the kind's own unit it has.
    package var unit: AskUnit

    /// Amounts of words, and the places of the words that write them.
    static func find(in words: [AskWord]) -> [(amount: AskAmount, place: Range<Int>)] {
        var found: [(AskAmount, Range<Int>)] = []
        var i = 0
        while i < words.count {
            // "€ 120"
            if let unit = AskUnit.named[words[i].lower], unit.isSign, i + 1 < words.count,
                let number = words[i + 1].number
            {
                found.append((AskAmount(kind: unit.kind, value: number, unit: unit), i..<i + 2))
                i += 2
                continue
            }
            var number = words[i].number
            var next = i + 1
            if number == nil, next < words.count, ["a", "an"].contains(words[i].lower),
                AskUnit.named[words[next].lower]?.kind == .duration
            {
                number = 1
            } else if number == nil, words[i].lower == "half", next < words.count,
                ["a", "an"].contains(words[next].lower)
            {
                number = 0.5
                next += 1
            }
            if let number, next < words.count, words[next - 1].mark.isEmpty || next == i + 1,
                let unit = AskUnit.named[words[next].lower]
            {
                found.append((AskAmount(kind: unit.kind, value: number * unit.size, unit: unit), i..<next + 1))
                i = next + 1
            } else {
                i += 1
            }
        }
        return found
    }
}

/// A unit of distance, duration or money.
package struct AskUnit: Equatable, Sendable {
    /// As an answer writes it.
    package var name: String
    /// What it measures.
    package var kind: AskAmount.Kind
    /// How many of the kind's own unit it is.
    package var size: Double
    /// True for signs that stand before the number.
    var isSign = false

    /// A value of the kind's own unit, as an answer writes it: three places after the point at most.
    package func text(_ value: Double) -> String { AskUnit.number(value / size) + " " + name }

    /// A number as an answer writes it.
    package static func number(_ value: Double) -> String {
        let rounded = (value * 1000).rounded() / 1000
        return Int(exactly: rounded).map(String.init) ?? String(rounded)
    }

    /// Units by all their names, in lower case.
    static let named: [String: AskUnit] = {
        var units: [String: AskUnit] = [:]
        func add(_ kind: AskAmount.Kind, _ size: Double, _ name: String, _ others: String...) {
            for word in [name] + others {
                units[word] = AskUnit(name: name, kind: kind, size: size, isSign: "€$£".contains(word))
            }
        }
        add(.distance, 1000, "km", "kms", "kilometre", "kilometres", "kilometer", "kilometers", "k")
        add(.distance, 1, "m", "metre", "metres", "meter", "meters")
        add(.distance, 1609.344, "miles", "mile", "mi")
        add(.duration, 1, "minutes", "minute", "min", "mins")
        add(.duration, 60, "hours", "hour", "h", "hrs", "hr")
        add(.money("euros"), 1, "euros", "euro", "eur", "€")
        add(.money("dollars"), 1, "dollars", "dollar", "usd", "$", "bucks")
        add(.money("pounds"), 1, "pounds", "pound", "gbp", "£", "quid")
        return units
    }()
}
