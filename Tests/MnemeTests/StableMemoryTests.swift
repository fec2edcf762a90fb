import Foundation
import Mneme
import MnemeStore
import Testing

/// Which memories the job `promote` has a model learn.
@Suite struct StableMemoryTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)

    private static func memory(uses: Int, days: Double, _ change: (inout MemCube) -> Void = { _ in }) -> MemCube {
        let time = now.addingTimeInterval(-days * 86_400)
        var cube = MemCube(
            scope: Scope(user: "ana"), type: .semantic, text: "Ana lives in Bergen.", eventTime: time,
            recordedTime: time, provenance: Provenance(source: "text"))
        cube.usage = uses > 0 ? Usage(count: uses, last: now) : nil
        change(&cube)
        return cube
    }

    @Test func `what is used, old enough and contradicted by nothing is stable`() {
        let stable = StableMemories()
        var tagged = StableMemories()
        tagged.tag = "work"
        var work = Self.memory(uses: 3, days: 7.5)
        #expect(!tagged.fits(work, now: Self.now))
        work.tags = ["home", "work"]
        #expect(tagged.fits(work, now: Self.now))
        func fits(_ cube: MemCube) -> Bool { stable.fits(cube, now: Self.now) }
        #expect(fits(Self.memory(uses: 3, days: 7)))
        #expect(!fits(Self.memory(uses: 2, days: 7)))
        #expect(!fits(Self.memory(uses: 0, days: 7)))
        #expect(!fits(Self.memory(uses: 3, days: 6.9)))
        let changes: [(inout MemCube) -> Void] = [
            { $0.validUntil = Self.now }, { $0.expires = Self.now.addingTimeInterval(86_400) },
            { $0.caution = ["orders"] }, { $0.sensitivity = .confidential }, { $0.state = .archived },
            { $0.state = .quarantined }, { $0.speaker = "Assistant" }, { $0.text = "" },
            {
                $0.payload = .parametric(
                    AdapterReference(name: "a", model: "m", hash: "h", parameters: 1), of: "a")
            },
        ]
        for (i, change) in changes.enumerated() {
            #expect(!fits(Self.memory(uses: 9, days: 99, change)), "change \(i)")
        }
    }

    @Test func `the most used are chosen, and stand in the order that they were recorded in`() {
        var cubes = (0..<StableMemories.limit + 20).map { Self.memory(uses: 3 + $0 % 2, days: 8) }
        let often = Set(cubes.filter { $0.usage?.count == 4 }.map(\.id))
        cubes.shuffle()
        let chosen = StableMemories().chosen(of: cubes, now: Self.now)
        #expect(chosen.count == StableMemories.limit)
        #expect(often.isSubset(of: chosen.map(\.id)))
        #expect(chosen.map(\.id) == chosen.map(\.id).sorted())
        #expect(StableMemories().chosen(of: [], now: Self.now) == [])
    }
}
