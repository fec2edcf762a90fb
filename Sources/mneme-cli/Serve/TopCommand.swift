import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeHub

/// `mneme top`: a server's metrics as a screen, for whoever runs it. It needs the permission
/// `admin` where the server requires keys.
///
/// Exit code 1 if the server cannot be reached, 2 for a URL that is none.
///
/// The screen: gauges of the server, then a line an operation with requests, rate, median and 99th
/// percentile of its time, and failures. Percentiles are upper bounds of histogram buckets, written
/// with ≤. It changes nothing.
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract:
            "Watch a running server: requests and their times, memories, jobs, what was computed.",
        discussion:
            "Reads GET /metrics. Where the output is no terminal, each look is printed below the one before. Ctrl-C ends it."
    )

    @Option(help: "The server.") var url = Settings.current.text(.server) ?? "http://127.0.0.1:8420"
    /// The API key; in the environment it is not seen by other users.
    @Option(
        help: "A key of the server, with the permission 'admin'; MNEME_API_KEY has it otherwise.")
    var key: String?
    /// Time between two looks, 0.2 to 3600 seconds.
    @Option(help: "Seconds between two looks.") var interval = 2.0
    /// Number of looks, for scripts; then it ends with exit code 0.
    @Option(help: "Looks; without end if left out.") var count: Int?

    /// Fetches, draws and waits. The first look has no rates, as there is none to compare it with.
    func run() async throws {
        guard let address = URL(string: url)?.appendingPathComponent("metrics"),
            ["http", "https"].contains(address.scheme)
        else {
            throw InputError("'\(url)' is no URL such as http://127.0.0.1:8420.")
        }
        guard (0.2...3600).contains(interval), count ?? 1 > 0 else {
            throw InputError(
                "The interval lies between 0.2 and 3600 seconds; the count is above 0.")
        }
        let downloader = Downloader(token: key ?? RemoteServer.keyOfEnvironment)
        // Rates are differences to the look before.
        var before: (metrics: MetricsText, time: ContinuousClock.Instant)?
        var looks = 0
        while true {
            let metrics = MetricsText(
                String(decoding: try await downloader.data(address), as: UTF8.self))
            let now = ContinuousClock.now
            let passed = before.map { (now - $0.time) / .seconds(1) }
            if Terminal.isInteractive(STDOUT_FILENO) { Terminal.clear() }
            print(Self.screen(metrics, before: before?.metrics, seconds: passed, url: url))
            fflush(nil)
            before = (metrics, now)
            looks += 1
            if looks == count { return }
            try await Task.sleep(for: .seconds(interval))
        }
    }

    /// The screen: gauges, then a line an operation. Rates and latencies are of the last interval
    /// where anything came in it.
    private static func screen(
        _ metrics: MetricsText, before: MetricsText?, seconds: Double?, url: String
    ) -> String {
        var lines = [
            "\(Terminal.styled("mneme", .bold)) at \(url)   \(DateText.format(Date()))", "",
        ]
        let gauges = metrics.gauges.map { name, value in
            "\(name.dropFirst("mneme_".count).replacing("_", with: " "))".padded(to: 34) + Self.shown(name, value)
        }
        // In two columns where there is room.
        if Terminal.width >= 100 {
            let half = (gauges.count + 1) / 2
            for row in 0..<half {
                lines.append(
                    gauges[row].padded(to: 52)
                        + (row + half < gauges.count ? gauges[row + half] : ""))
            }
        } else {
            lines += gauges
        }
        lines += [
            "",
            Terminal.styled(
                "operation               requests  a second   p50 ms   p99 ms  refused or failed",
                .dim),
        ]
        for operation in metrics.operations {
            let total = metrics.count(of: operation)
            let earlier = before?.count(of: operation) ?? 0
            // Of this interval if anything came in it, of all time otherwise.
            let recent =
                before.flatMap { total > earlier ? metrics.buckets(of: operation, since: $0) : nil }
                ?? metrics.buckets(of: operation, since: nil)
            let rate = seconds.map { String(format: "%.1f", Double(total - earlier) / $0) } ?? "-"
            let failures = metrics.failures(of: operation)
            lines.append(
                operation.padded(to: 22)
                    + String(total).leftPadded(to: 10)
                    + rate.leftPadded(to: 10)
                    + Self.milliseconds(recent, 0.5).leftPadded(to: 9)
                    + Self.milliseconds(recent, 0.99).leftPadded(to: 9)
                    + (failures > 0
                        ? Terminal.styled(String(failures).leftPadded(to: 19), .yellow) : ""))
        }
        if metrics.operations.isEmpty { lines.append("nothing was asked yet") }
        return lines.joined(separator: "\n")
    }

    /// A value with its unit: sizes in MiB.
    private static func shown(_ name: String, _ value: Double) -> String {
        if name.hasSuffix("bytes") { return String(format: "%.1f MiB", value / 1_048_576) }
        return Int(exactly: value).map(String.init) ?? String(format: "%.3f", value)
    }

    /// Milliseconds within which a part of the requests was answered: the bound of the bucket that
    /// it falls into, "-" without any.
    private static func milliseconds(_ buckets: [(bound: Double, count: Int)], _ part: Double)
        -> String
    {
        guard let all = buckets.last?.count, all > 0 else { return "-" }
        let bound = buckets.first { Double($0.count) >= part * Double(all) }!.bound
        return bound.isFinite
            ? "≤" + String(format: "%g", bound * 1000)
            : ">" + String(format: "%g", (buckets.dropLast().last?.bound ?? 0) * 1000)
    }
}
