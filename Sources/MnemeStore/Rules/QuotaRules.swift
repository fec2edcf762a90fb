/// Rules for how many memories a principal may keep.
///
/// A quota bounds additions alone, so that who is at the limit can still correct, archive and
/// erase. It is checked in the transaction: two requests at once cannot both take the last place.
package enum QuotaRules {
    /// The number to which the owner's cubes have to be counted; nil if nothing is bounded.
    package static func countLimit(adding added: Int, by principal: Principal) -> Int? {
        guard added > 0, let quota = principal.quota else { return nil }
        return quota == .max ? .max : quota + 1
    }

    /// - Parameter kept: cubes of the owner, counted to ``countLimit(adding:by:)``.
    /// - Throws: ``StoreError`` if there would be too many.
    package static func check(kept: Int, adding added: Int, owner: Owner, by principal: Principal)
        throws
    {
        guard added > 0, let quota = principal.quota else { return }
        guard kept <= quota, added <= quota - kept else {
            throw StoreError(
                .quotaReached,
                "'\(principal.name)' may keep \(quota) memories of user '\(owner.user)'. "
                    + "Erase some, or ask for a higher quota."
            )
        }
    }
}
