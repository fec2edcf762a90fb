import Foundation
import MnemeBase
public import MnemeStore
import NIOConcurrencyHelpers

extension AdaptersOperation {
    /// The memory of an adapter that the caller may use, and who has its weights.
    ///
    /// - Throws: `StoreError` if there is none of this name, or it is out of use; `InputError` without a language model.
    fileprivate static func served(_ input: OperationInput, _ context: OperationContext, _ caller: Caller) async throws
        -> (cube: MemCube, host: any AdapterHost)
    {
        let found = try await one(input, context, caller)
        guard found.state != .archived else {
            throw StoreError(
                .notFound,
                "This adapter is out of use, as its memory is archived. Restore \(found.id), and it serves again.")
        }
        return (found, try host(context))
    }

    fileprivate static func host(_ context: OperationContext) throws -> any AdapterHost {
        guard let host = context.memory.adapterHost.withLockedValue(\.self) else {
            throw InputError(
                "No language model runs here, so that there are no adapters: `mneme serve --model NAME` has them.")
        }
        return host
    }

    /// show-adapter: what one adapter is made of.
    public enum Show: Operation {
        /// `operationId` in OpenAPI.
        public static let name = "show-adapter"
        /// The sentence that OpenAPI shows.
        public static let summary = "Show an adapter: what it was made of, its ranks, matrices and procedures."
        /// `read`, of the memory that stands for it.
        public static let permission = Permission.read
        /// The name is part of the path.
        public static let route: Route? = Route(.get, "/v1/adapters/{name}")
        /// HTTP alone: on the command line `mneme adapters show` does it.
        public static let surfaces: Set<Surface> = [.http]
        /// The name (required), the owner.
        public static let parameters: [any AnyParameter] = [oneName] + ScopeParameters.owner

        struct Output: Encodable, Sendable {
            var adapter: Row
            var details: AdapterDetails
        }

        /// Reads an adapter.
        ///
        /// - Throws: `StoreError` if there is none; `AdapterError` if it is damaged, or of another model.
        public static func run(_ input: OperationInput, _ context: OperationContext) async throws -> OperationOutput {
            let (cube, host) = try await served(input, context, context.caller(self))
            guard let row = Row(cube) else { throw StoreError(.notFound, "The memory \(cube.id) is no adapter's.") }
            return .value(Output(adapter: row, details: try await host.details(of: row.name, memory: cube.id)))
        }
    }

    /// eval-adapter: what an adapter knows that the model does not, and what it costs elsewhere.
    public enum Evaluate: Operation {
        /// `operationId` in OpenAPI.
        public static let name = "eval-adapter"
        /// The sentence that OpenAPI shows.
        public static let summary = "Measure answers, and the perplexity of a text, with an adapter and without."
        /// `read`, of the memory that stands for it.
        public static let permission = Permission.read
        /// The name is part of the path.
        public static let route: Route? = Route(.post, "/v1/adapters/{name}/eval")
        /// HTTP alone: on the command line `mneme adapters eval` does it.
        public static let surfaces: Set<Surface> = [.http]
        static let questions = Parameter<QuestionList>(
            "questions", "Objects with 'prompt' and 'answer': right is an answer that contains it.", required: true)
        static let text = Parameter<String>(
            "text", "A text that has nothing to do with them, whose perplexity is measured.")
        static let maxTokens = Parameter<Int>(
            "max_tokens", "The most tokens of an answer; 64 if left out.", range: 1...4096)
        /// The name and the questions (required), a text, the most tokens of an answer, the owner.
        public static let parameters: [any AnyParameter] =
            [oneName, questions, text, maxTokens] + ScopeParameters.owner

        /// Asks.
        ///
        /// - Throws: `StoreError` if there is no such adapter; `AdapterError`, `EngineError`, `CancellationError`.
        /// - Complexity: two answers and two prefills a question.
        public static func run(_ input: OperationInput, _ context: OperationContext) async throws -> OperationOutput {
            let (cube, host) = try await served(input, context, context.caller(self))
            var trial = AdapterTrial(questions: try input.require(questions).questions)
            trial.text = input[text] ?? ""
            trial.maxTokens = input[maxTokens] ?? trial.maxTokens
            return .value(try await host.scores(of: cube.adapter?.name ?? "", memory: cube.id, trial))
        }
    }

    /// export-adapter: the weights as PEFT has them.
    public enum Export: Operation {
        /// `operationId` in OpenAPI.
        public static let name = "export-adapter"
        /// The sentence that OpenAPI shows.
        public static let summary =
            "Hand out an adapter as PEFT has it: adapter_config.json as text, adapter_model.safetensors in base64."
        /// `read`, of the memory that stands for it.
        public static let permission = Permission.read
        /// The name is part of the path.
        public static let route: Route? = Route(.get, "/v1/adapters/{name}/weights")
        /// HTTP alone: on the command line `mneme adapters export` writes a folder.
        public static let surfaces: Set<Surface> = [.http]
        /// The name (required), the owner.
        public static let parameters: [any AnyParameter] = [oneName] + ScopeParameters.owner

