import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemePipeline
import Synchronization
import Testing

/// LoCoBench-Agent: its metrics against the authors' evaluator (`scripts/make_golden_agent.py`), its form, its tools
/// and its play.
@Suite struct AgentTests {
    private static func json(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }

    private static let data = BenchData(path: nil, name: "sample", digest: "0")

    /// A folder with what a test puts there; it goes with the test.
    private static func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "mneme-agent-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try await body(folder)
    }

    private static func put(_ text: String, _ path: String) throws {
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    @Test func `the nine metrics are those of the authors' evaluator`() throws {
        let url = try #require(
            Bundle.module.url(forResource: "agent-sessions", withExtension: "json", subdirectory: "Golden"))
        let cases = try #require(try JSONValue(parsing: [UInt8](Data(contentsOf: url))).array)
        #expect(cases.count >= 6)
        for value in cases {
            let session = try AgentSession(#require(value["session"]))
            let metrics = AgentMetrics.all(session)
            let expected = try #require(value["metrics"]?.object)
            #expect(Set(metrics.keys) == Set(expected.keys))
            for (name, number) in expected {
                let (mine, theirs) = (metrics[name] ?? -1, try #require(number.double))
                #expect(abs(mine - theirs) < 1e-9, "\(name) of \(session.scenario): \(mine), not \(theirs)")
            }
            // What is written is read as the same session.
            let again = try AgentSession(session.json)
            #expect(again == session)
        }
    }

    @Test func `a session of another form is refused`() throws {
        for text in [
            "[]", "{}", #"{"modified_files": ["a.py"]}"#, #"{"modified_files": {"a.py": 1}}"#,
            #"{"conversation_history": "hello"}"#, #"{"tool_usage_log": [1]}"#,
            #"{"tool_usage_log": [{"tool_call": "read_file"}]}"#, #"{"conversation_history": [{"role": 1}]}"#,
        ] { #expect(throws: InputError.self, "\(text)") { try AgentSession(Self.json(text)) } }
    }

    @Test func `a scenario of one prompt gets the phases of its category`() throws {
        let scenario = try AgentScenario.ownSample()
        #expect(scenario.phases.map(\.id) == ["exploration", "diagnosis", "solution"] && scenario.turns == 20)
        #expect(scenario.files.count == 9 && scenario.contextFiles == ["shop/pricing.py", "shop/order.py"])
        #expect(scenario.wanted == ["shop/pricing.py", "shop/order.py", "tests/test_order.py"])
        let phases = try AgentScenario(
            Self.json(
                #"""
                {"scenario_id": "x", "description": "d", "max_turns": 3, "project_files": {"a//b.c": "int"},
                 "conversation_phases": [{"phase_id": "p", "initial_prompt": "Go.", "expected_actions": ["read_file"],
                   "success_conditions": ["done"], "max_turns_in_phase": 2, "dynamic_prompts": {"file_read": "On."}}],
                 "original_scenario": {"ground_truth": {"files": ["a/b.c"]}, "task_category": "security_analysis"}}
                """#), 0)
        #expect(phases.phases.count == 1 && phases.phases[0].followUps == ["file_read": "On."] && phases.turns == 3)
        #expect(phases.files == ["a/b.c": "int"] && phases.wanted == ["a/b.c"])
        #expect(phases.category == "security_analysis")
    }

    @Test func `a scenario of another form is refused`() throws {
        for text in [
            "{}", #"{"id": "x"}"#, #"{"description": 3}"#,
            #"{"description": "d", "context_files": ["../../etc/passwd"]}"#,
            #"{"description": "d", "project_files": {"/": "x"}}"#, #"{"description": "d", "project_files": {"a": 1}}"#,
            #"{"description": "d", "conversation_phases": []}"#,
            #"{"description": "d", "conversation_phases": [{"phase_id": "p"}]}"#,
        ] { #expect(throws: InputError.self, "\(text)") { try AgentScenario(Self.json(text), 0) } }
    }

    @Test func `scenarios and projects are found where the published data has them`() async throws {
        try await Self.withFolder { folder in
            let id = "python_shop_easy_001"
            let scenario =
                #"{"id": "\#(id)_code_comprehension_easy_01", "description": "d", "context_files": ["a.py"]}"#
            try Self.put(scenario, folder + "/output/scenarios/one.json")
            #expect(throws: InputError.self) { try AgentDataset(folder).scenario(0) }
            let project = folder + "/generated/\(id)_extra"
            try Self.put(
                #"{"files": [{"path": "src//a.py"}, {"path": "gone.py"}]}"#, project + "/project_metadata.json")
            try Self.put("x = 1\n", project + "/src/a.py")
            let dataset = try AgentDataset(folder)
            #expect(dataset.scenarios.count == 1)
            #expect(try dataset.scenario(0).files == ["src/a.py": "x = 1\n"])
            // One file alone finds its project, too.
            #expect(try AgentDataset(dataset.scenarios[0]).scenario(0).files.count == 1)
            // A project that leads out of its folder is refused, and so is a link.
            try Self.put(#"{"files": [{"path": "../../secret"}]}"#, project + "/project_metadata.json")
            #expect(throws: InputError.self) { try dataset.scenario(0) }
            try Self.put(#"{"files": [{"path": "link"}]}"#, project + "/project_metadata.json")
            try FileManager.default.createSymbolicLink(atPath: project + "/link", withDestinationPath: "/etc/hostname")
            #expect(throws: InputError.self) { try dataset.scenario(0) }
            try Self.put("{\"id\": ", folder + "/output/scenarios/one.json")
            #expect(throws: InputError.self) { try dataset.scenario(0) }
            #expect(throws: InputError.self) { try AgentDataset(folder + "/nowhere") }
        }
    }

    @Test func `the eight tools work or say why not`() async throws {
        let scenario = try AgentScenario.ownSample()
        let workspace = try await AgentWorkspace(scenario.files, BenchSetup())
        func ask(_ tool: String, _ parameters: [String: String] = [:]) async throws -> AgentToolResult {
            try await workspace.answer(tool, parameters)
        }
        #expect(AgentTool.allCases.count == 8)
        #expect(try await ask("read_file", ["path": "./shop//order.py"]).text.contains("class Order"))
        #expect(try await ask("list_directory", ["path": "tests"]).text == "tests/test_order.py")
        #expect(try await ask("search_code", ["query": "Quantize"]).files == ["shop/pricing.py"])
        let found = try await ask("semantic_search", ["query": "Where is a voucher's discount rounded?"])
        #expect(found.files.prefix(3).contains("shop/pricing.py"))
        let needs = try await ask("analyze_dependencies", ["path": "shop/pricing.py"])
        #expect(needs.text.contains("is imported by: shop/order.py"))
        let wrong: [(String, [String: String])] = [
            ("compiler", [:]), ("debugger", [:]), ("rm", ["path": "shop/order.py"]), ("read_file", ["path": "../x"]),
            ("read_file", ["path": "none.py"]), ("write_file", ["path": "", "content": "x"]), ("search_code", [:]),
            ("semantic_search", ["query": "??"]), ("write_file", ["path": "a.py", "content": "\u{0}"]),
            ("list_directory", ["path": "nowhere"]),
        ]
        for (tool, parameters) in wrong { #expect(try await ask(tool, parameters).isFailed, "\(tool)") }
        #expect(workspace.modified.isEmpty)
        // What was written over is not found any more, and what was written is.
        let text = "def launch(rocket):\n    return rocket.ignite(countdown=10)\n"
        #expect(try await !ask("write_file", ["path": "shop/mail.py", "content": text]).isFailed)
        let letters = try await ask("semantic_search", ["query": "Dear customer, thank you for shopping with us"])
        #expect(!letters.text.contains("Letters to customers"))
        #expect(try await ask("semantic_search", ["query": "rocket countdown ignite"]).files.first == "shop/mail.py")
        #expect(workspace.modified == ["shop/mail.py": text] && workspace.recalls == 3)
        await workspace.close()
    }

    @Test func `a rule plays the sample, and finds and reads what matters`() async throws {
        let sample = try AgentScenario.ownSample()
        let benchmark = AgentBenchmark([sample], Self.data, RuleAgent(), BenchSetup())
        let log = try BenchLog(nil, benchmark.header)
        let kept = Mutex<[AgentSession]>([])
        try await benchmark.run(log, keep: { session in kept.withLock { $0.append(session) } }) { _, _ in }
        let outcome = try #require(log.outcomes.first)
        // The context files are two of the three that matter; by words alone the third is not found.
        #expect(outcome.metrics["read recall"] ?? 0 >= 2.0 / 3 && outcome.metrics["search recall"] ?? 0 >= 2.0 / 3)
        #expect(outcome.metrics["read precision"] ?? 0 > 0.3 && outcome.metrics["overall"] ?? 0 > 0.5)
        let session = try #require(kept.withLock { $0.first })
        #expect(session.modified.isEmpty && session.turns <= sample.turns && session.errorRate == 0)
        #expect(session.messages.first?.content.contains("voucher") == true && session.calls.count > 3)
        let report = AgentReport(benchmark, log)
        #expect(report.scenarios == 1 && report.files == 9 && report.rows.count == 1)
        for name in AgentMetrics.comprehension + AgentMetrics.efficiency + AgentMetrics.means {
            #expect(report.text.contains(name) && report.markdown.contains("| \(name) |"))
        }
        // What is there is not played again.
        try await benchmark.run(log) { _, _ in }
        #expect(log.outcomes.count == 1)
    }

    /// Answers with one step after another, the last one for ever.
    private final class Scripted: Oracle {
        let name = "scripted"
        private let steps: Mutex<[String]>
        init(_ steps: [String]) { self.steps = Mutex(steps) }
        func answer(_ question: OracleQuestion) async throws -> String {
            steps.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
        }
    }

    private static func step(_ tool: String, _ path: String = "", _ content: String = "") -> String {
        #"{"tool":"\#(tool)","path":"\#(path)","query":"","content":"\#(content)"}"#
    }

    @Test func `a model's calls are done, counted, and its files scored`() async throws {
        let oracle = MeteredOracle(
            Scripted([
                Self.step("read_file", "shop/pricing.py"), Self.step("read_file", "none.py"),
                Self.step("answer", "", "Analysis: pricing rounds."), Self.step("debugger"),
                Self.step("write_file", "shop/pricing.py", "CENT = 1"), Self.step("answer", "", "Mended."),
                "no JSON",
            ]))
        var setup = BenchSetup()
        setup.oracle = oracle
        let benchmark = AgentBenchmark([try .ownSample()], Self.data, ModelAgent(oracle), setup)
        let log = try BenchLog(nil, benchmark.header)
        let kept = Mutex<AgentSession?>(nil)
        try await benchmark.run(log, keep: { session in kept.withLock { $0 = session } }) { _, _ in }
        let session = try #require(kept.withLock { $0 })
        #expect(session.modified == ["shop/pricing.py": "CENT = 1"] && session.errorRate == 0.5)
        #expect(session.calls.map(\.function) == ["read_file", "read_file", "debugger", "write_file"])
        let outcome = try #require(log.outcomes.first)
        // The file was read before it was written, but both stand first in their lists.
        #expect(outcome.metrics["information_coverage"] == 0.9)
        #expect(outcome.metrics["long_range_dependency_resolution"] == 0.4)
        #expect(outcome.modelCalls == 8 && outcome.modelTokens > 500)
    }

    @Test func `an agent that never ends a turn is stopped`() async throws {
        let oracle = Scripted([Self.step("list_directory", ".")])
        let sample = try AgentScenario.ownSample()
        let workspace = try await AgentWorkspace(sample.files, BenchSetup())
        var play = AgentPlay(sample, ModelAgent(oracle), workspace)
        let result = try await play.run()
        #expect(result.session.turns <= sample.turns && result.session.calls.count <= 24 * sample.turns)
        await workspace.close()
    }
}
