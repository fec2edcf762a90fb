/// An array whose elements may lie in a mapped file (``TableFile``): its pages are read when they
/// are touched, and the system copies those that are changed. The file never changes. Behind the
/// file's elements there is address space for more, so that adding some copies nothing.
///
/// A value like an array: a copy shares memory until one of the two is changed. Inlinable, as other
/// modules go through columns element by element.
package struct Column<Element: BitwiseCopyable & Sendable>: Sendable {
    @usableFromInline var storage: Storage
    /// Elements.
    @usableFromInline package internal(set) var count: Int

    /// Memory for elements: a region that begins with a file's, or its own.
    @usableFromInline final class Storage: @unchecked Sendable {
        // Sendable: changed only by who holds the one reference.
        @usableFromInline let base: UnsafeMutablePointer<Element>
        @usableFromInline let capacity: Int
        /// Holds the memory; nil if it is this one's own.
        private let region: Region<Element>?

        @usableFromInline init(capacity: Int) {
            base = .allocate(capacity: max(1, capacity))
            (self.capacity, region) = (max(1, capacity), nil)
        }

        init(_ region: Region<Element>) {
            (base, capacity, self.region) = (region.base, region.capacity, region)
        }

        deinit { if region == nil { base.deallocate() } }

        /// A copy of the first elements with room for more.
        @usableFromInline func copy(_ count: Int, capacity: Int) -> Storage {
            let new = Storage(capacity: max(count, capacity))
            new.base.update(from: base, count: count)
            return new
        }
    }

    /// An empty column.
    @inlinable package init() {
        storage = Storage(capacity: 0)
        count = 0
    }

    /// The elements of an array.
    @inlinable package init(_ elements: [Element]) {
        storage = Storage(capacity: elements.count)
        count = elements.count
        for (place, element) in elements.enumerated() { storage.base[place] = element }
    }

    /// The elements at a region's beginning. The region is used by nobody else.
    init(_ region: Region<Element>, count: Int) {
        storage = Storage(region)
        self.count = count
    }

    /// An element; it must exist.
    @inlinable package subscript(place: Int) -> Element {
        @inline(__always) get {
            precondition(place >= 0 && place < count)
            return storage.base[place]
        }
        set {
            precondition(place >= 0 && place < count)
            if !isKnownUniquelyReferenced(&storage) {
                storage = storage.copy(count, capacity: count)
            }
            storage.base[place] = newValue
        }
    }

    /// Adds an element at the end.
    @inlinable package mutating func append(_ element: Element) {
        reserve(count + 1)
        storage.base[count] = element
        count += 1
    }

    /// Adds elements at the end.
    @inlinable package mutating func append(_ elements: some Collection<Element>) {
        reserve(count + elements.count)
        for element in elements {
            storage.base[count] = element
            count += 1
        }
    }

    /// Makes room, and the memory this column's own.
    @inlinable mutating func reserve(_ wanted: Int) {
        if wanted > storage.capacity {
            storage = storage.copy(count, capacity: max(16, wanted, storage.capacity * 2))
        } else if !isKnownUniquelyReferenced(&storage) {
            storage = storage.copy(count, capacity: storage.capacity)
        }
    }

    /// Hands out the elements side by side.
    @inlinable @inline(__always)
    package func withElements<R>(_ body: (UnsafeBufferPointer<Element>) throws -> R) rethrows -> R {
        try withExtendedLifetime(storage) {
            try body(UnsafeBufferPointer(start: storage.base, count: count))
        }
    }

    /// The elements as an array.
    package var array: [Element] { withElements(Array.init) }

    /// Where an element is among elements in rising order, or would be; by halving.
    @inlinable package func lowerBound(of element: Element, in range: Range<Int>? = nil) -> Int
    where Element: Comparable {
        withElements { elements in
            var low = range?.lowerBound ?? 0
            var high = range?.upperBound ?? elements.count
            while low < high {
                let middle = (low + high) / 2
                if elements[middle] < element { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }
}
