/// Reads the pages whose mean key scores highest, and always those whose keys their mean stands for
/// worst (the landmarks and outliers of ShadowKV, Sun et al. 2025).
///
/// This is the paper's choice of what to read; a page has 32 rows instead of 8. Its low-rank keys are
/// ``LowRankKeys``, which `mneme kv eval` measures with it (`shadowkv:lowrank`): all rows stay in memory.
public struct ShadowKV: KVSelector {
    /// None: all layers choose.
    public var wholeLayers: Int { 0 }
    /// The mean.
    public var vectors: Int { 1 }
    /// The paper's 48 of some 300 chunks read.
    public var outliers: Double
    /// Whether means of keys and values stand for what is not read (RetroInfer's estimation zone), which the paper
    /// leaves out.
    public let estimates: Bool

    /// By default with the paper's share of outliers, and what is not read left out.
    public init(outliers: Double = 0.16, estimates: Bool = false) {
        (self.outliers, self.estimates) = (outliers, estimates)
    }

    /// The mean key, and one less the least cosine of a key to it.
    public func summary(_ keys: [[Float]]) -> KVPageSummary {
        let mean = keys.mean
        func dot(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
        let square = dot(mean, mean)
        let least = keys.map { dot($0, mean) / max((dot($0, $0) * square).squareRoot(), 1e-9) }.min()
        return KVPageSummary(vectors: [mean], dissimilarity: 1 - (least ?? 1))
    }
}
