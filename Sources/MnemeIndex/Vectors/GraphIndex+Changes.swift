import CMnemeKernels
import MnemeNumerics
import NIOConcurrencyHelpers
import Synchronization

/// Changes of the graph: inserting, deleting, and repairing the edges around what was deleted.
extension GraphIndex {
    /// As ``VectorIndex`` has it. Nothing is changed if there is no room; from then on nothing can
    /// fail.
    public func apply(_ changes: VectorChanges) throws {
        let inserted = try Vector.checked(changes, dimension: dimension)
        try writer.withLock {
            try reserve(slotCount - free.count + inserted.count)
            if let key = inserted.map(\.key).max(), key >= slots.capacity {
                try lock.write { try slots.grow(to: key + 1, used: slots.capacity) }
            }
            for key in changes.deleted { markDeleted(key) }
            let new = inserted.map { key, vector in
                markDeleted(key)
                return place(key, vector)
            }
            link(new)
            if repairsItself && deletedSlots.count > max(256, count / 8) { repair() }
            reached.store(max(position, changes.position), ordering: .releasing)
        }
    }

    /// Takes a key out of all answers; its links serve until ``repair()``.
    func markDeleted(_ key: Int) {
        guard let slot = slot(key) else { return }
        slots.base[key] = 0
        mnk_set_bit(dead.base, slot, 1)
        deletedSlots.append(slot)
        live.subtract(1, ordering: .releasing)
    }

    /// The slot of a key that is found.
    func slot(_ key: Int) -> UInt32? {
        key >= 0 && key < slots.capacity && slots.base[key] > 0 ? slots.base[key] - 1 : nil
    }

    /// Puts a vector into a free slot; nothing leads to it yet.
    func place(_ key: Int, _ vector: [Float]) -> UInt32 {
        let slot = free.popLast() ?? UInt32(slotCount)
        let record = records.base + Int(slot) * layout.stride
        mnk_encode_record(vector, dimension, record, residuals.base + Int(slot) * layout.residual)
        mnk_clear_links(record, dimension, layout.degree)
        keys.base[Int(slot)] = Int64(key)
        mnk_set_bit(dead.base, slot, 0)
        slots.base[key] = slot + 1
        if Int(slot) != key { isOrdered.store(false, ordering: .releasing) }
        if Int(slot) == slotCount { used.store(Int(slot) + 1, ordering: .releasing) }
        live.add(1, ordering: .releasing)
        for i in 0..<dimension { sum[i] += vector[i] }
        return slot
    }

    /// Links new records. The first ones go one after the other, so that the others find something
    /// to link to.
    func link(_ new: [UInt32]) {
        let older = count - new.count
        var done = new.count < 64 ? new.count : min(new.count, max(0, 1024 - older))
        withScratch(effort: Self.buildBeamWidth) { scratch in
            for slot in new[..<done] {
                if entry.load(ordering: .relaxed) == .max {
                    entry.store(slot, ordering: .releasing)
                } else {
                    insert(slot, scratch)
                }
            }
        }
        if slotCount >= entrySize * 2 { chooseEntry() }
        while done < new.count {
            // Where the mean lies is looked at again whenever the graph has doubled.
            let end = min(new.count, done + max(4096, entrySize))
            let next = Atomic(done)
            pool.run { _, _ in
                withScratch(effort: Self.buildBeamWidth) { scratch in
                    while true {
                        let i = next.add(16, ordering: .relaxed).oldValue
                        guard i < end else { break }
                        for slot in new[i..<min(end, i + 16)] { insert(slot, scratch) }
                    }
                }
            }
            done = end
            chooseEntry()
        }
    }

    /// Gives a record its edges, and the records that they lead to one back: searches for the
    /// record itself, and prunes what was found (RobustPrune of Vamana).
    func insert(_ slot: UInt32, _ scratch: GraphScratch) {
        var graph = graph()
        mnk_graph_insert(
            ProcessorFeatures.current.rawValue, &graph, slot, Self.buildBeamWidth, Self.alpha,
            &scratch.pointers)
    }

    /// Searches begin at the vector that is nearest to the mean of all.
    func chooseEntry() {
        entrySize = slotCount
        let found = withScratch(effort: 64) { scratch in
            walk(sum, effort: 64, allowed: nil, scratch).first
        }
        if let found { entry.store(found, ordering: .releasing) }
    }

    /// Leads the edges around deleted vectors past them, and frees their slots.
    ///
    /// - Complexity: O(records), on all threads of the pool.
    func repair() {
        let total = slotCount
        guard count > 0 else {
            // Nothing is left to lead anywhere.
            entry.store(.max, ordering: .releasing)
            release(deletedSlots)
            return
        }
        if count < total / 10 { return rebuild() }
        if isDead(Int(entry.load(ordering: .relaxed))) { chooseEntry() }
        if isDead(Int(entry.load(ordering: .relaxed))),
            let other = (0..<total).first(where: { !isDead($0) })
        {
            entry.store(UInt32(other), ordering: .releasing)
        }
        let next = Atomic(0)
        let lonely = NIOLockedValueBox<[UInt32]>([])
        pool.run { _, _ in
            withScratch(effort: Self.buildBeamWidth) { scratch in
                var graph = graph()
                while true {
                    let start = next.add(256, ordering: .relaxed).oldValue
                    guard start < total else { break }
                    for slot in start..<min(total, start + 256) where !isDead(slot) {
                        let links = mnk_graph_repair(
                            ProcessorFeatures.current.rawValue, &graph, UInt32(slot), Self.alpha,
                            &scratch.pointers)
                        if links >= 0, links < Int32(layout.degree) / 4 {
                            lonely.withLockedValue { $0.append(UInt32(slot)) }
                        }
                    }
                }
            }
        }
        // Whose neighbours are nearly all gone looks for new ones.
        withScratch(effort: Self.buildBeamWidth) { scratch in
            for slot in lonely.withLockedValue({ $0 }) { insert(slot, scratch) }
        }
        release(deletedSlots)
    }

    /// Links what is left anew: when more than nine in ten are gone at once, the old graph does not
    /// hold together. Searches wait.
    func rebuild() {
        let left = (0..<slotCount).filter { !isDead($0) }.map(UInt32.init)
        lock.write {
            for slot in 0..<slotCount {
                mnk_clear_links(records.base + slot * layout.stride, dimension, layout.degree)
            }
            entry.store(.max, ordering: .releasing)
            entrySize = 0
            link(left)
        }
        release(deletedSlots)
    }

    /// Frees slots that no edge leads to, and overwrites what was in them.
    func release(_ slots: [UInt32]) {
        // Searches that still walk there end first; later ones find no way to them.
        lock.write {}
        for slot in slots {
            let record = records.base + Int(slot) * layout.stride
            mnk_encode_record(
                [Float](repeating: 0, count: dimension), dimension, record,
                residuals.base + Int(slot) * layout.residual
            )
            mnk_clear_links(record, dimension, layout.degree)
        }
        free.append(contentsOf: slots)
        deletedSlots = []
    }

    /// Repairs the links around what was deleted, if that is much.
    public func maintain() { writer.withLock { if deletedSlots.count > max(256, count / 8) { repair() } } }
}
