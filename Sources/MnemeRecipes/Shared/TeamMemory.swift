import Foundation
import MnemeCube
import MnemePipeline

/// What a team's cases give: a trajectory of each task that went well, and insights that several agents bear out.
///
/// A trajectory is the case with those who worked on it, in place of all that was said; it is linked with the messages it
/// was made of (who said what), and with trajectories of like tasks (which task is like which). An insight is linked with
/// the cases that bear it out.
struct TeamMemory: Sendable {
    /// Agents that an insight needs, insights at most, and like tasks that a trajectory is linked with.
    var leastAgents = 2, most = 100, like = 2

    /// What is new, and what no longer holds.
    func operations(on memories: [MemCube], in context: MaintenanceContext) -> [MemoryOperation] {
        let traces = Trace.good(in: memories)
        return trajectories(of: traces, among: memories, context) + insights(of: traces, among: memories, context)
    }

    /// Trajectories of tasks that have none yet, each of a session with several messages.
    private func trajectories(of traces: [Trace], among memories: [MemCube], _ context: MaintenanceContext)
        -> [MemoryOperation]
    {
        let kept = memories.filter { $0.tags.contains(GMemory.trajectoryTag) }
        let known = Set(kept.compactMap(\.scope.session))
        let sessions = Dictionary(
            grouping: memories.filter { $0.provenance.source != Provenance.recipe }, by: { $0.scope.session ?? "" })
        let older = kept.compactMap { cube in Trace(cube).map { (id: cube.id, trace: $0) } }
        return traces.compactMap { trace in
            guard let session = trace.cube.scope.session, !known.contains(session),
                let said = sessions[session], said.count > 1
            else { return nil }
            let agents = Set(said.compactMap(\.speaker)).sorted()
            let text = trace.cube.text + (agents.isEmpty ? "" : " Worked on by \(agents.joined(separator: ", ")).")
            guard
                case .add(var cube, var links)? = context.derive(
                    text, type: .procedural, from: said, tag: GMemory.trajectoryTag)
            else { return nil }
            cube.metadata = trace.cube.metadata
            let near = older.sorted { trace.similarity(to: $0.trace) > trace.similarity(to: $1.trace) }.prefix(like)
            links += near.map {
                CubeLink(source: cube.id, target: $0.id, kind: GMemory.likeKind, time: context.now)
            }
            return .add(cube, links: links)
        }
    }

    /// Insights that are new; those that cases no longer bear out are given up.
    private func insights(of traces: [Trace], among memories: [MemCube], _ context: MaintenanceContext)
        -> [MemoryOperation]
    {
        let rules = TraceRule.all(in: traces).filter { rule in
            Set(rule.traces.compactMap(\.cube.speaker)).count >= leastAgents
        }.prefix(most)
        let texts = rules.map { "Insight: \($0.word). The team took: \($0.step)." }
        let kept = memories.filter { $0.tags.contains(GMemory.teamTag) }
        let known = Set(kept.map(\.text))
        return kept.filter { !texts.contains($0.text) }.map { .archive($0.id) }
            + zip(texts, rules).filter { !known.contains($0.0) }.compactMap { text, rule in
                context.derive(text, type: .procedural, from: rule.traces.map(\.cube), tag: GMemory.teamTag)
            }
    }
}
