public import MnemeStore

/// Precomputes what a model reads faster: the KV cache of somebody's profile, computed once. What a
/// model learns is an ``AdapterPromoter``'s matter.
///
/// The job `promote` hands on what came as far as the profile, through every promoter that is
/// attached. What one makes is a memory with edges to those that it was made of: it goes when one
/// of them is erased.
public protocol MemoryPromoter: Sendable {
    /// The model for which it works.
    var name: String { get }
    /// Those whose prompts begin otherwise than others', as they see another part of an owner's
    /// memories or share nothing with others.
    func readers(of owner: Owner) -> [Principal]
    /// Makes something of a profile as a reader sees it, or finds that it is made already.
    ///
    /// - Returns: what it made; nil if it is not worth it.
    func promote(_ profile: [MemCube], for reader: Principal) async throws -> ActivationReference?
    /// A profile has changed: what was made of the former one need not be kept any more.
    func release(_ made: ActivationReference) throws
}
