public import Foundation
public import MnemeCube

/// A forgetting curve: how much of a memory is left after a time without use, from 1 when it is
/// fresh towards 0.
///
/// A pure function of the memory and the time; it does not grow while the memory is idle. What has
/// faded is archived, never deleted: `restore` brings it back.
public protocol ForgettingCurve: Sendable {
    /// The curve's name in a job's arguments, in lower case.
    static var name: String { get }
    /// - Parameter days: the curve's unit of time, above 0.
    init(days: Double)
    /// The retention of a memory at a time, from 0 to 1.
    func retention(of cube: MemCube, now: Date) -> Double
}

extension MemCube {
    /// Days since it was used last, or recorded.
    ///
    /// Never negative: a clock that was set back makes a memory fresh, not faded.
    public func daysIdle(now: Date) -> Double {
        let recorded = lifecycle.recordedTime
        return max(0, now.timeIntervalSince(max(lifecycle.usage?.last ?? recorded, recorded)))
            / 86_400
    }
}

/// The curve of MemoryBank (Zhong et al. 2024) [221]: R = exp(−t / S) after Ebbinghaus. S begins at
/// one unit and grows by one with each recall and each confirmation; each recall begins t anew.
public struct MemoryBankCurve: ForgettingCurve {
    /// The value of the job argument and setting that chooses this curve.
    public static let name = "memorybank"
    /// Days of one unit of strength.
    private let days: Double
    /// A curve with that unit of time.
    public init(days: Double) { self.days = days }
    /// exp(−idle days / (unit · strength)).
    public func retention(of cube: MemCube, now: Date) -> Double {
        // In Double: the counts come from other stores, too, and their sum need not fit an Int.
        let strength = 1 + Double(cube.usage?.count ?? 0) + Double(cube.confirmations ?? 0)
        return exp(-cube.daysIdle(now: now) / (days * max(1, strength)))
    }
}

/// Exponential decay by layers, as in TradingGPT (Li et al. 2023) [225]: events fade first,
/// procedures and facts later, the profile last. Use begins the time anew, but does not slow the
/// decay.
public struct LayeredCurve: ForgettingCurve {
    /// The value of the job argument and setting that chooses this curve.
    public static let name = "layered"
    /// Days after which an event has faded to 1/e.
    private let days: Double
    /// A curve with that unit of time.
    public init(days: Double) { self.days = days }

    /// The depth of a type's layer: units after which it has faded to 1/e.
    private static func depth(_ type: MemoryType) -> Double {
        switch type {
        case .episodic: 1
        case .procedural, .semantic: 4
        case .preference: 8
        case .core: 26
        }
    }

    /// exp(−idle days / (unit · depth of the memory's type)).
    public func retention(of cube: MemCube, now: Date) -> Double {
        exp(-cube.daysIdle(now: now) / (days * Self.depth(cube.type)))
    }
}

/// The forgetting curves that the job `decay` offers by name.
public enum ForgettingCurves {
    /// Curves in the order of the help; a new one is added here.
    public static let all: [any ForgettingCurve.Type] = [MemoryBankCurve.self, LayeredCurve.self]
}
