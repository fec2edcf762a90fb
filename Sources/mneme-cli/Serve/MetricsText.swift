import Foundation

/// Metrics of a server, read from Prometheus text as far as Mneme writes it.
///
/// A line that is not understood is passed over: `top` then shows less, and does not end.
struct MetricsText {
    /// Samples in the server's order.
    private var values: [(name: String, labels: [String: String], value: Double)] = []

    /// Reads all samples; comments and types are left out. Label values hold no comma here.
    init(_ text: String) {
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            // The value is behind the last blank; labels may hold others.
            guard let space = line.lastIndex(of: " "),
                let value = Double(line[line.index(after: space)...])
            else {
                continue
            }
            let head = line[..<space]
            let open = head.firstIndex(of: "{")
            var labels: [String: String] = [:]
            if let open {
                for pair in head[head.index(after: open)...].dropLast().split(separator: ",") {
                    let parts = pair.split(separator: "=", maxSplits: 1)
                    if parts.count == 2 {
                        labels[String(parts[0])] = String(parts[1].dropFirst().dropLast())
                    }
                }
            }
            values.append((String(head[..<(open ?? head.endIndex)]), labels, value))
        }
    }

    /// Mneme's own values without labels, in the server's order; sums and counts of histograms are
    /// none.
    var gauges: [(String, Double)] {
        values.filter {
            $0.labels.isEmpty && $0.name.hasPrefix("mneme_") && !$0.name.hasSuffix("_sum")
                && !$0.name.hasSuffix("_count")
        }.map { ($0.name, $0.value) }
    }
    /// Operations that were asked for, by name.
    var operations: [String] {
        Array(
            Set(
                values.compactMap {
                    $0.name == "mneme_requests_total" ? $0.labels["operation"] : nil
                })
        ).sorted()
    }

    /// Requests of an operation whose status fits.
    private func requests(_ operation: String, where fits: (Int) -> Bool) -> Int {
        Self.count(
            values.filter {
                $0.name == "mneme_requests_total" && $0.labels["operation"] == operation
                    && fits(Int($0.labels["status"] ?? "") ?? 0)
            }.reduce(0) {
                $0 + $1.value
            })
    }
    /// A count as a server says it; 0 if it says none.
    private static func count(_ value: Double) -> Int {
        (0...0x1p53).contains(value) ? Int(value) : 0
    }
    /// All requests of an operation since the server began.
    func count(of operation: String) -> Int { requests(operation) { _ in true } }
    /// Those of them that were refused or failed: status 400 and above.
    func failures(of operation: String) -> Int { requests(operation) { $0 >= 400 } }

    /// Requests that took at most so many seconds, by rising bound.
    func buckets(of operation: String, since earlier: MetricsText?) -> [(bound: Double, count: Int)] {
        func own(_ metrics: MetricsText) -> [(bound: Double, count: Int)] {
            metrics.values.filter {
                $0.name == "mneme_request_seconds_bucket" && $0.labels["operation"] == operation
            }
            .map {
                (
                    $0.labels["le"] == "+Inf"
                        ? .infinity : Double($0.labels["le"] ?? "") ?? .infinity,
                    Self.count($0.value)
                )
            }
        }
        let past = earlier.map(own) ?? []
        return own(self).enumerated().map {
            ($1.bound, $1.count - ($0 < past.count ? past[$0].count : 0))
        }
    }
}
