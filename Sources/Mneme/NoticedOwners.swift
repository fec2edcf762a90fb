import MnemeStore

/// Owners whose memories other servers have changed, until their indexes have caught up.
struct NoticedOwners: Sendable {
    /// In a moment, and after a while: those whose indexes nobody uses on this server.
    var soon: Set<Owner> = [], later: Set<Owner> = []
    /// True if notices may have been missed, so that anybody's memories may be others.
    var areUnknown = false
}
