import Foundation

/// Energy that the processor's packages have used, as Linux counts it (`/sys/class/powercap`, RAPL).
struct EnergyMeter {
    /// One package's counter, and where it begins anew, in microjoules.
    private struct Package { var file: String, range: Double }

    private let packages: [Package]
    private let begun: [Double]

    /// Begins to measure; nil where the counters are not there or may not be read, as in most virtual machines.
    init?() {
        let folder = "/sys/class/powercap"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        // Packages are named intel-rapl:0; parts of them intel-rapl:0:1.
        packages = names.filter { $0.hasPrefix("intel-rapl:") && $0.split(separator: ":").count == 2 }.sorted()
            .compactMap { name in
                Self.number("\(folder)/\(name)/max_energy_range_uj").map {
                    Package(file: "\(folder)/\(name)/energy_uj", range: $0)
                }
            }
        begun = packages.compactMap { Self.number($0.file) }
        guard !packages.isEmpty, begun.count == packages.count else { return nil }
    }

    /// Joules since the beginning; nil if a counter cannot be read any more.
    ///
    /// A counter may begin anew once between: measure for minutes, not for hours.
    var joules: Double? {
        let now = packages.compactMap { Self.number($0.file) }
        guard now.count == packages.count else { return nil }
        var sum = 0.0
        for (i, package) in packages.enumerated() {
            sum += now[i] >= begun[i] ? now[i] - begun[i] : now[i] + package.range - begun[i]
        }
        return sum / 1e6
    }

    private static func number(_ file: String) -> Double? {
        (try? String(contentsOfFile: file, encoding: .utf8)).flatMap {
            Double($0.trimmingCharacters(in: .whitespacesAndNewlines))
        }
    }
}
