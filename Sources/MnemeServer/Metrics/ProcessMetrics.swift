import Foundation

/// Figures of this process under the names that Prometheus' client libraries share, and the build.
enum ProcessMetrics {
    /// All that the system tells; where it has no `/proc`, time of the processors alone.
    ///
    /// - Parameter version: the program's.
    static func all(version: String) -> [MetricFamily] {
        [
            MetricFamily(
                "mneme_build_info", .gauge, "1, with the version as a label.",
                [.init(labels: [("version", version)], value: 1)]),
            MetricFamily(
                "process_cpu_seconds_total", .counter, "Seconds that the processors worked.",
                processorSeconds),
        ] + files + memory
    }

    /// Seconds of user and system time.
    private static var processorSeconds: Double {
        var usage = rusage()
        #if os(Linux)
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        #else
            getrusage(RUSAGE_SELF, &usage)
        #endif
        return [usage.ru_utime, usage.ru_stime].reduce(0) {
            $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6
        }
    }

    /// Files that are open, and the most that may be.
    private static var files: [MetricFamily] {
        var limit = rlimit()
        #if os(Linux)
            let isKnown = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        #else
            let isKnown = getrlimit(RLIMIT_NOFILE, &limit) == 0
        #endif
        var families: [MetricFamily] = []
        if isKnown {
            families.append(
                MetricFamily(
                    "process_max_fds", .gauge, "The most files that may be open.",
                    Double(limit.rlim_cur)))
        }
        if let open = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            families.append(
                MetricFamily("process_open_fds", .gauge, "Open files.", Double(open.count)))
        }
        return families
    }

    /// Memory, and when the process began: fields of `/proc/self/stat` (man 5 proc).
    private static var memory: [MetricFamily] {
        guard let stat = FileManager.default.contents(atPath: "/proc/self/stat"),
            let system = FileManager.default.contents(atPath: "/proc/stat")
        else { return [] }
        // The name of the program stands in parentheses and may hold anything; fields from the
        // third on follow it.
        let fields =
            String(decoding: stat, as: UTF8.self).split(separator: ")").last?
            .split(separator: " ").map { Double($0) ?? 0 } ?? []
        let boot = String(decoding: system, as: UTF8.self).split(separator: "\n").first {
            $0.hasPrefix("btime ")
        }.flatMap { Double($0.dropFirst(6)) }
        guard fields.count > 21, let boot else { return [] }
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        let page = Double(sysconf(Int32(_SC_PAGESIZE)))
        return [
            MetricFamily(
                "process_start_time_seconds", .gauge, "When it began, in seconds since 1970.",
                boot + fields[19] / ticks),
            MetricFamily(
                "process_virtual_memory_bytes", .gauge, "Bytes of addresses.", fields[20]),
            MetricFamily(
                "process_resident_memory_bytes", .gauge, "Bytes in memory.", fields[21] * page),
        ]
    }
}
