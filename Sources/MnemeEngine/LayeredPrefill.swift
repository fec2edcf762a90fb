import MnemeModels

/// The tokens of a prompt that follow a cached prefix, computed a few layers at a time while the
/// prefix still comes from a tier: as soon as its first layers are there, theirs can be computed
/// (LMCache, Liu et al. 2025; CacheBlend, Yao et al. 2025).
///
/// Each part is a step of its own, between those of other requests: nobody waits for a tier. What it
/// stands on is checked when all has come; until then nothing is sampled behind it, and nobody else
/// finds it.
struct LayeredPrefill {
    /// The position of the first token, and how many: as many as fit into a step, all but the last
    /// of the prompt, which is computed by a step that samples behind it.
    let position: Int, count: Int
    let paused: PausedStep
}
