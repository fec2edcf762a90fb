import Foundation

/// What attempts at a task are learned by: advantages without a value network (LOOP, Chen et al. 2025) [208], and
/// ratios of new and old probabilities that are clipped token by token (PPO, Schulman et al. 2017).
package struct ClippedObjective: Sendable {
    /// The part by which a ratio may differ from 1.
    package let clip: Float

    /// An objective with this clip.
    package init(clip: Float) { self.clip = clip }

    /// Each attempt's reward less the mean of the others' of the task (leave one out).
    package static func advantages(_ rewards: [Double]) -> [Float] {
        let sum = rewards.reduce(0, +)
        return rewards.map { Float($0 - (sum - $0) / Double(rewards.count - 1)) }
    }

    /// The gradient of min(r·a, clip(r)·a) by a token's log p, where r = p / p of before; nil beyond the clip's edge,
    /// where the objective is flat.
    package func slope(_ logProbability: Float, before: Float, advantage: Float) -> Float? {
        let ratio = exp(logProbability - before)
        let isFlat = advantage > 0 ? ratio > 1 + clip : ratio < 1 - clip
        return isFlat ? nil : advantage * ratio
    }
}
