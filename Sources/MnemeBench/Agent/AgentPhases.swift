/// The conversation that a scenario of one prompt becomes: first the code is explored, then phases follow that its
/// category asks for. Phases, expected actions and numbers of turns are the authors'; the words are our own, as the
/// user's part is not what is measured.
enum AgentPhases {
    /// Turns of a scenario at most, by how hard it is.
    static func turns(_ difficulty: String) -> Int {
        ["easy": 20, "medium": 30, "hard": 40, "expert": 50][difficulty] ?? 30
    }

    /// The phases of a scenario's category.
    static func phases(of scenario: AgentScenario) -> [AgentScenario.Phase] {
        let isExpert = scenario.difficulty == "expert"
        var phases = [
            phase(
                "exploration", "Get to know the code that this is about. \(scenario.task)",
                ["read_file", "search_code", "list_files"], isExpert ? 8 : 6)
        ]
        switch scenario.category {
        case "bug_investigation", "interactive_debugging_sessions":
            phases.append(
                phase(
                    "diagnosis", "What is the cause of the fault? Name it, and the place.",
                    ["debugger", "search_code", "trace_execution"], isExpert ? 10 : 7))
            phases.append(
                phase("solution", "Mend the fault.", ["write_file", "compiler", "test_runner"], isExpert ? 12 : 8))
        case "feature_implementation", "collaborative_feature_development":
            phases.append(
                phase(
                    "planning", "How will the feature be built? Read what it touches, then say the plan.",
                    ["search_code", "read_file", "analyze_dependencies"], 6))
            phases.append(
                phase(
                    "implementation", "Build the feature as planned.", ["write_file", "compiler", "ide_simulator"],
                    isExpert ? 15 : 10))
            phases.append(
                phase(
                    "testing", "Write tests for the feature and run them.", ["test_runner", "compiler", "debugger"], 8))
        case "architectural_understanding", "code_comprehension", "interactive_architecture_exploration",
            "interactive_code_exploration":
            phases.append(
                phase(
                    "analysis", "Describe the design: its parts, and how they depend on each other.",
                    ["search_code", "read_file", "trace_dependencies"], isExpert ? 10 : 7))
            phases.append(
                phase(
                    "implementation", "Make the improvement that your description asks for most.",
                    ["write_file", "compiler", "test_runner"], isExpert ? 12 : 8))
            phases.append(
                phase("documentation", "Write down what you found and changed.", ["write_file", "create_diagrams"], 6))
        default:
            phases.append(
                phase(
                    "implementation", "Do what the task asks for.", ["write_file", "compiler", "test_runner"],
                    isExpert ? 12 : 8))
        }
        return phases
    }

    private static func phase(_ id: String, _ prompt: String, _ actions: [String], _ turns: Int) -> AgentScenario.Phase
    {
        var phase = AgentScenario.Phase(id: id, prompt: prompt)
        (phase.actions, phase.turns) = (actions, turns)
        phase.followUps = [
            "analysis_started": "Go on. What else did you find?",
            "file_read": "Go on with the other files that matter here.",
        ]
        return phase
    }
}
