import Foundation

/// Curves as an SVG picture: one line a series, named at its end. Axes are linear or logarithmic;
/// ticks stand at round values.
struct LinePlot {
    /// One curve.
    struct Series {
        /// The label at its end.
        var name: String
        /// In the order in which they are joined.
        var points: [(x: Double, y: Double)]
        /// Drawn stronger than the others.
        var isHighlighted = false
    }

    /// Above the picture.
    var title: String
    /// Under and beside the axes.
    var xLabel: String, yLabel: String
    /// The axes that have logarithmic scales. Points that such a scale does not have are left out.
    var isLogarithmic = (x: false, y: true)
    /// The curves; ours are drawn red and stronger.
    var series: [Series]

    /// For curves that are not ours, in turn.
    private static let colours = [
        "#7a7a7a", "#b08030", "#3f7f5f", "#8f5fa0", "#a04040", "#3f6fa0", "#607020", "#a06080",
    ]

    /// The picture, of 760 by 460 units; an empty one if there are no points.
    var svg: String {
        let width = 760.0
        let height = 460.0
        let left = 80.0
        let right = 170.0
        let top = 46.0
        let bottom = 56.0
        let points = series.flatMap(\.points).filter {
            (!isLogarithmic.x || $0.x > 0) && (!isLogarithmic.y || $0.y > 0)
        }
        guard let x0 = points.map(\.x).min(), let x1 = points.map(\.x).max(),
            let y0 = points.map(\.y).min(),
            let y1 = points.map(\.y).max()
        else {
            return "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n"
        }
        /// A value's position between low and high, from 0 to 1.
        func scale(_ value: Double, _ low: Double, _ high: Double, _ log: Bool) -> Double {
            let (v, l, h) = log ? (log10(value), log10(low), log10(high)) : (value, low, high)
            return h > l ? (v - l) / (h - l) : 0.5
        }
        func x(_ value: Double) -> Double {
            left + scale(value, x0, x1, isLogarithmic.x) * (width - left - right)
        }
        func y(_ value: Double) -> Double {
            height - bottom - scale(value, y0, y1, isLogarithmic.y) * (height - top - bottom)
        }
        func text(_ x: Double, _ y: Double, _ text: String, _ more: String = "") -> String {
            let safe = text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
            return "<text x=\"\(number(x))\" y=\"\(number(y))\" \(more)>\(safe)</text>\n"
        }
        func number(_ value: Double) -> String { String(format: "%.1f", value) }
        var out = """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(width)) \(Int(height))" font-family="sans-serif" font-size="12" fill="#333">
            <rect width="100%" height="100%" fill="#fff"/>

            """
        out += text(left, 24, title, "font-size=\"15\" font-weight=\"bold\"")
        out += text((left + width - right) / 2, height - 14, xLabel, "text-anchor=\"middle\"")
        out += text(
            18, (top + height - bottom) / 2, yLabel,
            "text-anchor=\"middle\" transform=\"rotate(-90 18 \(number((top + height - bottom) / 2)))\""
        )
        // The grid and its figures.
        for tick in Self.ticks(x0, x1, isLogarithmic.x) {
            out +=
                "<line x1=\"\(number(x(tick)))\" x2=\"\(number(x(tick)))\" y1=\"\(number(top))\" y2=\"\(number(height - bottom))\" stroke=\"#eee\"/>\n"
            out += text(x(tick), height - bottom + 18, Self.label(tick), "text-anchor=\"middle\"")
        }
        for tick in Self.ticks(y0, y1, isLogarithmic.y) {
            out +=
                "<line x1=\"\(number(left))\" x2=\"\(number(width - right))\" y1=\"\(number(y(tick)))\" y2=\"\(number(y(tick)))\" stroke=\"#eee\"/>\n"
            out += text(left - 8, y(tick) + 4, Self.label(tick), "text-anchor=\"end\"")
        }
        // Names stand at the right, in the order of the lines' ends, without covering each other.
        let ends = series.enumerated().compactMap { i, s in s.points.last.map { (i, y($0.y)) } }
            .sorted { $0.1 < $1.1 }
        var placed: [Int: Double] = [:]
        var last = -Double.infinity
        for (i, end) in ends {
            last = max(end, last + 15)
            placed[i] = last
        }
        var other = 0
        for (i, s) in series.enumerated() where !s.points.isEmpty {
            let colour = s.isHighlighted ? "#d03020" : Self.colours[other % Self.colours.count]
            if !s.isHighlighted { other += 1 }
            let path = s.points.map { "\(number(x($0.x))),\(number(y($0.y)))" }.joined(
                separator: " ")
            out +=
                "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"\(s.isHighlighted ? 3 : 1.6)\"/>\n"
            for p in s.points {
                out +=
                    "<circle cx=\"\(number(x(p.x)))\" cy=\"\(number(y(p.y)))\" r=\"\(s.isHighlighted ? 3.5 : 2.5)\" fill=\"\(colour)\"/>\n"
            }
            out += text(
                width - right + 12, (placed[i] ?? 0) + 4, s.name,
                "fill=\"\(colour)\"\(s.isHighlighted ? " font-weight=\"bold\"" : "")")
        }
        return out + "</svg>\n"
    }

    /// Round values within the range: 1, 2 and 5 of each decade, or steps of them.
    static func ticks(_ low: Double, _ high: Double, _ isLogarithmic: Bool) -> [Double] {
        guard high > low else { return [low] }
        if isLogarithmic, high / low >= 4 {
            let decades = Int(log10(low).rounded(.down))...Int(log10(high).rounded(.up))
            let marks: [Double] = high / low > 1000 ? [1] : [1, 2, 5]
            return decades.flatMap { decade in marks.map { $0 * pow(10, Double(decade)) } }.filter {
                $0 >= low * 0.999 && $0 <= high * 1.001
            }
        }
        let roughStep = (high - low) / 8
        let power = pow(10, log10(roughStep).rounded(.down))
        let step = [1, 2, 5, 10].map { $0 * power }.first { $0 >= roughStep } ?? roughStep
        return stride(from: (low / step).rounded(.up) * step, through: high * (1 + 1e-9), by: step)
            .map { $0 }
    }

    /// A tick's value, with a letter for thousands and above.
    private static func label(_ value: Double) -> String {
        switch abs(value) {
        case 1e9...: String(format: "%g G", value / 1e9)
        case 1e6...: String(format: "%g M", value / 1e6)
        case 1e4...: String(format: "%g k", value / 1e3)
        default: String(format: "%g", (value * 1e6).rounded() / 1e6)
        }
    }
}
