import ArgumentParser
import Foundation
import Mneme
import MnemeChat
import MnemeEngine
import MnemeModels
import MnemeServer

/// A language model on another server, for jobs that ask one (`refine`). It is told the memories of
/// the owner whose job it is; nothing else is sent.
struct OracleOptions: ParsableArguments {
    /// The base address of the server, with its version path.
    @Option(
        help: ArgumentHelp(
            "Ask the model of an OpenAI-compatible server, such as http://localhost:11434/v1: memories are sent there. MNEME_ORACLE_KEY holds its key.",
            valueName: "address"))
    var oracle: String?
    /// The model's name there, which goes into each request.
    @Option(help: "What that server calls the model.") var oracleModel: String?
    /// Answers for the model that runs here.
    @Option(
        help: ArgumentHelp(
            "Where the model that runs here is asked: an adapter that answers, learned with `mneme adapters train --operation extract`.",
            valueName: "name"))
    var oracleAdapter: String?

    /// The model that runs here, with the adapter that answers for it.
    ///
    /// - Throws: `AdapterError` if the adapter is not there, or out of use.
    func local(_ model: LanguageModel, _ engine: Engine) throws -> EngineOracle {
        if let oracleAdapter { _ = try Home.adapters.folder(oracleAdapter) }
        try Home.requireInUse(oracleAdapter)
        return EngineOracle(model, engine, adapter: oracleAdapter)
    }

    /// The model to ask; nil if none is named.
    ///
    /// - Throws: `InputError` if only one of the two options is given, or the address is no URL.
    ///
    /// The key comes from `MNEME_ORACLE_KEY` alone, as other users can see a command line.
    func remote() throws -> (any Oracle)? {
        let oracle = oracle ?? Settings.current.text(.oracle)
        let oracleModel = oracleModel ?? Settings.current.text(.oracleModel)
        guard let oracle else {
            guard oracleModel == nil else { throw InputError("--oracle-model goes with --oracle.") }
            return nil
        }
        guard let oracleModel else { throw InputError("--oracle goes with --oracle-model.") }
        return try RemoteOracle(
            base: oracle, model: oracleModel,
            key: ProcessInfo.processInfo.environment["MNEME_ORACLE_KEY"])
    }
}
