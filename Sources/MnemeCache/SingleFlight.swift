public import Foundation

/// Lets one of several requests for the same answer ask, and the others wait for what it keeps.
public actor SingleFlight {
    private var waiting: [Data: [UUID: CheckedContinuation<Bool, Never>]] = [:]

    /// Nobody asks yet.
    public init() {}

    /// True if the caller is the first and asks now: it then calls ``finish(_:kept:)``, whatever
    /// comes of it. Others wait until then.
    public func isFirst(_ key: Data) -> Bool {
        guard waiting[key] == nil else { return false }
        waiting[key] = [:]
        return true
    }

    /// Waits until the first one has finished, or this task is cancelled.
    ///
    /// - Returns: true if an answer was kept.
    public func wait(for key: Data) async -> Bool {
        let id = UUID()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // It may have finished meanwhile: whoever comes then looks again.
                guard waiting[key] != nil else { return continuation.resume(returning: true) }
                guard !Task.isCancelled else { return continuation.resume(returning: false) }
                waiting[key]?[id] = continuation
            }
        } onCancel: {
            Task { await self.leave(key, id) }
        }
    }

    private func leave(_ key: Data, _ id: UUID) {
        waiting[key]?.removeValue(forKey: id)?.resume(returning: false)
    }

    /// Lets those who wait go on.
    ///
    /// - Parameters:
    ///   - key: the question's, as those who wait named it.
    ///   - kept: whether an answer is there now.
    public func finish(_ key: Data, kept: Bool) {
        for continuation in (waiting.removeValue(forKey: key) ?? [:]).values {
            continuation.resume(returning: kept)
        }
    }
}
