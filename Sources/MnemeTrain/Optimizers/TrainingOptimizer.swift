/// Turns gradients into steps of the parameters.
///
/// Conforming types are values with their state: a file each, named as its authors named it. Steps
/// must be the same bits for the same state and gradients.
package protocol TrainingOptimizer: Sendable {
    /// For matrices that fill the parameters, one behind the other, before the first step.
    init(_ matrices: [TrainingMatrix])
    /// Bytes of the state, without the parameters and their gradients.
    var stateBytes: Int { get }
    /// Changes the parameters by their gradients.
    ///
    /// - Parameters:
    ///   - scale: multiplies the gradients, which are clipped so.
    ///   - rate: the learning rate of this step.
    ///   - decay: the weight decay, decoupled from the gradients (Loshchilov and Hutter 2019).
    mutating func step(
        _ values: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, scale: Float,
        rate: Float, decay: Float)
    /// All of the state, for a checkpoint.
    var state: [UInt8] { get }
    /// The state that ``state`` gave.
    ///
    /// - Returns: nil if it is none of such matrices.
    init?(_ matrices: [TrainingMatrix], state: [UInt8])
}

extension TrainingOptimizer {
    /// For parameters that are no matrices: one row.
    package init(count: Int) {
        self.init([TrainingMatrix(offset: 0, rows: 1, columns: count)])
    }

    /// The same, with the state that ``state`` gave; nil if it is none of this many parameters.
    package init?(count: Int, state: [UInt8]) {
        self.init([TrainingMatrix(offset: 0, rows: 1, columns: count)], state: state)
    }
}

/// Bytes of numbers as they lie in memory.
func bytes<Number: BitwiseCopyable>(of numbers: [Number]) -> [UInt8] {
    numbers.withUnsafeBytes { Array($0) }
}

/// The numbers that ``bytes(of:)`` was given.
func numbers<Number: BitwiseCopyable>(
    _ type: Number.Type, count: Int, from bytes: ArraySlice<UInt8>
) -> [Number] {
    precondition(bytes.count == count * MemoryLayout<Number>.stride)
    return [Number](unsafeUninitializedCapacity: count) { buffer, initialized in
        UnsafeMutableRawBufferPointer(buffer).copyBytes(from: bytes)
        initialized = count
    }
}
