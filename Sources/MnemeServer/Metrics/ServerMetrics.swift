import CoreMetrics

/// Metrics of a server's requests, through swift-metrics.
///
/// They are kept for `/metrics`, and also go to the backend that an application has set up with
/// `MetricsSystem.bootstrap`.
final class ServerMetrics: Sendable {
    /// Names of requests' counter and of the time that they took.
    private static let requests = "mneme_requests_total", time = "mneme_request_seconds"
    /// Upper bounds in seconds: from a recall in memory to a long answer.
    static let bounds = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
    private let registry: MetricsRegistry
    private let factory: any MetricsFactory

    init() {
        registry = MetricsRegistry(
            help: [
                Self.requests: "Requests by operation and HTTP status.",
                Self.time: "Time to the beginning of the answer, in seconds.",
            ], bounds: Self.bounds)
        factory = MultiplexMetricsHandler(factories: [registry, MetricsSystem.factory])
    }

    /// Counts a request. Statuses are few, and operations are those of the table and of routes: no
    /// client can make more of them.
    ///
    /// - Parameter seconds: to the answer's beginning; of a stream, to its first byte.
    func record(operation: String, status: Int, seconds: Double) {
        Counter(
            label: Self.requests,
            dimensions: [("operation", operation), ("status", String(status))], factory: factory
        ).increment()
        Timer(label: Self.time, dimensions: [("operation", operation)], factory: factory)
            .recordSeconds(seconds)
    }

    /// All metrics as Prometheus reads them: those collected now, then those of requests.
    ///
    /// - Parameter collected: what store, engine and process tell of themselves.
    func text(_ collected: [MetricFamily]) -> String {
        (collected + registry.families).map(\.text).joined()
    }
}
