public import Mneme
public import MnemeCube
public import MnemeKV

/// A folder of KV cache blocks, as memory that was derived from memories: what was computed from
/// them is erased with them.
public struct FolderMemory: DerivedMemory {
    private let folder: KVFolder
    /// The folder itself.
    public var files: [String] { [folder.path] }

    /// Blocks in this folder, whether an engine uses it now or not.
    public init(_ folder: KVFolder) { self.folder = folder }

    /// Erases blocks that were computed from any of these memories, and these kept texts.
    public func erase(madeOf sources: Set<String>, _ activations: [ActivationReference]) throws {
        try folder.erase(sources: sources)
        for activation in activations {
            // What is not there any more need not be erased.
            do { if let end = KVHash(activation.block) { try folder.erase(text: end) } } catch let
                error as KVError
                where error.code == .notFound
            {}
        }
    }
}
