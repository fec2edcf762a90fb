import MnemeEngine
import MnemeKV
import MnemeStore

/// A measured value of now, as `/metrics` tells it: a name, what it means, the value.
typealias Gauge = (name: String, help: String, value: Double)

/// The gauges of a store and of an engine.
enum Gauges {
    /// Figures of a store: what it holds, and what waits to be done in it.
    static func of(_ store: StoreStatistics, _ jobs: [Job.State: Int]) -> [Gauge] {
        [
            ("mneme_memories", "Memories in the store.", Double(store.memories)),
            (
                "mneme_pending_embeddings", "Memories without a vector yet.",
                Double(store.pendingEmbeddings)
            ),
            ("mneme_store_bytes", "Bytes of the store on disk.", Double(store.bytesOnDisk)),
            ("mneme_jobs_waiting", "Jobs that wait.", Double(jobs[.waiting] ?? 0)),
            ("mneme_jobs_running", "Jobs that are being done.", Double(jobs[.running] ?? 0)),
            (
                "mneme_jobs_dead", "Jobs that failed for good and want a look.",
                Double(jobs[.dead] ?? 0)
            ),
        ]
    }

    /// Figures of an engine: what it runs, and its KV cache.
    static func of(_ engine: EngineStatistics) -> [Gauge] {
        [
            (
                "mneme_llm_waiting", "Requests that wait for the language model.",
                Double(engine.waiting)
            ),
            (
                "mneme_llm_running", "Requests that the language model answers.",
                Double(engine.running)
            ),
            (
                "mneme_llm_preempted", "Sequences put back as others needed their memory.",
                Double(engine.preempted)
            ),
            ("mneme_kv_bytes", "Bytes of keys and values in memory.", Double(engine.kv.bytes)),
            (
                "mneme_kv_idle_bytes", "Bytes of those that nobody reads now.",
                Double(engine.kv.idleBytes)
            ),
            (
                "mneme_kv_limit_bytes", "The most bytes of keys and values in memory.",
                Double(engine.kv.limit)
            ),
            ("mneme_kv_tokens", "Tokens that requests asked for.", Double(engine.kv.tokens)),
            (
                "mneme_kv_memory_tokens", "Tokens whose keys and values were found in memory.",
                Double(engine.kv.tokensFromMemory)
            ),
            (
                "mneme_kv_remote_tokens",
                "Tokens whose keys and values were found on the remote server.",
                Double(engine.kv.tokensFromRemote)
            ),
            (
                "mneme_kv_unsent_blocks", "Blocks that could not be sent to the remote server.",
                Double(engine.kv.unsent)
            ),
            (
                "mneme_kv_disk_tokens", "Tokens whose keys and values were found on disk.",
                Double(engine.kv.tokensFromDisk)
            ),
            ("mneme_kv_evicted_blocks", "Blocks given up for others.", Double(engine.kv.evicted)),
            ("mneme_kv_written_blocks", "Blocks written to disk.", Double(engine.kv.written)),
            (
                "mneme_kv_unwritten_blocks", "Blocks that could not be written.",
                Double(engine.kv.unwritten)
            ),
            (
                "mneme_kv_refused_blocks", "Blocks on disk that were damaged or foreign.",
                Double(engine.kv.refused)
            ),
            (
                "mneme_llm_prompt_tokens", "Tokens of prompts computed so far.",
                Double(engine.promptTokens)
            ),
            (
                "mneme_llm_answer_tokens", "Tokens of answers written so far.",
                Double(engine.answerTokens)
            ),
            (
                "mneme_llm_first_token_seconds", "Mean time to the first token.",
                engine.firstTokenSeconds / Double(max(1, engine.firstTokens))
            ),
            (
                "mneme_llm_between_tokens_seconds", "Mean time between tokens.",
                engine.betweenTokensSeconds / Double(max(1, engine.furtherTokens))
            ),
        ]
    }
}
