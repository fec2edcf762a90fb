public import MnemeKV

/// A request to the engine: a prompt in tokens, and how to answer it.
public struct GenerationRequest: Sendable {
    /// The prompt's tokens; at least one.
    public var prompt: [Int32]
    /// The choice of tokens.
    public var sampling = SamplingParameters()
    /// The most tokens of the answer; nil as many as fit.
    public var maxTokens: Int?
    /// The answer ends before any of these.
    public var stop: [String] = []
    /// The schema that the answer must fit; with ``tools``, if it is no call.
    public var schema: JSONSchema?
    /// The calls of tools that the answer may hold; nil reads all as text.
    public var tools: ToolGrammar?
    /// Takes end tokens for text like others, so that answers have their full length: for
    /// benchmarks, and for keeping prefixes.
    public var ignoresEnd = false
    /// The number of alternatives to report with each token, 0 to 20; nil reports no probabilities.
    public var alternatives: Int?
    /// The cache scope: only requests of the same scope find what is computed for it, as the time
    /// that an answer takes tells what is cached.
    public var scope = ""
    /// The adapter that the answer is computed with, by its name in the engine's store; nil for the
    /// model as it is. What is cached with one adapter is found with that one alone.
    public var adapter: String?
    /// Names of memories in the prompt: what is kept of it is forgotten with them.
    public var sources: Set<String> = []
    /// Parts of the prompt that may stand in other prompts at other places, in order: recalled
    /// memories. Their keys and values are reused there, if ``Engine/Limits/recomputeRatio`` says so and
    /// no adapter is named.
    public var texts: [Range<Int>] = []
    /// How its keys and values are compressed; nil as the engine does.
    public var kv: KVCompression?
    /// Whose request it is, for fairness.
    public var key = ""
    /// The most time from now to the end.
    public var timeout: Duration?

    /// A request with the defaults: greedy.
    public init(prompt: [Int32]) { self.prompt = prompt }
}

/// The reason for the end of an answer.
public enum FinishReason: String, Sendable, Codable {
    /// The model ended it, or a stop string was met.
    case stop
    /// The most tokens were reached.
    case length
    /// The model called tools; their results are the next messages of the conversation.
    case toolCalls = "tool_calls"
}

/// The cost of a request, and what ended its answer.
public struct GenerationUsage: Sendable, Equatable {
    /// Tokens of the prompt and of the answer.
    public var promptTokens = 0, completionTokens = 0
    /// Tokens of the prompt whose keys and values were there already.
    public var cachedTokens = 0
    /// Of these, tokens of texts that stood elsewhere: the answer may differ a little from one
    /// computed anew.
    public var reusedTokens = 0
    /// From arrival to the first token, and to the end; in seconds.
    public var firstToken = 0.0, total = 0.0
    /// The stop string that the answer ended before; nil if it ended otherwise.
    public var stopString: String?
    /// Messages of a chat that were left out, as all would not have fit.
    public var droppedMessages = 0
    /// The rows that the answer was given from; nil if all were.
    public var kept: KeptRows?
    /// Procedures of the adapter that the answer followed, in order; each took some of its tokens.
    public var procedures: [String] = []

    /// Figures that are all zero.
    public init() {}
}

/// A piece of an answer.
public enum GenerationEvent: Sendable {
    /// Text that is complete; may be empty while half a character or a possible stop string is held
    /// back.
    case token(text: String, id: Int32, probability: Double?, alternatives: [TokenProbability])
    /// The end of the answer.
    case finished(FinishReason, GenerationUsage)
}

/// Figures of an engine since its start.
public struct EngineStatistics: Sendable {
    /// Requests that wait, and that run.
    public var waiting = 0, running = 0
    /// Keys and values.
    public var kv = KVStatistics()
    /// Sequences that were put back as others needed their memory.
    public var preempted = 0
    /// Sequences whose keys and values were compressed.
    public var compressed = 0
    /// Adapters in memory, and their bytes.
    public var adapters = 0, adapterBytes = 0
    /// Tokens of prompts and answers computed.
    public var promptTokens = 0, completionTokens = 0
    /// Tokens that were drafted from prompts, and those of them that were accepted.
    public var draftedTokens = 0, acceptedTokens = 0
    /// Requests ended, also by errors.
    public var finished = 0
    /// Seconds from requests to their first tokens.
    public var firstTokenTimes = Histogram(bounds: timeBounds)
    /// Seconds from tokens of answers to the next.
    public var betweenTokensTimes = Histogram(bounds: timeBounds)

    /// Upper bounds of the histograms' buckets, in seconds: from a token of a small model to a long
    /// prompt of a large one.
    public static let timeBounds = [
        0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60,
    ]
}
