import Foundation
import Mneme
import MnemeStore
import Testing

@Suite struct ProfileTests {
    private static func day(_ number: Int) -> Date {
        Date(timeIntervalSince1970: 1_767_600_000 + Double(number) * 86_400)
    }

    private func remember(_ text: String, _ day: Int, _ speaker: String?, _ memory: MemoryOS) async throws -> CubeID {
        let made = try await memory.remember(
            [MemoryInput(text, speaker: speaker, eventTime: Self.day(day))], scope: Scope())
        return made[0].id
    }

    @Test func `a line says what holds, with the memories that say so`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        _ = try await remember("I live in Paris", 0, "Ana", memory)
        let berlin = try await remember("I moved to Berlin", 10, "Ana", memory)
        let again = try await remember("Ana lives in Berlin", 20, "Tom", memory)
        let tea = try await remember("I love green tea", 30, "Ana", memory)
        _ = try await remember("I live in Rome", 40, "Tom", memory)
        let profile = try await memory.profile(of: "Ana", owner: Owner())
        let home = try #require(profile.lines.first { $0.attribute == "home" })
        #expect(home.value == "berlin" && home.memories == [berlin, again] && home.since == Self.day(10))
        #expect(profile.lines.contains { $0.memories == [tea] })
        #expect(!profile.lines.contains { $0.value.contains("paris") || $0.value.contains("rome") })
        // With its evidence a line goes; what held before holds again.
        try await memory.erase(tea, owner: Owner())
        try await memory.erase(berlin, owner: Owner())
        try await memory.erase(again, owner: Owner())
        let after = try await memory.profile(of: "Ana", owner: Owner()).lines
        #expect(after.map(\.value) == ["paris"])
        await memory.close(deadline: .zero)
    }

    @Test func `the keeper's own profile, and what a caller may not see`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        _ = try await remember("My favourite colour is blue", 0, nil, memory)
        var secret = MemoryInput("My email is ana@example.org")
        secret.sensitivity = .restricted
        try await memory.remember([secret], scope: Scope())
        let own = try await memory.profile(owner: Owner())
        #expect(own.lines.contains { $0.value == "blue" } && own.lines.contains { $0.attribute == "email" })
        let guest = Principal(
            name: "guest", permissions: [.read], tenant: "default", user: "default", clearance: .internal)
        let seen = try await memory.profile(owner: Owner(), by: Caller(guest))
        #expect(seen.lines.map(\.value) == ["blue"])
        #expect(try await memory.profile(of: "Nobody", owner: Owner()).lines.isEmpty)
        await #expect(throws: InputError.self) { try await memory.profile(of: " ", owner: Owner()) }
        await memory.close(deadline: .zero)
    }
}
