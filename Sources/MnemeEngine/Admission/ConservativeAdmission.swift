/// Starts a request only if all that run, and it, could have the longest answers that they may.
///
/// Nothing is ever preempted for memory; what requests might take and do not stays unused (the
/// schedulers that reserve `max_new_tokens`, as text-generation-inference does).
public struct ConservativeAdmission: AdmissionPolicy {
    /// It has no settings.
    public init() {}

    /// Whether all fit at their longest.
    public func admits(_ next: EngineView.Waiting, beside batch: AdmissionBatch) -> Bool {
        let all = batch.members + [batch.member(next)]
        // The request itself is not among those whose blocks count as the batch's own.
        return all.reduce(0) { $0 + batch.blocks($1, after: $1.remaining) } <= batch.budget
    }
}
