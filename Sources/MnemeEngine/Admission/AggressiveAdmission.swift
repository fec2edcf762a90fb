/// Starts what fits now, with a further block for each sequence that runs: answers grow into what
/// is left, and where nothing is, the youngest is preempted.
///
/// vLLM (Kwon et al. 2023) admits so. It wastes no memory, and computes much twice when many long
/// answers grow at once.
public struct AggressiveAdmission: AdmissionPolicy {
    /// It has no settings.
    public init() {}

    /// Whether the prompt fits beside a block for each member.
    public func admits(_ next: EngineView.Waiting, beside batch: AdmissionBatch) -> Bool {
        next.blocks + batch.count <= batch.freeBlocks
    }
}
