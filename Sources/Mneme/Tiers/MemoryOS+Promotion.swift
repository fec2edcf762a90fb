import Foundation
import MnemeStore
import NIOConcurrencyHelpers

/// Promotion of profiles: the KV cache of a profile is computed ahead, as every chat begins with
/// it, and kept as a memory with edges to what it was made of.
extension MemoryOS {
    /// The source of promoted memories.
    private static let promotion = "promotion"

    /// Has the job `promote` hand profiles to this one, too.
    public func attach(promoter: any MemoryPromoter) {
        promoters.withLockedValue { $0.append(promoter) }
    }

    /// Hands an owner's profile to the promoters, and archives what they made of a former one.
    ///
    /// - Returns: what was made, in words.
    func promoteProfile(of owner: Owner, now: Date) async throws -> [String] {
        var made: [String] = []
        for promoter in promoters.withLockedValue(\.self) {
            var blocks: Set<String> = []
            var tokens = 0
            for reader in promoter.readers(of: owner) {
                let profile = try await run { [self] in
                    try self.profile(
                        of: owner,
                        in: store.visibility(
                            of: owner, for: .read,
                            by: Caller(reader, operation: "promote", time: now)), by: .mneme)
                }
                guard !profile.isEmpty,
                    let reference = try await promoter.promote(profile, for: reader)
                else {
                    continue
                }
                let caller = Caller(
                    Caller.mneme.principal, operation: "promote",
                    reason: "chats begin with the profile", time: now)
                if let known = try await run({ [self] in
                    try promotions(of: owner).first { $0.activation?.block == reference.block }
                }) {
                    if known.state == .archived {
                        _ = try await run { [store] in
                            try store.commit([.restore(known.id)], owner: owner, by: caller)
                        }
                    }
                } else {
                    // No words of memories: it outlives none of them, but a moment.
                    let count = "\(profile.count) \(profile.count == 1 ? "memory" : "memories")"
                    _ = try await keep(
                        reference,
                        text: "The profile (\(count)), computed ahead for \(promoter.name)",
                        scope: Scope(tenant: owner.tenant, user: owner.user),
                        source: Self.promotion, by: caller)
                }
                blocks.insert(reference.block)
                tokens = max(tokens, reference.tokens)
            }
            if tokens > 0 {
                made.append(
                    "the profile's keys and values are kept for \(promoter.name), \(tokens) tokens")
            }
            try await run { [self, blocks] in
                for cube in try promotions(of: owner) where cube.state == .activated {
                    guard let activation = cube.activation, activation.model == promoter.name,
                        !blocks.contains(activation.block)
                    else { continue }
                    try promoter.release(activation)
                    let caller = Caller(
                        Caller.mneme.principal, operation: "promote",
                        reason: "the profile has changed", time: now)
                    _ = try store.commit([.archive(cube.id)], owner: owner, by: caller)
                }
            }
        }
        return made
    }

    /// Memories of the KV caches that promoters made of an owner's profile, now and before.
    private func promotions(of owner: Owner) throws -> [MemCube] {
        var filter = CubeFilter(owner: owner, limit: .max)
        filter.form = .kv
        return try store.list(filter, by: .mneme).filter { $0.provenance.source == Self.promotion }
    }

    /// The visible part of a user's profile, who they are and what they like: the oldest first, so
    /// that it begins alike from turn to turn.
    func profile(of owner: Owner, in visibility: Visibility, by caller: Caller) throws -> [MemCube] {
        var filter = CubeFilter(owner: owner, limit: 4 * Self.profileLimit)
        (filter.tier, filter.state) = (.profile, .activated)
        var characters = 0
        return try store.list(filter, by: caller).filter {
            $0.validUntil == nil && $0.caution == nil && visibility.contains($0)
        }.prefix(Self.profileLimit).prefix {
            characters += $0.text.count
            return characters <= Self.profileCharacters
        }
    }

    /// Memories of a profile in a prompt, and characters of them, some 500 tokens.
    private static let profileLimit = 40, profileCharacters = 2_000
}
