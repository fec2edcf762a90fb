import MnemeStore

extension JobKind {
    /// Checks the store, its indexes and the audit log; fails if something is wrong.
    public static let verify = JobKind(rawValue: "verify")
}

/// Integrity check of the store, its indexes, exported copies and the audit log.
///
/// Repairs nothing: a scheduled job must not change what somebody may want to look at first. `mneme
/// doctor --repair` does.
struct VerifyStore: Maintainer {
    let kind = JobKind.verify
    let help = "check the store, its indexes and the audit log"
    let isPerOwner = false
    /// Findings that a failed job's message quotes.
    private static let quotedFindings = 5

    func perform(_ run: MaintenanceRun) async throws -> String {
        let memory = run.memory
        let (findings, report) = try await memory.run {
            (
                try memory.store.check(repair: false, by: .mneme)
                    + memory.checkIndexes(repair: false)
                    + [memory.checkCopies(repair: false)],
                try memory.store.verifyAudit(keys: nil, head: nil, by: .mneme)
            )
        }
        let wrong = findings.filter { !$0.sound }.map(\.detail) + report.findings
        guard wrong.isEmpty else {
            let quoted = wrong.prefix(Self.quotedFindings).joined(separator: "; ")
            throw StoreError(.corrupt, "Something is wrong: \(quoted)")
        }
        return "\(findings.count) checks, \(report.entries) audit entries: all sound"
    }
}
