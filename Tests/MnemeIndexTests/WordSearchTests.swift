import Foundation
import MnemeIndex
import Testing

/// A search that passes ranges over answers to the bit as one that scores every document, in
/// memory, from a file, and with changes beside the file.
@Suite struct WordSearchTests {
    /// Documents in conversations and by themselves, with the terms that they were given.
    private struct Documents {
        var lexical = LexicalIndex(), sessions = SessionLinks()
        var terms: [TermCounts] = []
        /// By document: its session, if it may share it.
        var shared: [Int?] = []
        /// Sessions by their name.
        var named: [Int: Int] = [:]

        mutating func append(_ new: TermCounts, session name: Int?, place: Int64) {
            let session = name.flatMap { named[$0] } ?? sessions.addSession()
            if let name { named[name] = session }
            shared.append(name == nil ? nil : session)
            lexical.append(new, session: shared.last!)
            sessions.append(session: session, place: place, length: new.length)
            terms.append(new)
        }

        mutating func replace(_ document: Int, with new: TermCounts, isRemoved: Bool) {
            sessions.adjust(document, by: new.length - terms[document].length)
            let (old, session) = (terms[document], shared[document])
            if isRemoved {
                lexical.remove(document, old: old, session: session)
            } else {
                lexical.replace(document, old: old, with: new, session: session)
            }
            terms[document] = new
        }

        /// Writes a segment in place of those from one on, and reads itself from all, as a process that
        /// opens them.
        mutating func reread(_ path: String, since segment: Int) throws {
            var writer = TableWriter()
            lexical.write(to: &writer, since: segment, sessions: sessions)
            sessions.write(to: &writer, since: segment)
            try writer.write(to: "\(path).\(segment)", values: [], dataKey: nil)
            (lexical, sessions) = (LexicalIndex(), SessionLinks())
            for place in 0...segment {
                var reader = try TableReader(opening: "\(path).\(place)", dataKey: nil)
                try lexical.read(from: &reader)
                try sessions.read(from: &reader)
            }
        }
    }

    /// Words of which the first are in nearly every document and the last in few.
    private static func text(_ random: inout Seeded) -> TermCounts {
        let longest = Bool.random(using: &random) ? 12 : 3
        return TermCounts(
            (0..<Int.random(in: 0...longest, using: &random)).map { _ in
                let spread = Double.random(in: 0..<1, using: &random)
                return "w\(Int(200 * spread * spread * spread))"
            })
    }

    private static func change(
        _ documents: inout Documents, _ random: inout Seeded, isInOrder: Bool,
        edits: Int = 400
    ) {
        for _ in 0..<edits {
            if documents.terms.isEmpty || Int.random(in: 0..<5, using: &random) > 0 {
                let count = documents.terms.count
                // Conversations one after the other, or all at once and out of order.
                let session = isInOrder ? count / 30 : Int.random(in: 0..<12, using: &random)
                let place = isInOrder ? Int64(count) : Int64.random(in: 0..<200, using: &random)
                let isAlone = Int.random(in: 0..<6, using: &random) == 0
                documents.append(text(&random), session: isAlone ? nil : session, place: place)
            } else {
                let document = Int.random(in: 0..<documents.terms.count, using: &random)
                guard documents.terms[document].length > 0 else { continue }
                let isRemoved = Bool.random(using: &random)
                documents.replace(
                    document, with: isRemoved ? TermCounts([]) : text(&random), isRemoved: isRemoved)
            }
        }
    }

