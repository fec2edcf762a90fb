import Foundation
import MnemeCube
public import MnemePipeline

/// Requirements of every `ForgettingCurve` of MnemePipeline, as checks that a test runs on a type.
public typealias ForgettingCurveConformance = Conformance<any ForgettingCurve.Type>

extension Conformance where Subject == any ForgettingCurve.Type {
    /// Memories of every type, with and without use.
    private static var memories: [MemCube] {
        MemoryType.allCases.flatMap { type in
            [nil, Usage(count: 3, last: StageSamples.now), Usage(count: .max, last: StageSamples.now)].map {
                var cube = StageSamples.memories[0]
                cube.type = type
                cube.lifecycle = MemCube.Lifecycle(recordedTime: StageSamples.now)
                cube.usage = $0
                cube.confirmations = $0.map(\.count)
                return cube
            }
        }
    }

    private static func after(_ days: Double) -> Date {
        StageSamples.now.addingTimeInterval(days * 86_400)
    }

    /// Every check. They may run at the same time.
    public static var all: [Self] {
        [
            // The job's argument and the setting are compared with it as written.
            Self("its name is a word in lower case") { type in
                let name = type.name
                try expect(!name.isEmpty && name == name.lowercased() && !name.contains(" "))
            },
            Self("what is fresh is all there, and a clock that was set back makes nothing fade") { type in
                for cube in memories {
                    for days in [0, -1, -40_000] as [Double] {
                        try expect(type.init(days: 30).retention(of: cube, now: after(days)) == 1)
                    }
                }
            },
            // Idle memories never come back by themselves; the job archives below a bound.
            Self("what lies idle fades, from 1 towards 0") { type in
                for cube in memories {
                    let times = [0, 0.1, 1, 10, 100, 1_000, 100_000, 1e7] as [Double]
                    let left = times.map { type.init(days: 30).retention(of: cube, now: after($0)) }
                    try expect(left.allSatisfy { (0...1).contains($0) }, "\(left)")
                    try expect(zip(left, left.dropFirst()).allSatisfy(>=), "\(left)")
                }
                let plain = type.init(days: 1).retention(of: memories[0], now: after(10_000))
                try expect(plain < 0.01, "\(plain) is left after 10,000 days at one day's strength")
            },
            Self("a longer unit of time keeps more") { type in
                for cube in memories {
                    try expect(
                        type.init(days: 60).retention(of: cube, now: after(30))
                            >= type.init(days: 6).retention(of: cube, now: after(30)))
                }
            },
        ]
    }
}
