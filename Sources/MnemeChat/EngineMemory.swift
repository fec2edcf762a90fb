public import Mneme
public import MnemeCube
public import MnemeEngine
import MnemeKV

/// The KV cache of an engine, as memory that was derived from memories: what was computed from them
/// is erased with them.
public struct EngineMemory: DerivedMemory {
    private let engine: Engine
    /// None: the engine's files are the folder's, which whoever opened it has attached as
    /// ``FolderMemory``.
    public var files: [String] { [] }

    /// Keys and values that this engine has.
    public init(_ engine: Engine) { self.engine = engine }

    /// Erases blocks that were computed from any of these memories, and these kept texts.
    public func erase(madeOf sources: Set<String>, _ activations: [ActivationReference]) throws {
        try engine.erase(sources: sources, texts: activations.compactMap { KVHash($0.block) })
    }
}
