import MnemeEngine

extension Histogram {
    /// Its samples: buckets, sum and count.
    var samples: [MetricFamily.Sample] {
        zip(bounds + [.infinity], counts + [count]).map { bound, count in
            .init(
                suffix: "_bucket", labels: [("le", MetricFamily.number(bound))],
                value: Double(count))
        } + [.init(suffix: "_sum", value: sum), .init(suffix: "_count", value: Double(count))]
    }
}
