import Mneme
import MnemeEngine
import MnemeKV
import MnemeStore

/// Metrics of a store and an engine, read when they are asked for.
enum CollectedMetrics {
    /// Figures of a store: what it holds, and what waits to be done in it.
    static func of(_ store: StoreStatistics, _ jobs: [Job.State: Int]) -> [MetricFamily] {
        [
            MetricFamily(
                "mneme_memories", .gauge, "Memories in the store.", Double(store.memories)),
            MetricFamily(
                "mneme_pending_embeddings", .gauge, "Memories without a vector yet.",
                Double(store.pendingEmbeddings)),
            MetricFamily(
                "mneme_store_bytes", .gauge, "Bytes of the store on disk.", Double(store.bytesOnDisk)),
            MetricFamily(
                "mneme_jobs_waiting", .gauge, "Jobs that wait.", Double(jobs[.waiting] ?? 0)),
            MetricFamily(
                "mneme_jobs_running", .gauge, "Jobs that are being done.", Double(jobs[.running] ?? 0)),
            MetricFamily(
                "mneme_jobs_dead", .gauge, "Jobs that failed for good and want a look.",
                Double(jobs[.dead] ?? 0)),
        ]
    }

    /// What is heard of other servers; nothing where none shares the store.
    static func following(_ memory: MemoryOS) -> [MetricFamily] {
        guard let shared = memory.shared, let count = memory.followedCount else { return [] }
        return [
            MetricFamily(
                "mneme_following", .gauge, "1 while notices of other servers are heard, else 0.",
                shared.isFollowing ? 1 : 0),
            MetricFamily(
                "mneme_followed_changes", .counter,
                "Times that an index caught up with other servers' work before anybody asked.", Double(count)),
        ]
    }

    /// Figures of an engine: what it runs, and its KV cache.
    static func of(_ engine: EngineStatistics) -> [MetricFamily] {
        [
            MetricFamily(
                "mneme_llm_waiting", .gauge, "Requests that wait for the language model.",
                Double(engine.waiting)),
            MetricFamily(
                "mneme_llm_running", .gauge, "Requests that the language model answers.",
                Double(engine.running)),
            MetricFamily(
                "mneme_llm_preempted", .counter, "Sequences preempted as others needed their memory.",
                Double(engine.preempted)),
            MetricFamily(
                "mneme_llm_compressed", .counter, "Sequences that went on with a part of their rows.",
                Double(engine.compressed)),
            MetricFamily(
                "mneme_kv_bytes", .gauge, "Bytes of keys and values in memory.", Double(engine.kv.bytes)),
            MetricFamily(
                "mneme_kv_idle_bytes", .gauge, "Bytes of those that nobody reads now.",
                Double(engine.kv.idleBytes)),
            MetricFamily(
                "mneme_kv_limit_bytes", .gauge, "The most bytes of keys and values in memory.",
                Double(engine.kv.limit)),
            MetricFamily(
                "mneme_kv_tokens", .counter, "Tokens that were looked up in the KV cache.", Double(engine.kv.tokens)),
            MetricFamily(
                "mneme_kv_memory_tokens", .counter, "Tokens whose keys and values were found in memory.",
                Double(engine.kv.tokensFromMemory)),
            MetricFamily(
                "mneme_kv_remote_tokens", .counter,
                "Tokens whose keys and values were found on the remote server.",
                Double(engine.kv.tokensFromRemote)),
            MetricFamily(
                "mneme_kv_unsent_blocks", .counter, "Blocks that could not be sent to the remote server.",
                Double(engine.kv.unsent)),
            MetricFamily(
                "mneme_kv_disk_tokens", .counter, "Tokens whose keys and values were found on disk.",
                Double(engine.kv.tokensFromDisk)),
            MetricFamily(
                "mneme_kv_evicted_blocks", .counter, "Blocks evicted for others.", Double(engine.kv.evicted)),
            MetricFamily(
                "mneme_kv_written_blocks", .counter, "Blocks written to disk.", Double(engine.kv.written)),
            MetricFamily(
                "mneme_kv_unwritten_blocks", .counter, "Blocks that could not be written.",
                Double(engine.kv.unwritten)),
            MetricFamily(
                "mneme_kv_refused_blocks", .counter, "Blocks on disk that were damaged or foreign.",
                Double(engine.kv.refused)),
            MetricFamily(
                "mneme_llm_prompt_tokens", .counter, "Tokens of prompts computed so far.",
                Double(engine.promptTokens)),
            MetricFamily(
                "mneme_llm_answer_tokens", .counter, "Tokens of answers written so far.",
                Double(engine.completionTokens)),
            MetricFamily(
                "mneme_llm_first_token_seconds", .gauge,
                "Mean time to the first token, as the histogram beside it has it.",
                engine.firstTokenTimes.mean),
            MetricFamily(
                "mneme_llm_between_tokens_seconds", .gauge,
                "Mean time between tokens, as the histogram beside it has it.",
                engine.betweenTokensTimes.mean),
            MetricFamily(
                "mneme_llm_time_to_first_token_seconds", .histogram,
                "Seconds from a request to its answer's first token.",
                engine.firstTokenTimes.samples),
            MetricFamily(
                "mneme_llm_time_between_tokens_seconds", .histogram,
                "Seconds from a token of an answer to the next.", engine.betweenTokensTimes.samples),
        ]
    }
}
