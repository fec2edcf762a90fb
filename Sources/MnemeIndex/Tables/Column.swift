import CMnemeMemory

/// An array whose elements may lie in mapped files (``TableFile``): their pages are read when they
/// are touched, and the system copies those that are changed. Files never change. Behind the files'
/// elements there is address space for more, so that adding some copies nothing.
///
/// It remembers what each file, a segment, has of it, so that any number of the last ones can be
/// written as one (``TableWriter/addChanges(of:since:)``).
///
/// A value like an array: a copy shares memory until one of the two is changed. Inlinable, as other
/// modules go through columns element by element.
package struct Column<Element: BitwiseCopyable & Sendable>: Sendable {
    @usableFromInline var storage: Storage
    /// Elements.
    @usableFromInline package internal(set) var count: Int
    /// Elements that files have, and the places of those that are others now: with what stands
    /// behind them, all that the next file has to hold.
    @usableFromInline var filedCount = 0
    @usableFromInline var changed: Set<Int> = []
    /// What each file has, in the order in which they were read.
    private var segments: [Segment] = []
    /// Where the file lies that its elements come into when they are many; nil keeps them in memory.
    private var spillFolder: String?

    /// The part of a column that one file has.
    private struct Segment {
        /// The place of its first element.
        var start: Int
        /// The places of former elements that it changed.
        var changed: [Int]
    }

    /// Memory for elements: a region that begins with a file's, or its own.
    @usableFromInline final class Storage: @unchecked Sendable {
        // Sendable: changed only by who holds the one reference.
        @usableFromInline let base: UnsafeMutablePointer<Element>
        @usableFromInline fileprivate(set) var capacity: Int
        /// Hold the memory; nil if it is this one's own.
        fileprivate let region: Region<Element>?
        fileprivate let spill: SpillFile?

        @usableFromInline init(capacity: Int) {
            base = .allocate(capacity: max(1, capacity))
            (self.capacity, region, spill) = (max(1, capacity), nil, nil)
        }

        init(_ region: Region<Element>) {
            (base, capacity, self.region, spill) = (region.base, region.capacity, region, nil)
        }

        fileprivate init(_ spill: SpillFile) {
            base = spill.base.assumingMemoryBound(to: Element.self)
            (capacity, region, self.spill) = (spill.byteCount / MemoryLayout<Element>.stride, nil, spill)
        }

        deinit { if region == nil, spill == nil { base.deallocate() } }

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

    /// An empty column that is written from its beginning to its end.
    ///
    /// - Parameter folder: where the file lies that its elements come into when they are many; nil keeps
    ///   them in memory.
    package init(spillingTo folder: String?) {
        self.init()
        spillFolder = folder
    }

    /// The elements of an array.
    @inlinable package init(_ elements: [Element]) {
        storage = Storage(capacity: elements.count)
        count = elements.count
        for (place, element) in elements.enumerated() { storage.base[place] = element }
    }

    /// The elements of a file's section: mapped if they are many.
    init(_ section: Int, of file: IndexFile) throws {
        let length = file.sections[section].length
        count = length / MemoryLayout<Element>.stride
        storage =
            length < IndexFile.leastMapped
            ? Storage(capacity: count) : Storage(try Self.region(for: count))
        try file.read(section, to: storage.base, at: 0, isMappable: storage.region != nil)
        filedCount = count
    }

    /// A region that so many elements of a file begin. It has room for twice as many, and some: that
    /// costs address space alone.
    private static func region(for count: Int) throws -> Region<Element> {
        try Region(capacity: 2 * count + (1 << 20) / MemoryLayout<Element>.stride)
    }

    /// An element; it must exist.
    @inlinable package subscript(place: Int) -> Element {
        @inline(__always) get {
            precondition(place >= 0 && place < count)
            return storage.base[place]
        }
        @inline(__always) set {
            precondition(place >= 0 && place < count)
            reserve(count)
            storage.base[place] = newValue
            if place < filedCount { changed.insert(place) }
        }
    }

    /// Adds an element at the end.
    @inlinable @inline(__always)
    package mutating func append(_ element: Element) {
        reserve(count + 1)
        storage.base[count] = element
        count += 1
    }

    /// Adds elements at the end.
    @inlinable package mutating func append(_ elements: some Collection<Element>) {
        let added = elements.count
        reserve(count + added)
        let end = storage.base + count
        let isCopied: Void? = elements.withContiguousStorageIfAvailable {
            if let first = $0.baseAddress { end.update(from: first, count: added) }
        }
        if isCopied == nil {
            for (place, element) in elements.enumerated() { end[place] = element }
        }
        count += added
    }

    /// Adds elements at the end whose bytes lie anywhere.
    mutating func append(copying bytes: UnsafeRawBufferPointer) {
        let added = bytes.count / MemoryLayout<Element>.stride
        guard added > 0, let source = bytes.baseAddress else { return }
        reserve(count + added)
        UnsafeMutableRawPointer(storage.base + count).copyMemory(
            from: source, byteCount: added * MemoryLayout<Element>.stride)
        count += added
    }

    // MARK: Segments

    /// Where the elements of a segment begin; for the one behind the last, those of no file.
    package func start(ofSegment segment: Int) -> Int {
        segment < segments.count ? segments[segment].start : filedCount
    }

    /// The places before a segment's elements that it and those behind it have changed, in rising order.
    package func changes(since segment: Int) -> [Int] {
        var places = changed
        for former in segments.dropFirst(segment) { places.formUnion(former.changed) }
        let start = start(ofSegment: segment)
        return places.filter { $0 < start }.sorted()
    }

    /// True if a file, or memory, has another element in place of one of an earlier file.
    package var isRewritten: Bool { !changed.isEmpty || segments.contains { !$0.changed.isEmpty } }

    /// Takes in what a file has: elements behind those that are here, and others in place of some.
    ///
    /// - Parameters:
    ///   - section: of the file, with the new elements.
    ///   - places: the former elements that are others, in rising order.
    ///   - values: what they are.
    mutating func append(
        _ section: Int, of file: IndexFile, changing places: [Int], to values: [Element]
    ) throws {
        let start = count
        let added = file.sections[section].length / MemoryLayout<Element>.stride
        if count == 0, segments.isEmpty {
            storage = Storage(try Self.region(for: added))
        }
        reserve(count + added)
        try file.read(section, to: storage.base, at: count, isMappable: storage.region != nil)
        count += added
        for (place, value) in zip(places, values) { storage.base[place] = value }
        segments.append(Segment(start: start, changed: places))
        filedCount = count
        changed = []
    }

    /// Makes room, and the memory this column's own.
    @inlinable @inline(__always)
    mutating func reserve(_ wanted: Int) {
        if wanted > storage.capacity || !isKnownUniquelyReferenced(&storage) { makeRoom(wanted) }
    }

    /// As ``reserve(_:)``, where there is not room or another has the memory as well.
    @usableFromInline mutating func makeRoom(_ wanted: Int) {
        if wanted > storage.capacity {
            grow(to: wanted)
        } else {
            storage = storage.copy(count, capacity: max(wanted, storage.capacity))
        }
    }

    /// Bytes from which on a column comes into a file, if it has a folder.
    private static var leastSpilled: Int { 4 << 20 }

    /// Makes room for more elements than there is room for.
    private mutating func grow(to wanted: Int) {
        let capacity = max(16, wanted, storage.capacity * 2)
        if let spillFolder, capacity * MemoryLayout<Element>.stride >= Self.leastSpilled,
            spill(wanted, to: spillFolder)
        {
            return
        }
        storage = storage.copy(count, capacity: capacity)
    }

    /// Makes room in a file.
    ///
    /// - Returns: false if there is none.
    private mutating func spill(_ wanted: Int, to folder: String) -> Bool {
        let bytes = wanted * MemoryLayout<Element>.stride
        if let spill = storage.spill, isKnownUniquelyReferenced(&storage) {
            guard spill.grow(to: bytes) else { return false }
            storage.capacity = spill.byteCount / MemoryLayout<Element>.stride
            return true
        }
        guard let spill = SpillFile(in: folder), spill.grow(to: bytes) else { return false }
        let new = Storage(spill)
        new.base.update(from: storage.base, count: count)
        storage = new
        return true
    }

    /// Gives the pages of elements that were written to a file back to the system: they are read again
    /// where they are touched.
    func release() {
        if let spill = storage.spill {
            spill.release(0..<spill.byteCount)
        } else if storage.region != nil {
            mnm_page_out(storage.base, count * MemoryLayout<Element>.stride)
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
