import Foundation
import Mneme
import MnemeStore
import Testing

@Suite struct OperationTests {
    private func call(
        _ operation: any Mneme.Operation.Type, _ arguments: [String: JSONValue], _ memory: MemoryOS,
        _ principal: Principal = .local
    ) async throws
        -> JSONValue
    {
        guard
            case .value(let value) = try await operation.call(
                arguments, OperationContext(memory: memory, principal: principal), surface: .http)
        else {
            return .null
        }
        return try JSONDecoder().decode(
            JSONValue.self, from: Data(try OperationTable.encode(value).utf8))
    }

    @Test func `the table is complete and consistent`() {
        let names = OperationTable.all.map { $0.name }
        #expect(Set(names).count == names.count)
        let routes = OperationTable.all.compactMap { $0.route }
        #expect(Set(routes).count == routes.count)
        for operation in OperationTable.all {
            #expect(
                operation.summary.hasSuffix(".")
                    && !operation.parameters.contains { $0.help.isEmpty })
            let parameters = operation.parameters.map(\.name)
            #expect(Set(parameters).count == parameters.count, "\(operation.name)")
            for part in (operation.route?.path ?? "").split(separator: "/")
            where part.hasPrefix("{") {
                #expect(parameters.contains(String(part.dropFirst().dropLast())))
            }
        }
    }

    @Test func `a memory's whole life`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let made = try await call(
            RememberOperation.self, ["text": "The key is under the mat", "tag": ["home"]], memory)
        let id = try #require(made["memories"]?.array?.first?["id"]?.string)
        #expect(
            try await call(GetOperation.self, ["id": .string(id)], memory)["memory"]?["text"]?
                .string
                == "The key is under the mat")
        #expect(
            try await call(
                UpdateOperation.self, ["id": .string(id), "text": "The key is in the shed"], memory)[
                    "memory"]?["version"]?.double == 2)
        #expect(
            try await call(ForgetOperation.self, ["id": .string(id), "reason": "old"], memory)[
                "memory"]?["state"]?
                .string == "archived")
        #expect(
            try await call(RecallOperation.self, ["query": "key"], memory)["memories"]?.array?
                .isEmpty == true)
        _ = try await call(RestoreOperation.self, ["id": .string(id)], memory)
        #expect(
            try await call(RecallOperation.self, ["query": "key"], memory)["memories"]?.array?.count
                == 1)
        let operations = try await call(HistoryOperation.self, ["id": .string(id)], memory)[
            "history"]?.array?
            .compactMap { $0["operation"]?.string }
        #expect(operations == ["add", "update", "archive", "restore"])
        let other = try #require(
            try await call(RememberOperation.self, ["text": "The shed is green"], memory)[
                "memories"]?.array?.first?[
                    "id"]?.string)
        #expect(
            try await call(
                LinkOperation.self, ["id": .string(id), "target": .string(other)], memory)["links"]?
                .array?
                .count == 1)
        #expect(try await call(ListOperation.self, ["limit": 1], memory)["next"]?.string == other)
        #expect(try await call(StatsOperation.self, [:], memory)["memories"]?.double == 2)
        _ = try await call(EraseOperation.self, ["id": .string(id)], memory)
        await #expect(throws: StoreError.self) {
            try await call(GetOperation.self, ["id": .string(id)], memory)
        }
        #expect(try await call(DoctorOperation.self, [:], memory)["sound"] == true)
    }

    @Test(
        arguments: [
            ["query": 3], ["query": "x", "limit": 0], ["query": "x", "limit": .number(1.5)],
            ["query": "x", "mode": "magic"],
            ["query": "x", "from": "whenever"],
            ["querry": "x"], [:], ["query": "x", "type": []],
        ] as [[String: JSONValue]])
    func `wrong arguments are refused by name`(arguments: [String: JSONValue]) async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        await #expect(throws: InputError.self) {
            try await call(RecallOperation.self, arguments, memory)
        }
    }

    @Test func `a key's permissions and owner bound every operation`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let made = try await call(
            RememberOperation.self, ["text": "private", "user": "ana"], memory)
        let id = try #require(made["memories"]?.array?.first?["id"]?.string)
        let nobody = Principal(name: "nobody", permissions: [])
        let bob = Principal(name: "bob", permissions: Set(Permission.allCases), user: "bob")
        let arguments: [String: [String: JSONValue]] = [
            "remember": ["text": "x"], "recall": ["query": "private"],
            "ask": ["question": "How many times did I say private?"],
            "learn": ["task": "x", "tried": "x", "outcome": "failure"], "task": ["text": "x"],
            "profile": [:],
            "link": ["id": .string(id), "target": .string(id)], "list": [:],
            "import": ["data": "{}"],
            "export": [:], "package": [:], "policy": [:], "set-policy": [:], "stats": [:],
            "tiers": [:], "doctor": [:],
            "share": ["with": "user:carl"],
            "unshare": ["grant": 1], "grants": [:],
            "correct": ["id": .string(id), "text": "x"],
            "feedback": ["id": .string(id), "verdict": "wrong"],
            "whoami": [:], "links": [:], "vaults": [:], "jobs": [:], "schedules": [:],
            "add-job": ["kind": "verify"], "retry-job": ["job": 1], "cancel-job": ["job": 1],
            "audit": [:], "verify-audit": [:], "adapters": [:], "erase-adapter": ["name": "facts"],
            "show-adapter": ["name": "facts"], "export-adapter": ["name": "facts"],
            "eval-adapter": ["name": "facts", "questions": [["prompt": "x", "answer": "x"]]],
            "import-adapter": ["name": "facts", "gguf": "eA=="],
        ]
        for operation in OperationTable.all {
            let given = arguments[operation.name] ?? ["id": .string(id)]
            await #expect(throws: AccessError.self, "\(operation.name)") {
                try await call(operation, given, memory, nobody)
            }
            guard operation.parameters.contains(where: { $0.name == "user" }) else { continue }
            await #expect(throws: AccessError.self, "\(operation.name)") {
                try await call(operation, given.merging(["user": "ana"]) { $1 }, memory, bob)
            }
            // Within the own scope the other's memory does not exist.
            let answer = try? await call(operation, given, memory, bob)
            #expect(
                answer.map { !String(describing: $0).contains("private") } ?? true,
                "\(operation.name)")
        }
    }
}
