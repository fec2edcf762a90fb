import Foundation
public import Mneme
import MnemeBase
import MnemeCube
public import MnemeEngine
import MnemeKV
public import MnemeModels
public import MnemeStore
import MnemeTrain

/// The adapters that an engine serves, for operations on them.
public struct ServedAdapters: AdapterHost {
    private let model: LanguageModel
    private let engine: Engine
    private let adapters: AdapterStore
    /// The model as commands name it.
    public let name: String
    /// The store whose memories stand for adapters, as records name it; nil is the usual one.
    public var store: String?
    /// A folder that remembers hashes of models' files; nil remembers none.
    public var hashes: String?

    /// - Parameters:
    ///   - model: the model that the engine runs.
    ///   - engine: answers, with adapters of `adapters`.
    ///   - name: the model as commands name it.
    ///   - adapters: the adapters that the engine knows.
    public init(_ model: LanguageModel, _ engine: Engine, named name: String, in adapters: AdapterStore) {
        (self.model, self.engine, self.name, self.adapters) = (model, engine, name, adapters)
    }

    /// Reads an adapter that is in use.
    ///
    /// - Throws: `AdapterError` if there is none of this memory, it was taken out of use, is damaged, or is of another model.
    private func read(_ name: String, _ memory: CubeID) throws -> (adapter: Adapter, record: AdapterRecord) {
        let folder = try adapters.folder(name)
        guard let record = try folder.record(), record.cube?.id == memory.description else {
            throw AdapterError(
                .notFound, "There is no adapter '\(name)' on this machine that the memory \(memory) stands for.")
        }
        if let why = record.withdrawn {
            throw AdapterError(.unavailable, "The adapter '\(name)' was taken out of use: \(why)")
        }
        return (try folder.read(for: model.decoder.configuration), record)
    }

    /// Ranks, matrices and procedures.
    ///
    /// - Throws: `AdapterError`.
    public func details(of name: String, memory: CubeID) async throws -> AdapterDetails {
        let adapter = try read(name, memory).adapter
        return AdapterDetails(
            hash: adapter.hash, ranks: adapter.terms.isEmpty ? 0...0 : adapter.ranks,
            matrices: adapter.linears.map(\.rawValue), procedures: adapter.procedures?.names)
    }

    /// Asks with the adapter and without, beside other requests.
    ///
    /// - Throws: `AdapterError`, `EngineError`, `CancellationError`.
    public func scores(of name: String, memory: CubeID, _ trial: AdapterTrial) async throws -> AdapterScores {
        _ = try read(name, memory)
        let limit = min(model.decoder.configuration.contextLength, 2048) - trial.maxTokens
        guard limit > 0 else {
            throw InputError("Answers of \(trial.maxTokens) tokens leave no room for questions. Ask for shorter ones.")
        }
        let encoder = try ExampleEncoder(model.tokenizer, template: model.chatTemplate, limit: limit)
        let questions = trial.questions.map { asked in
            var question = AdapterEvaluation.Question(prompt: asked.prompt, answer: asked.answer)
            question.procedure = asked.procedure
            return question
        }
        let result = try await AdapterEvaluation.run(
            engine, adapter: name, questions: questions, text: trial.text.isEmpty ? [] : model.tokens(of: trial.text),
            maxTokens: trial.maxTokens
        ) {
            let sequence = encoder.encode(TrainingExample(prompt: $0.prompt, completion: $0.answer))
            return (sequence.tokens, sequence.promptTokens)
        }
        func figures(_ f: AdapterEvaluation.Figures) -> AdapterScores.Figures {
            AdapterScores.Figures(
                right: f.right, answerLoss: f.answerLoss, procedures: f.procedures, perplexity: f.perplexity)
        }
        return AdapterScores(
            questions: result.questions, textTokens: result.textTokens, without: figures(result.without),
            with: figures(result.with))
    }

    /// The files as PEFT has them.
    ///
    /// - Throws: `AdapterError`, `FileError`.
    public func files(of name: String, memory: CubeID) async throws -> AdapterFiles {
        let (adapter, record) = try read(name, memory)
        return try adapters.withTemporaryFolder { folder in
            let place = AdapterFolder(path: folder + "/adapter")
            try place.export(adapter, base: record.base)
            let (configuration, weights) = try place.contents()
            return .peft(configuration: configuration, weights: weights)
        }
    }

    /// Keeps an adapter that fits the model, and the memory that stands for it.
    ///
    /// - Throws: `AdapterError` for what is damaged, does not fit, or has a name that is taken or another owner's;
    ///   `StoreError`, `FileError`.
    public func take(_ arrival: AdapterArrival, in memory: any AdapterKeeper, by caller: Caller) async throws -> MemCube
    {
        let (name, owner) = (arrival.name, arrival.owner)
        try AdapterStore.check(name: name)
        if arrival.replaces {
            try adapters.checkReplaceable(name, by: owner)
            // One that nobody owns is for all, put there by who runs the server.
            if !caller.principal.reachesAll, adapters.names().contains(name),
                try adapters.folder(name).record()?.cube == nil
            {
                throw AdapterError(.exists, "The adapter '\(name)' is not yours to replace. Choose another name.")
            }
        }
        var record = AdapterRecord(name: name, base: self.name)
        record.cube = AdapterRecord.Cube(user: owner.user, tenant: owner.tenant, store: store)
        (record.source, record.created) = ("HTTP, by \(caller.principal.name)", caller.time)
        record.baseHash = try ModelIdentity.hash(model.path, cache: hashes)
        let (new, shape) = (record, model.decoder.configuration)
        let adapter = try adapters.withTemporaryFolder { folder in
            let path: String
            switch arrival.files {
            case .gguf(let data):
                path = folder + "/adapter.gguf"
                try AtomicFile.write(data, to: path)
            case .peft(let configuration, let weights):
                path = folder
                try AdapterFolder(path: folder).write(configuration: configuration, weights: weights)
            }
            return try adapters.add(importing: path, new, for: shape, replacing: arrival.replaces).read(for: shape)
        }
        return try await adapters.remember(adapter, new, in: memory, by: caller)
    }
}

extension AdapterStore {
    /// Refuses to put an adapter in the place of another owner's.
    ///
    /// - Throws: `InputError`, `AdapterError`.
    package func checkReplaceable(_ name: String, by owner: Owner) throws {
        guard names().contains(name), let place = try folder(name).record()?.cube,
            Owner(tenant: place.tenant, user: place.user) != owner
        else { return }
        throw InputError(
            "The adapter '\(name)' is \(place.user)'s. Choose another name, or erase it: `mneme adapters erase \(name)`."
        )
    }
}
