import CoreMetrics
import NIOConcurrencyHelpers

/// Counters and latencies of a server, as Prometheus text (exposition format 0.0.4).
final class ServerMetrics: Sendable {
    /// Upper bounds of a histogram's buckets, in seconds: from a recall in memory to a long answer.
    private static let bounds = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
    /// Latencies of one operation. A bucket counts all that took at most its bound, as Prometheus
    /// has it.
    private struct Histogram {
        /// Requests at or under each bound.
        var counts = [Int](repeating: 0, count: ServerMetrics.bounds.count)
        /// Seconds of all requests together.
        var sum = 0.0
        /// All requests, those over the last bound included.
        var count = 0
    }
    /// The labels of a counter of requests. Statuses are few, and operations are those of the table
    /// and of routes: no client can make more of them.
    private struct Requests: Hashable { var operation: String; var status: Int }
    /// Both kinds of figures behind one lock, so that they agree.
    private let state = NIOLockedValueBox<
        (requests: [Requests: Int], latency: [String: Histogram])
    >(([:], [:]))

    /// Counts a request.
    ///
    /// - Parameter seconds: to the answer's beginning; of a stream, to its first byte.
    func record(operation: String, status: Int, seconds: Double) {
        state.withLockedValue { state in
            state.requests[Requests(operation: operation, status: status), default: 0] += 1
            var histogram = state.latency[operation] ?? Histogram()
            for (i, bound) in Self.bounds.enumerated() where seconds <= bound {
                histogram.counts[i] += 1
            }
            histogram.sum += seconds
            histogram.count += 1
            state.latency[operation] = histogram
        }
    }

    /// All figures as Prometheus reads them: gauges first, then counters and histograms by
    /// operation.
    ///
    /// - Parameter gauges: name, help and value of what is measured now.
    func text(gauges: [Gauge]) -> String {
        var lines: [String] = []
        for gauge in gauges {
            lines += [
                "# HELP \(gauge.name) \(gauge.help)", "# TYPE \(gauge.name) gauge",
                "\(gauge.name) \(gauge.value)",
            ]
        }
        let (requests, latency) = state.withLockedValue { ($0.requests, $0.latency) }
        lines += [
            "# HELP mneme_requests_total Requests by operation and HTTP status.",
            "# TYPE mneme_requests_total counter",
        ]
        for (key, count) in requests.sorted(by: {
            ($0.key.operation, $0.key.status) < ($1.key.operation, $1.key.status)
        }) {
            lines.append(
                "mneme_requests_total{operation=\"\(key.operation)\",status=\"\(key.status)\"} \(count)"
            )
        }
        lines += [
            "# HELP mneme_request_seconds Time to answer.",
            "# TYPE mneme_request_seconds histogram",
        ]
        for (operation, histogram) in latency.sorted(by: { $0.key < $1.key }) {
            for (bound, count) in zip(Self.bounds, histogram.counts) {
                lines.append(
                    "mneme_request_seconds_bucket{operation=\"\(operation)\",le=\"\(bound)\"} \(count)"
                )
            }
            lines.append(
                "mneme_request_seconds_bucket{operation=\"\(operation)\",le=\"+Inf\"} \(histogram.count)"
            )
            lines.append("mneme_request_seconds_sum{operation=\"\(operation)\"} \(histogram.sum)")
            lines.append(
                "mneme_request_seconds_count{operation=\"\(operation)\"} \(histogram.count)")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
