import MnemeCube

/// What traces are worth to one another: the task of each is replayed from the traces most like it, with and without each
/// of those.
///
/// A replay foretells the steps of a task by the steps of like tasks, each counted by the square of its likeness, and is as
/// good as the share that falls on the steps that were taken. The task itself is not run again: what it took is known.
enum TraceReplay {
    /// Traces that a replay goes by, and the latest ones that are replayed at most.
    static let width = 5, most = 500

    /// How much better all replays together are with a trace than without it; a trace that no replay went by has none.
    ///
    /// - Complexity: quadratic in the traces, of which the latest ``most`` count.
    static func utilities(of traces: [Trace]) -> [CubeID: Double] {
        let traces = Array(traces.suffix(most))
        var utilities: [CubeID: Double] = [:]
        for (place, task) in traces.enumerated() {
            var like = traces.indices.filter { $0 != place }.map {
                (trace: traces[$0], likeness: task.similarity(to: traces[$0]))
            }.filter { $0.likeness > 0 }
            // One more than a replay goes by: it moves up where another is left out.
            like = Array(
                like.enumerated().sorted {
                    ($1.element.likeness, $0.offset) < ($0.element.likeness, $1.offset)
                }.map(\.element).prefix(width + 1))
            let with = score(of: task, by: like.prefix(width))
            for candidate in like.prefix(width) {
                let others = like.filter { $0.trace.cube.id != candidate.trace.cube.id }
                utilities[candidate.trace.cube.id, default: 0] += with - score(of: task, by: others[...])
            }
        }
        return utilities
    }

    /// The share of what like traces speak for that falls on the steps that the task took.
    private static func score(of task: Trace, by like: ArraySlice<(trace: Trace, likeness: Double)>) -> Double {
        var (right, all) = (0.0, 0.0)
        for (trace, likeness) in like {
            for step in trace.steps {
                all += likeness * likeness
                right += task.steps.contains(step) ? likeness * likeness : 0
            }
        }
        return all == 0 ? 0 : right / all
    }
}
