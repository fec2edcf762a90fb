/// A task as a tree of steps, and what a model reads of it: the active path, not the whole history.
///
/// The tree of the Task Memory Engine [186]: each step has its status, inputs and results, and a changed step says only
/// what holds now. As in L2MAC [57] and MEM1 [187] the prompt does not grow with the work that is done: of steps aside the
/// path it has only the results that the active step asks for.
package struct TaskTree: Sendable {
    /// The state of a step.
    package enum Status: String, Sendable, Codable, CaseIterable {
        /// Not begun.
        case open
        /// Worked on.
        case active
        /// Ended well.
        case done
        /// Ended badly.
        case failed
        /// Not to be done any more.
        case dropped

        /// True if nothing is left to do.
        package var isOver: Bool { self == .done || self == .failed || self == .dropped }
    }

    /// A step; the root is the task itself.
    package struct Step: Sendable, Equatable {
        /// Names it.
        package var id: String
        /// The step above; nil for the task.
        package var parent: String?
        /// Its place among its siblings, from 0.
        package var order: Int
        /// What is to be done.
        package var text: String
        /// Its state.
        package var status: Status
        /// What must hold for it and all below it.
        package var constraints: [String]
        /// What it starts from.
        package var input: String?
        /// Steps whose results it takes.
        package var needs: [String]
        /// What came of it.
        package var result: String?

        /// An open step without inputs.
        package init(
            id: String, parent: String?, order: Int, text: String, status: Status = .open, constraints: [String] = [],
            input: String? = nil, needs: [String] = [], result: String? = nil
        ) {
            self.id = id
            self.parent = parent
            self.order = order
            self.text = text
            self.status = status
            self.constraints = constraints
            self.input = input
            self.needs = needs
            self.result = result
        }
    }

    /// Steps with their depth in the order in which they are done; a step whose parent is missing is not among them.
    package let steps: [(step: Step, depth: Int)]

    /// - Parameters:
    ///   - steps: of one task, in any order.
    ///   - root: the task.
    /// - Complexity: O(*n* log *n*) in the steps.
    package init(_ steps: [Step], root: String) {
        let children = Dictionary(grouping: steps) { $0.parent ?? "" }
        var ordered: [(step: Step, depth: Int)] = []
        var stack = steps.filter { $0.id == root }.map { ($0, 0) }
        var seen: Set<String> = []
        while let (step, depth) = stack.popLast() {
            guard seen.insert(step.id).inserted else { continue }
            ordered.append((step, depth))
            let below = (children[step.id] ?? []).sorted { ($0.order, $0.id) > ($1.order, $1.id) }
            stack += below.map { ($0, depth + 1) }
        }
        self.steps = ordered
    }

    /// The step that is worked on: the active one that lies deepest, or else the first open one that has nothing below it
    /// left to do; nil if all is over.
    package var active: Step? {
        if let deepest = steps.filter({ $0.step.status == .active }).max(by: { $0.depth < $1.depth }) {
            return deepest.step
        }
        return steps.first { item in
            item.step.status == .open && path(to: item.step.id).allSatisfy { !$0.status.isOver }
                && !steps.contains { $0.step.parent == item.step.id && !$0.step.status.isOver }
        }?.step
    }

    /// The steps from the task down to one.
    package func path(to id: String) -> [Step] {
        let known = Dictionary(steps.map { ($0.step.id, $0.step) }) { first, _ in first }
        var path: [Step] = []
        var next: String? = id
        while let current = next.flatMap({ known[$0] }), path.count <= steps.count {
            path.insert(current, at: 0)
            next = current.parent
        }
        return path
    }

    /// What a model needs for the active step: the task, the way to the step, all that must hold on it, its inputs, and the
    /// results that it takes.
    package var prompt: String {
        guard let root = steps.first?.step else { return "" }
        var lines = ["Task: \(root.text)"]
        guard let active else { return (lines + ["All steps are over."] + result(of: root)).joined(separator: "\n") }
        let path = path(to: active.id)
        for step in path.dropFirst().dropLast() { lines.append("Part: \(step.text)") }
        if path.count > 1 { lines.append("Now: \(active.text)") }
        let constraints = path.flatMap(\.constraints)
        if !constraints.isEmpty { lines += ["It must hold:"] + constraints.map { "- " + $0 } }
        for step in path { lines += step.input.map { ["Given: \($0)"] } ?? [] }
        let known = Dictionary(steps.map { ($0.step.id, $0.step) }) { first, _ in first }
        for need in active.needs.compactMap({ known[$0] }) {
            lines.append("From '\(need.text)': \(need.result ?? "no result yet (\(need.status.rawValue))")")
        }
        // Parts below the active step that ended are what it is made of.
        for item in steps where item.step.parent == active.id { lines += result(of: item.step) }
        let over = steps.count { $0.step.status.isOver }
        lines.append("Steps over: \(over) of \(steps.count).")
        return lines.joined(separator: "\n")
    }

    private func result(of step: Step) -> [String] {
        step.result.map { ["Result of '\(step.text)': \($0)"] } ?? []
    }
}
