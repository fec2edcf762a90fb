public import Foundation

/// The questions, by the names that commands use.
public enum PlanQuestion: String, Sendable, CaseIterable {
    /// How weights, gradients, state and sequences are split.
    case sharding
    /// Partitions for clusters whose nodes' links are narrow.
    case partition
    /// Groups of devices for sequences of different lengths.
    case groups
    /// A group of devices for each sequence.
    case sequences
    /// What attention moves between memories.
    case attention
    /// What attention sends between ranks that each have a part of every sequence.
    case ring
    /// Which parameters the host updates, and which the device.
    case optimizer
    /// Local memory and memory behind CXL.
    case tiers
    /// One device, its state on disks.
    case disk
    /// Calls of several models in a step of learning from feedback.
    case feedback
    /// Nodes with network cards of different kinds.
    case networks

    /// All names, as a sentence has them.
    public static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    /// The question with the description of its example.
    public var example: any TrainingQuestion { type.init() }

    private var type: any TrainingQuestion.Type {
        switch self {
        case .sharding: ShardingSearch.self
        case .partition: LowBandwidthPartition.self
        case .groups: SequenceGrouping.self
        case .sequences: HybridDataParallelism.self
        case .attention: AttentionTraffic.self
        case .ring: RingTraffic.self
        case .optimizer: OptimizerInterleaving.self
        case .tiers: MemoryTiers.self
        case .disk: DiskOffload.self
        case .feedback: FeedbackPlanner.self
        case .networks: MixedNetworks.self
        }
    }

    /// The question with a description from JSON.
    ///
    /// - Throws: ``TrainingError`` if it lacks a value, or one is of another kind.
    public func read(_ json: Data) throws -> any TrainingQuestion {
        do { return try type.read(json) } catch {
            throw TrainingError(
                .invalidFile,
                "The description is not what '\(rawValue)' needs. `mneme plan train \(rawValue) --example` prints one.")
        }
    }
}

extension TrainingQuestion {
    fileprivate static func read(_ json: Data) throws -> any TrainingQuestion {
        try JSONDecoder().decode(Self.self, from: json)
    }
}
