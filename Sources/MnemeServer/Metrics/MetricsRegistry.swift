import CoreMetrics
import MnemeEngine
import NIOConcurrencyHelpers

/// A backend of swift-metrics that keeps counters, gauges and histograms in memory, for reading as
/// Prometheus text.
///
/// Counters become counters, timers histograms in seconds; recorders that aggregate become
/// histograms, others gauges. The same name and dimensions are the same metric.
final class MetricsRegistry: MetricsFactory, Sendable {
    /// A metric of one name and one set of labels.
    private struct Key: Hashable {
        var name: String
        /// Names and values by turns.
        var labels: [String]
        init(_ name: String, _ dimensions: [(String, String)]) {
            (self.name, labels) = (name, dimensions.flatMap { [$0, $1] })
        }
        var pairs: [(name: String, value: String)] {
            stride(from: 0, to: labels.count, by: 2).map { (labels[$0], labels[$0 + 1]) }
        }
    }
    private let counters = NIOLockedValueBox<[Key: CounterCell]>([:])
    private let gauges = NIOLockedValueBox<[Key: GaugeCell]>([:])
    private let histograms = NIOLockedValueBox<[Key: HistogramCell]>([:])
    /// The meanings of the metrics, by name.
    private let help: [String: String]
    /// Upper bounds of all histograms' buckets.
    private let bounds: [Double]

    /// - Parameters:
    ///   - help: what each metric means, by its name.
    ///   - bounds: upper bounds of histograms' buckets, rising, the infinite one left out.
    init(help: [String: String], bounds: [Double]) { (self.help, self.bounds) = (help, bounds) }

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        counters.withLockedValue { cells in
            Self.cell(&cells, Key(label, dimensions)) { CounterCell() }
        }
    }
    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool)
        -> any RecorderHandler
    {
        guard aggregate else {
            return gauges.withLockedValue { cells in
                Self.cell(&cells, Key(label, dimensions)) { GaugeCell() }
            }
        }
        return histogram(label, dimensions)
    }
    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions)
    }

    /// Metrics live as long as the server: their labels are few, and a counter that went would
    /// begin anew.
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}

    private func histogram(_ label: String, _ dimensions: [(String, String)]) -> HistogramCell {
        histograms.withLockedValue { cells in
            Self.cell(&cells, Key(label, dimensions)) { HistogramCell(bounds) }
        }
    }

    /// The cell of a key, made if it is new.
    private static func cell<Cell>(
        _ cells: inout [Key: Cell], _ key: Key, _ make: () -> Cell
    ) -> Cell {
        if let cell = cells[key] { return cell }
        let cell = make()
        cells[key] = cell
        return cell
    }

    /// All metrics by name, samples by their labels.
    var families: [MetricFamily] {
        let counters = counters.withLockedValue { $0 }.mapValues { cell in
            [MetricFamily.Sample(value: Double(cell.count.withLockedValue { $0 }))]
        }
        let gauges = gauges.withLockedValue { $0 }.mapValues { cell in
            [MetricFamily.Sample(value: cell.value.withLockedValue { $0 })]
        }
        let histograms = histograms.withLockedValue { $0 }.mapValues {
            $0.histogram.withLockedValue { $0 }.samples
        }
        return
            (families(counters, .counter) + families(gauges, .gauge)
            + families(histograms, .histogram)).sorted { $0.name < $1.name }
    }

    /// Families of one kind.
    private func families(_ samples: [Key: [MetricFamily.Sample]], _ kind: MetricFamily.Kind)
        -> [MetricFamily]
    {
        Dictionary(grouping: samples, by: \.key.name).map { name, members in
            let sorted = members.sorted { $0.key.labels.lexicographicallyPrecedes($1.key.labels) }
            return MetricFamily(
                name, kind, help[name] ?? name,
                sorted.flatMap { key, samples in
                    samples.map { sample in
                        var sample = sample
                        sample.labels = key.pairs + sample.labels
                        return sample
                    }
                })
        }
    }
}

/// A counter's value.
private final class CounterCell: CounterHandler, Sendable {
    let count = NIOLockedValueBox<Int64>(0)
    func increment(by amount: Int64) {
        count.withLockedValue { $0 = $0.addingReportingOverflow(max(0, amount)).partialValue }
    }
    func reset() { count.withLockedValue { $0 = 0 } }
}

/// A gauge's value: the last that was recorded.
private final class GaugeCell: RecorderHandler, Sendable {
    let value = NIOLockedValueBox(0.0)
    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) { self.value.withLockedValue { $0 = value } }
}

/// A histogram, of values as they are or of times, which swift-metrics has in nanoseconds.
private final class HistogramCell: RecorderHandler, TimerHandler, Sendable {
    let histogram: NIOLockedValueBox<Histogram>
    init(_ bounds: [Double]) { histogram = NIOLockedValueBox(Histogram(bounds: bounds)) }
    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) { histogram.withLockedValue { $0.record(value) } }
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
}
