/// A reference that keeps nothing alive and counts nothing, or none.
///
/// It holds a pointer: an optional of a struct with an `unowned(unsafe)` reference of nil is taken
/// for nil itself (Swift 6.3, optimised).
struct UnretainedReference<Object: AnyObject> {
    private var pointer: UnsafeRawPointer?

    /// Refers to nothing.
    init() {}

    /// What is referred to; it must outlive each use.
    var object: Object? {
        get { pointer.map { Unmanaged<Object>.fromOpaque($0).takeUnretainedValue() } }
        set { pointer = newValue.map { UnsafeRawPointer(Unmanaged.passUnretained($0).toOpaque()) } }
    }
}
