/// A metric with all its samples, and its Prometheus text (exposition format 0.0.4).
struct MetricFamily: Sendable {
    /// How the values of a family may change.
    enum Kind: String, Sendable {
        /// Only rises, until the process ends.
        case counter
        /// Goes up and down.
        case gauge
        /// Counts by upper bounds, with the sum of all that was seen.
        case histogram
    }
    /// A value with its labels; a histogram's samples have a suffix, too.
    struct Sample: Sendable {
        var suffix = ""
        var labels: [(name: String, value: String)] = []
        var value: Double
    }
    var name: String
    var kind: Kind
    /// The measured quantity, and its unit.
    var help: String
    var samples: [Sample]

    init(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
        (self.name, self.kind, self.help, self.samples) = (name, kind, help, samples)
    }

    /// A family of one value without labels.
    init(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
        self.init(name, kind, help, [Sample(value: value)])
    }

    /// Lines of text, the last of them ended.
    var text: String {
        var text = "# HELP \(name) \(Self.escaped(help))\n# TYPE \(name) \(kind.rawValue)\n"
        for sample in samples {
            text += name + sample.suffix
            if !sample.labels.isEmpty {
                let pairs = sample.labels.map {
                    "\($0.name)=\"\(Self.escaped($0.value, quotes: true))\""
                }
                text += "{\(pairs.joined(separator: ","))}"
            }
            text += " \(Self.number(sample.value))\n"
        }
        return text
    }

    /// A value as Prometheus reads it: whole numbers without a fraction.
    static func number(_ value: Double) -> String {
        if value == .infinity { return "+Inf" }
        return Int64(exactly: value).map(String.init) ?? "\(value)"
    }

    /// Text with backslashes before what would end it.
    private static func escaped(_ text: String, quotes: Bool = false) -> String {
        let text = text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        return quotes ? text.replacing("\"", with: "\\\"") : text
    }
}
