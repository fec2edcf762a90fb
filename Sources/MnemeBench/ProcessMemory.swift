import Foundation

/// Memory use of this process as the system reports it (`/proc/self/status`).
enum ProcessMemory {
    /// A size that Linux reports: `VmRSS` is resident now, `VmHWM` the most that was. 0 elsewhere.
    static func bytes(_ key: String) -> Int {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix(key + ":") }),
            let kib = Int(line.split(separator: " ").dropFirst().first ?? "")
        else { return 0 }
        return kib * 1024
    }
}
