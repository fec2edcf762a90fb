import ArgumentParser
import Mneme
import MnemeBase
import MnemeEngine
import MnemeKV

/// Places and sizes of the KV cache, in GiB: in memory, on disk (`$MNEME_HOME/kv`) and on a Redis
/// server.
///
/// They are shared by `chat`, `generate`, `serve`, `jobs run` and `kv warm`, so that one finds what
/// the other computed.
struct KVOptions: ParsableArguments {
    /// The budget on disk; the least useful blocks are evicted beyond it.
    @Option(
        help: ArgumentHelp(
            "Disk for the KV cache, so that no cached prefix is computed again; 0 keeps none.",
            valueName: "GiB"))
    var kvDisk = Settings.current.number(.kvDisk) ?? 4.0
    /// The budget in memory, for sequences that run and for blocks that are kept.
    @Option(
        help: ArgumentHelp(
            "Memory for the KV cache, in use and kept; 4, or a quarter of the machine's, if left out.",
            valueName: "GiB"))
    var kvMemory: Double?

    /// The codec of blocks on disk. Only f16 gives the same bits after a restart.
    @Option(
        help:
            "How they are kept on disk: f16 (exact), int8, int4 or int2 (smaller, and answers differ a little after a restart).",
        transform: Self.codec)
    var kvCodec = Settings.current.text(.kvCodec).flatMap(KVCodec.init) ?? .f16

    /// The remote tier. Blocks there are encrypted with the key of this machine if one is set.
    @Option(
        help: ArgumentHelp(
            "A Redis or Valkey server that machines share their KV cache through: redis://[[user]:password@]host[:port][/database], or rediss:// for TLS, with ?ca=FILE and &cert=FILE&key=FILE where it needs them.",
            valueName: "url"))
    var kvRemote: String?
    /// The budget there; the server keeps it for all machines.
    @Option(
        help: ArgumentHelp(
            "Memory that blocks may take on that server: those that cost least to compute again are evicted beyond, from the ends of texts on. 0 leaves it to the server's maxmemory; if left out, what the server was told last.",
            valueName: "GiB"))
    var kvRemoteMemory: Double?

    /// The recompute ratio for memories that stand at other positions; nil reuses prefixes only.
    @Option(
        help: ArgumentHelp(
            "In chats, take the KV cache of recalled memories from earlier prompts, where they stood at other positions, and compute this share of their tokens again, such as 0.15: the first word comes sooner, and answers may differ a little.",
            valueName: "ratio"))
    var kvReuse: Double?

    /// The policy of answers: which rows of the KV cache are kept behind the prompt.
    @Option(
        help: ArgumentHelp(
            "Answer from a part of the KV cache: which rows are kept behind the prompt, one of \(KVCompression.policies.joined(separator: ", ")). `mneme kv eval` tells what is lost.",
            valueName: "name"))
    var kvPolicy: String?
    /// The rows that a head keeps on average.
    @Option(
        help: ArgumentHelp(
            "How much the policy keeps: a share of the prompt's tokens, 0.25 if left out, or a number of tokens above 1.",
            valueName: "share"))
    var kvBudget: Double?
    /// The format of what is kept in memory.
    @Option(
        help: ArgumentHelp(
            "How answers keep keys and values in memory: f16, or int8 or int4, which take 0.55 and 0.31 of it.",
            valueName: "type"))
    var kvType: String?

    /// How answers keep keys and values, by flag, setting or default; nil keeps all as they are.
    ///
    /// - Throws: `EngineError` for what there is not.
    private func compression() throws -> KVCompression? {
        let settings = Settings.current
        var compression = KVCompression()
        compression.policy = kvPolicy ?? settings.text(.kvPolicy) ?? compression.policy
        compression.budget = kvBudget ?? settings.number(.kvBudget) ?? compression.budget
        if let name = kvType ?? settings.text(.kvType) { compression.type = try Self.codec(name) }
        try compression.check()
        return compression.isExact ? nil : compression
    }

    /// The codec that `--kv-codec` names.
    private static func codec(_ name: String) throws -> KVCodec {
        guard let codec = KVCodec(rawValue: name) else {
            throw ValidationError(
                "'\(name)' is not \(KVCodec.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        return codec
    }

    /// An engine with these bounds. Close it, so that what it computed is on disk.
    ///
    /// - Parameters:
    ///   - admission: which requests start beside others, of ``AdmissionCatalog``; nil as the engine
    ///     does by itself.
    ///   - record: the file that a line is written to for each answer; nil writes none.
    /// - Throws: `InputError` for bounds that make no sense, `KVError` if the folder or the server
    ///   cannot be used.
    func engine(_ model: LanguageModel, admission: String? = nil, record: String? = nil) throws -> Engine {
        // Numbers that fit no integer must not get as far as the conversion.
        var limits = Engine.Limits()
        let settings = Settings.current
        let kvMemory = kvMemory ?? settings.number(.kvMemory)
        let kvReuse = kvReuse ?? settings.number(.kvReuse)
        let kvRemote = kvRemote ?? settings.text(.kvRemote)
        let kvRemoteMemory = kvRemoteMemory ?? settings.number(.kvRemoteMemory)
        guard (0...1_000_000).contains(kvDisk), (0.001...100_000).contains(kvMemory ?? 1) else {
            throw InputError(
                "--kv-disk and --kv-memory are numbers of GiB; the second is not zero.")
        }
        guard (0...1_000_000).contains(kvRemoteMemory ?? 0), kvRemoteMemory == nil || kvRemote != nil else {
            throw InputError("--kv-remote-memory is a number of GiB, of the server that --kv-remote names.")
        }
        guard (0...1).contains(kvReuse ?? 0) else {
            throw InputError("--kv-reuse is a share between 0 and 1.")
        }
        limits.recomputeRatio = kvReuse
        limits.kv = try compression()
        if let admission { limits.admission = try AdmissionCatalog.policy(admission) }
        limits.recorder = try record.map { try RequestRecorder($0) }
        if let kvMemory { limits.kvBytes = Int(kvMemory * 1_073_741_824) }
        return try Engine(
            model, limits: limits,
            folder: kvDisk > 0 ? Home.kvFolder(limit: Int(kvDisk * 1_073_741_824)) : nil,
            remote: kvRemote.map {
                try Home.remoteTier($0, limit: kvRemoteMemory.map { Int($0 * 1_073_741_824) })
            },
            codec: kvCodec, adapters: Home.adapters)
    }
}
