/// A model's call in a step of learning from feedback: it generates, scores or learns.
public struct FeedbackCall: Sendable, Codable, Equatable {
    /// What a call does with its model.
    public enum Kind: String, Sendable, Codable {
        /// Token after token.
        case generate
        /// A forward pass.
        case score
        /// A forward and a backward pass.
        case train
    }

    /// What it is called in a report.
    public var name: String
    /// The model's place in the list; calls of one model share its weights.
    public var model: Int
    /// What it does.
    public var kind: Kind
    /// Calls before it, by their places, whose results it needs.
    public var after: [Int]

    /// A call.
    public init(_ name: String, model: Int, _ kind: Kind, after: [Int] = []) {
        (self.name, self.model, self.kind, self.after) = (name, model, kind, after)
    }

    /// PPO's six calls: actor 0, reference 1, reward 2, critic 3.
    public static let ppo = [
        FeedbackCall("generate", model: 0, .generate),
        FeedbackCall("reward", model: 2, .score, after: [0]),
        FeedbackCall("reference", model: 1, .score, after: [0]),
        FeedbackCall("values", model: 3, .score, after: [0]),
        FeedbackCall("train actor", model: 0, .train, after: [1, 2, 3]),
        FeedbackCall("train critic", model: 3, .train, after: [1, 2, 3]),
    ]
}

/// The devices of a call, a run of neighbours, and how many of them share each matrix.
public struct FeedbackLayout: Sendable, Codable, Hashable {
    /// The first device.
    public var start: Int
    /// Devices.
    public var count: Int
    /// Devices that share each matrix; the others have other sequences.
    public var tensor: Int
}

/// What calls cost on layouts.
public struct FeedbackCost: Sendable, Codable, Equatable {
    /// The models that are called.
    public var models: [PlannedModel]
    /// Where.
    public var cluster: PlannedCluster
    /// Sequences of a step, tokens of a prompt and of an answer.
    public var sequences = 128.0, promptTokens = 1024.0, answerTokens = 1024.0
    /// Bytes a second that a device reads of its memory.
    public var memoryRate = 1.5e12

    /// - Parameters:
    ///   - models: that calls name by their places.
    ///   - cluster: the machines that they run on.
    public init(_ models: [PlannedModel], _ cluster: PlannedCluster) {
        (self.models, self.cluster) = (models, cluster)
    }

    /// Levels that a run of so many neighbours spans.
    func levels(_ count: Int) -> Int {
        (0...cluster.levels.count).first { cluster.devices(to: $0) >= count } ?? cluster.levels.count
    }

    /// Seconds of a call, without moving weights.
    func seconds(_ call: FeedbackCall, _ layout: FeedbackLayout) -> Double {
        let model = models[call.model]
        let replicas = Double(layout.count / layout.tensor)
        let mine = (sequences / replicas).rounded(.up)
        let length = promptTokens + answerTokens
        // Two sums of streams a layer and pass between devices that share matrices.
        func sums(_ tokens: Double, passes: Double) -> Double {
            guard layout.tensor > 1 else { return 0 }
            let level = levels(layout.tensor)
            return passes * 2 * Double(model.layers) * 2
                * cluster.gather(model.streamBytes(tokens: tokens), levels: level)
        }
        let whole = mine * model.operations(tokens: length) / Double(layout.tensor) / cluster.operations
        switch call.kind {
        case .score: return whole / 3 + mine * sums(length, passes: 1)
        case .train:
            // Gradients are added up between replicas, new weights come back.
            let level = levels(layout.count)
            let exchange =
                layout.count > layout.tensor
                ? 2 * cluster.gather(2 * model.parameters / Double(layout.tensor), levels: level) : 0
            return whole + mine * sums(length, passes: 3) + exchange
        case .generate:
            // Each token reads all weights of the device once, for all sequences of the replica.
            let weights = 2 * model.parameters / Double(layout.tensor) / memoryRate
            let work = mine * 2 * model.parameters / Double(layout.tensor) / cluster.operations
            let prompt = mine * promptTokens * 2 * model.parameters / Double(layout.tensor) / cluster.operations
            return prompt + answerTokens * (max(weights, work) + sums(mine, passes: 1))
        }
    }

    /// Bytes of weights on a device, and of the gradients and the state if the call learns.
    func bytes(_ call: FeedbackCall, _ layout: FeedbackLayout) -> Double {
        let p = models[call.model].parameters / Double(layout.tensor)
        return call.kind == .train ? p * (4 + 12 * Double(layout.tensor) / Double(layout.count)) : 2 * p
    }

    /// Seconds in which a model's weights move from one layout to another.
    func move(_ model: Int, _ from: FeedbackLayout, _ to: FeedbackLayout) -> Double {
        guard from != to else { return 0 }
        let ends = max(from.start + from.count, to.start + to.count) - min(from.start, to.start)
        let link = cluster.levels[max(1, levels(ends)) - 1]
        return 2 * models[model].parameters / Double(to.tensor) / link.bandwidth + link.latency
    }
}
