import MnemeStore

/// A memory that is ready to be written: redacted, screened and analysed.
struct PreparedDraft: Sendable {
    var cube: MemCube
    var analysis: Analysis
    var contentHash: [UInt8]
    /// To the memories it was made of, written with it.
    var links: [CubeLink] = []
}

/// One call of ``MemoryOS/remember(_:scope:by:idempotencyKey:)``, analysed.
struct PendingWrite: Sendable {
    var drafts: [PreparedDraft]
    var owner: Owner
    var caller: Caller
    var idempotencyKey: String?
    /// Part of an import, whose memory must not grow with the file.
    var isBulk: Bool
    /// The policy that the drafts were made by; what a reconciler makes of them is held to it, too.
    var policy: MemoryPolicy

    /// Whether a draft that is like a quarantined memory is quarantined.
    var learns: Bool { policy.protection == .hold }
}