    private static func expectEqual(_ documents: Documents, _ random: inout Seeded) {
        let (lexical, sessions) = (documents.lexical, documents.sessions)
        for _ in 0..<6 {
            let terms = Set(
                (0..<Int.random(in: 1...6, using: &random)).map { _ in
                    TermCounts.hash("w\(Int.random(in: 0..<60, using: &random))")
                }
            ).sorted()
            let all = lexical.score(terms, sessions: sessions)
            let search = WordSearch(lexical, terms, sessions: sessions, scanLimit: 0)
            #expect(search.weights.map(\.bitPattern) == all.weights.map(\.bitPattern))
            let share = Int.random(in: 1...20, using: &random)
            let keys = KeySet((0..<lexical.count).filter { $0 % (share * 5) == 0 })
            for limit in [1, 7, 40, 5_000] {
                for width in [RankedWidth.document, .window] {
                    let scores = width == .document ? all.document : all.window
                    #expect(
                        search.best(limit, by: width, among: keys) { $0 % 2 == 0 }
                            == highest(limit, of: scores) { keys.contains($0) && $0 % 2 == 0 })
                }
                for allowed: (Int) -> Bool in [{ _ in true }, { $0 % share == 0 }] {
                    #expect(
                        search.best(limit, where: allowed)
                            == highest(limit, of: all.document, where: allowed))
                    #expect(
                        search.best(limit, by: .window, where: allowed)
                            == highest(limit, of: all.window, where: allowed))
                }
            }
            for document in 0..<lexical.count {
                #expect(search.score(document).bitPattern == all.document[document].bitPattern)
                #expect(search.windowScore(document).bitPattern == all.window[document].bitPattern)
                #expect(
                    search.sessionScore(document).bitPattern == all.session[document].bitPattern)
                #expect(search.matches(document) == all.matches[document])
            }
        }
    }

    @Test(arguments: 0..<16)
    func `the best of a search are the best of a scan, to the bit, after any edits`(seed: UInt64)
        throws
    {
        var random = Seeded(state: seed &* 53 &+ 11)
        let path = NSTemporaryDirectory() + "mneme-words-\(UUID().uuidString)"
        defer { for place in 0..<9 { for end in ["", ".checked"] { unlink("\(path).\(place)\(end)") } } }
        var documents = Documents()
        var segments = 0
        for edits in [400, 300, 7, 200, 3, 60, 100] {
            Self.change(&documents, &random, isInOrder: seed % 2 == 0, edits: edits)
            Self.expectEqual(documents, &random)
            // Behind the others, or in place of any number of the last.
            let isMerge = Int.random(in: 0..<3, using: &random) == 0
            let segment = isMerge ? Int.random(in: 0...segments, using: &random) : segments
            try documents.reread(path, since: segment)
            segments = segment + 1
            Self.expectEqual(documents, &random)
        }
    }

    @Test func `of merged segments no posting is left that does not count`() throws {
        let path = NSTemporaryDirectory() + "mneme-words-\(UUID().uuidString)"
        defer { for place in 0..<9 { for end in ["", ".checked"] { unlink("\(path).\(place)\(end)") } } }
        var documents = Documents()
        for place in 0..<100 {
            documents.append(TermCounts(["ferry", "boat\(place)"]), session: 1, place: Int64(place))
        }
        try documents.reread(path, since: 0)
        for place in 100..<200 {
            documents.append(TermCounts(["ferry", "boat\(place)"]), session: 1, place: Int64(place))
        }
        try documents.reread(path, since: 1)
        // Erased: one of each segment, and one that is in none.
        documents.append(TermCounts(["boat200"]), session: 1, place: 200)
        for document in [150, 40, 200] { documents.replace(document, with: TermCounts([]), isRemoved: true) }
        func holds(_ file: Int, _ word: String) throws -> Bool {
            let term = withUnsafeBytes(of: TermCounts.hash(word)) { Data($0) }
            return try Data(contentsOf: URL(fileURLWithPath: "\(path).\(file)")).range(of: term) != nil
        }
        #expect(try holds(0, "boat40") && holds(1, "boat150"))
        try documents.reread(path, since: 1)
        #expect(try holds(0, "boat40") && !holds(1, "boat150") && !holds(1, "boat200") && holds(1, "boat151"))
        try documents.reread(path, since: 0)
        #expect(try !holds(0, "boat40") && holds(0, "boat41") && holds(0, "boat151"))
    }

    @Test func `a search without terms, or in an empty index, finds nothing`() {
        let empty = WordSearch(LexicalIndex(), [1, 2], sessions: SessionLinks(), scanLimit: 0)
        #expect(empty.best(10) { _ in true } == [])
        var documents = Documents()
        for place in 0..<40 {
            documents.append(TermCounts(["ferry"]), session: 1, place: Int64(place))
        }
        for terms in [[], [TermCounts.hash("boat")]] {
            let search = WordSearch(
                documents.lexical, terms, sessions: documents.sessions, scanLimit: 0)
            #expect(search.best(10) { _ in true } == [])
            #expect(search.best(10, by: .window) { _ in true } == [])
            #expect(search.score(3) == 0 && search.sessionScore(3) == 0 && search.matches(3) == 0)
        }
        let search = WordSearch(
            documents.lexical, [TermCounts.hash("ferry")], sessions: documents.sessions, scanLimit: 0)
        #expect(search.best(0) { _ in true } == [])
        #expect(search.best(3) { $0 > 20 } == [21, 22, 23])
    }
}
