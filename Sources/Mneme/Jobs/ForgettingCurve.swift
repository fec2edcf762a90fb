public import Foundation
public import MnemeStore

/// How much of a memory is left after a time without use: 1 when it is fresh, towards 0.
///
/// What has faded is archived, never deleted: `restore` brings it back.
public protocol ForgettingCurve: Sendable {
    /// Its name in a job's arguments.
    static var name: String { get }
    /// - Parameter days: the curve's unit of time.
    init(days: Double)
    /// What is left of a memory.
    func retention(of cube: MemCube, now: Date) -> Double
}

extension MemCube {
    /// Days since it was used last, or recorded.
    func daysIdle(now: Date) -> Double {
        let recorded = lifecycle.recordedTime
        return max(0, now.timeIntervalSince(max(lifecycle.usage?.last ?? recorded, recorded)))
            / 86_400
    }
}

/// MemoryBank (Zhong et al. 2024) [221]: R = exp(−t / S) after Ebbinghaus. S begins at one unit and
/// grows by one with each recall; each recall begins t anew.
public struct MemoryBankCurve: ForgettingCurve {
    public static let name = "memorybank"
    private let days: Double
    public init(days: Double) { self.days = days }
    public func retention(of cube: MemCube, now: Date) -> Double {
        // In Double: the counts come from other stores, too, and their sum need not fit an Int.
        let strength = 1 + Double(cube.usage?.count ?? 0) + Double(cube.confirmations ?? 0)
        return exp(-cube.daysIdle(now: now) / (days * max(1, strength)))
    }
}

/// Decay by layers, as in TradingGPT (Li et al. 2023) [225]: what happened fades first, how things
/// are done and facts later, who somebody is last.
public struct LayeredCurve: ForgettingCurve {
    public static let name = "layered"
    private let days: Double
    public init(days: Double) { self.days = days }

    /// Units after which a layer has faded to 1/e.
    private static func depth(_ type: MemoryType) -> Double {
        switch type {
        case .episodic: 1
        case .procedural, .semantic: 4
        case .preference: 8
        case .core: 26
        }
    }

    public func retention(of cube: MemCube, now: Date) -> Double {
        exp(-cube.daysIdle(now: now) / (days * Self.depth(cube.type)))
    }
}

/// Every curve.
public enum ForgettingCurves {
    /// Every curve.
    public static let all: [any ForgettingCurve.Type] = [MemoryBankCurve.self, LayeredCurve.self]
}
