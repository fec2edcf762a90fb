public import Foundation
public import MnemeStore

/// The adapters of the language model that runs here, for operations that show, measure, hand out and take them in.
///
/// An adapter is named with the memory that stands for it, which the caller may read: where another adapter has the name
/// by now, there is none.
public protocol AdapterHost: Sendable {
    /// What an adapter is. It is read whole, so that a damaged one is found.
    func details(of name: String, memory: CubeID) async throws -> AdapterDetails
    /// Answers and losses with an adapter and without.
    func scores(of name: String, memory: CubeID, _ trial: AdapterTrial) async throws -> AdapterScores
    /// An adapter's files as PEFT has them, without what is known of its memories.
    func files(of name: String, memory: CubeID) async throws -> AdapterFiles
    /// Keeps an adapter from elsewhere, with the memory that stands for it.
    ///
    /// - Returns: the memory.
    func take(_ arrival: AdapterArrival, in memory: any AdapterKeeper, by caller: Caller) async throws -> MemCube
}

/// What an adapter is made of.
public struct AdapterDetails: Encodable, Sendable {
    /// SHA-256 of its weights.
    public var hash: String
    /// The least and the greatest rank of its terms; 0 where it has none.
    public var lowestRank, highestRank: Int
    /// The matrices that it changes.
    public var matrices: [String]
    /// The procedures that it knows by a token; nil if it has none.
    public var procedures: [String]?

    /// Details of a hash, ranks, matrices and procedures.
    public init(hash: String, ranks: ClosedRange<Int>, matrices: [String], procedures: [String]?) {
        (self.hash, lowestRank, highestRank) = (hash, ranks.lowerBound, ranks.upperBound)
        (self.matrices, self.procedures) = (matrices, procedures)
    }
}

/// The files of an adapter.
public enum AdapterFiles: Sendable {
    /// `adapter_config.json` and `adapter_model.safetensors`.
    case peft(configuration: Data, weights: Data)
    /// One file of llama.cpp.
    case gguf(Data)
}

/// An adapter that comes from elsewhere.
public struct AdapterArrival: Sendable {
    /// Its files.
    public var files: AdapterFiles
    /// The name that requests will use.
    public var name: String
    /// Whose it becomes.
    public var owner: Owner
    /// Whether it takes the place of the owner's adapter of this name.
    public var replaces = false

    /// One that replaces none.
    public init(_ files: AdapterFiles, name: String, owner: Owner) {
        (self.files, self.name, self.owner) = (files, name, owner)
    }
}

/// What an adapter is asked, and a text whose perplexity is measured beside.
public struct AdapterTrial: Sendable {
    /// A question, and what its answer must contain.
    public struct Question: Sendable {
        /// Question and answer.
        public var prompt, answer: String
        /// The procedure that the answer is to follow; nil where that is not asked.
        public var procedure: String?
    }
    /// At least one.
    public var questions: [Question]
    /// Has nothing to do with them; empty for none.
    public var text = ""
    /// Tokens of an answer, at most.
    public var maxTokens = 64
}

/// What came of a trial.
public struct AdapterScores: Encodable, Sendable {
    /// A model's figures.
    public struct Figures: Encodable, Sendable {
        /// Questions whose greedy answer contains what it must.
        public var right: Int
        /// The mean -ln p of a token of the right answers.
        public var answerLoss: Double
        /// Answers that followed their procedure; nil where none is asked for.
        public var procedures: Int?
        /// exp of the mean -ln p of the text's tokens; nil without a text.
        public var perplexity: Double?

        /// Figures as measured.
        public init(right: Int, answerLoss: Double, procedures: Int?, perplexity: Double?) {
            (self.right, self.answerLoss) = (right, answerLoss)
            (self.procedures, self.perplexity) = (procedures, perplexity)
        }
    }
    /// Questions, and tokens of the text that were counted.
    public var questions, textTokens: Int
    /// The model as it is, and with the adapter.
    public var without, with: Figures

    /// Scores of a trial.
    public init(questions: Int, textTokens: Int, without: Figures, with: Figures) {
        (self.questions, self.textTokens) = (questions, textTokens)
        (self.without, self.with) = (without, with)
    }
}