        struct Output: Encodable, Sendable { var name, config, weights: String }

        /// Reads the files.
        ///
        /// - Throws: `StoreError` if there is no such adapter; `AdapterError`, `FileError`.
        public static func run(_ input: OperationInput, _ context: OperationContext) async throws -> OperationOutput {
            let (cube, host) = try await served(input, context, context.caller(self))
            guard let adapter = cube.adapter,
                case .peft(let configuration, let weights) = try await host.files(of: adapter.name, memory: cube.id)
            else { throw StoreError(.notFound, "There is no adapter of this name. `adapters` lists them.") }
            return .value(
                Output(
                    name: adapter.name, config: String(decoding: configuration, as: UTF8.self),
                    weights: weights.base64EncodedString()))
        }
    }

    /// import-adapter: takes one in, as export-adapter hands it out, or as llama.cpp has it.
    public enum Import: Operation {
        /// `operationId` in OpenAPI.
        public static let name = "import-adapter"
        /// The sentence that OpenAPI shows.
        public static let summary =
            "Take an adapter in for the model that runs here: as PEFT has it (config, weights), or a GGUF file."
        /// `write`: a memory stands for it.
        public static let permission = Permission.write
        /// All is in the body.
        public static let route: Route? = Route(.post, "/v1/adapters")
        /// HTTP alone: on the command line `mneme adapters import` reads files.
        public static let surfaces: Set<Surface> = [.http]
        static let config = Parameter<String>("config", "adapter_config.json, as text; goes with 'weights'.")
        static let weights = Parameter<String>("weights", "adapter_model.safetensors in base64; goes with 'config'.")
        static let gguf = Parameter<String>("gguf", "A GGUF file of llama.cpp in base64, in place of both.")
        static let replace = Parameter<Bool>("replace", "True to replace the owner's adapter of this name.")
        /// The name (required), its files, whether one is replaced (no), the reason, the owner.
        public static let parameters: [any AnyParameter] =
            [oneName, config, weights, gguf, replace, MemoryParameters.reason] + ScopeParameters.owner

        struct Output: Encodable, Sendable { var adapter: Row }

        /// Checks that it fits the model, and keeps it.
        ///
        /// - Throws: `InputError` for files that are none; `AdapterError` for what is damaged, does not fit, or has a name
        ///   that is taken; `StoreError`, `FileError`. Nothing is kept then.
        public static func run(_ input: OperationInput, _ context: OperationContext) async throws -> OperationOutput {
            let owner = try ScopeParameters.owner(input, context)
            let caller = context.caller(self, reason: input[MemoryParameters.reason])
            var arrival = AdapterArrival(try files(input), name: try input.require(oneName), owner: owner)
            arrival.replaces = input[replace] == true
            let cube = try await host(context).take(arrival, in: context.memory, by: caller)
            guard let row = Row(cube) else { throw StoreError(.notFound, "The memory \(cube.id) is no adapter's.") }
            return .value(Output(adapter: row))
        }

        private static func files(_ input: OperationInput) throws -> AdapterFiles {
            func bytes(_ parameter: Parameter<String>) throws -> Data? {
                guard let text = input[parameter] else { return nil }
                guard let data = Data(base64Encoded: text), !data.isEmpty else {
                    throw InputError("'\(parameter.name)' is not base64.")
                }
                return data
            }
            switch (input[config], try bytes(weights), try bytes(gguf)) {
            case (let config?, let weights?, nil): return .peft(configuration: Data(config.utf8), weights: weights)
            case (nil, nil, let gguf?): return .gguf(gguf)
            default: throw InputError("An adapter is 'config' and 'weights', or 'gguf'.")
            }
        }
    }
}

/// Questions with their answers.
public struct QuestionList: ParameterValue {
    let questions: [AdapterTrial.Question]

    /// An array of 1 to 1000 objects; each has `prompt` and `answer`.
    public static var schema: [String: JSONValue] {
        let text: JSONValue = ["type": "string", "minLength": 1]
        return [
            "type": "array", "minItems": 1, "maxItems": 1000,
            "items": [
                "type": "object", "properties": ["prompt": text, "answer": text, "procedure": text],
                "required": ["prompt", "answer"],
            ],
        ]
    }

    /// What each question has.
    public static var wanted: String { "a list of 1 to 1000 objects with a 'prompt' and an 'answer'" }

    /// Objects that have both, with more than blanks.
    public init?(json: JSONValue) {
        guard let list = json.array, (1...1000).contains(list.count) else { return nil }
        let read = list.compactMap { item -> AdapterTrial.Question? in
            guard let prompt = item["prompt"]?.string, let answer = item["answer"]?.string,
                !prompt.allSatisfy(\.isWhitespace), !answer.allSatisfy(\.isWhitespace)
            else { return nil }
            return AdapterTrial.Question(prompt: prompt, answer: answer, procedure: item["procedure"]?.string)
        }
        guard read.count == list.count else { return nil }
        questions = read
    }
}
