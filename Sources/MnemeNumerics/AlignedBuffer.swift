/// Memory aligned to a cache line, zeroed, freed with its owner.
package final class AlignedBuffer<Element: BitwiseCopyable>: @unchecked Sendable {
    // Sendable: who shares a buffer between threads splits it by ranges or only reads it.
    package let pointer: UnsafeMutablePointer<Element>
    package let count: Int

    package init(_ count: Int) {
        let bytes = max(64, count * MemoryLayout<Element>.stride)
        let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        raw.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        pointer = raw.bindMemory(to: Element.self, capacity: max(1, count))
        self.count = count
    }

    deinit { UnsafeMutableRawPointer(pointer).deallocate() }
}
