import MnemeStore

/// A memory that is ready to be written: redacted, screened and analysed.
struct PreparedDraft: Sendable {
    /// The memory as it will be stored.
    var cube: MemCube
    /// Its index terms.
    var analysis: Analysis
    /// Names what was said: the same draft again is not stored twice.
    var contentHash: [UInt8]
    /// To the memories it was made of, written with it.
    var links: [CubeLink] = []
}

/// One call of ``MemoryOS/remember(_:scope:by:idempotencyKey:)``, analysed.
struct PendingWrite: Sendable {
    /// In the order of the inputs and their parts.
    var drafts: [PreparedDraft]
    /// Whose memories they become.
    var owner: Owner
    /// The caller.
    var caller: Caller
    /// Names the request, if it may be repeated.
    var idempotencyKey: String?
    /// Part of an import, whose memory must not grow with the file.
    var isBulk: Bool
    /// The policy that the drafts were made by; what a reconciler makes of them is held to it, too.
    var policy: MemoryPolicy

    /// The policy quarantines a draft that is like a quarantined memory.
    var quarantinesSimilar: Bool { policy.protection == .hold }
}
