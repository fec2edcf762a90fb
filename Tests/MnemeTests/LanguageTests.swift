import Foundation
import Mneme
import MnemeIndex
import MnemeStore
import Testing

/// Questions over memories in the same language, by words alone: fifty sentences of each language and
/// a question for each, written for this test. The first twenty of a file are for development, the
/// others were written before the tables and are only measured.
@Suite struct LanguageTests {
    private static let folder = Bundle.module.resourceURL!.appendingPathComponent("Languages").path

    /// A memory, and a question that it answers.
    private static func pairs(_ language: String) throws -> [(memory: String, question: String)] {
        try String(contentsOfFile: "\(folder)/\(language).tsv", encoding: .utf8)
            .split(separator: "\n").map {
                let parts = $0.split(separator: "\t")
                return (String(parts[0]), String(parts[1]))
            }
    }

    @Test(arguments: [
        "spanish", "french", "german", "portuguese", "italian", "russian", "chinese", "japanese",
    ])
    func `words alone find the memory of its own language among the first five`(language: String)
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let pairs = try Self.pairs(language)
        #expect(pairs.count == 50)
        try await memory.remember(pairs.map { MemoryInput($0.memory) }, scope: Scope(user: "ana"))
        var missed: [String] = []
        var first = 0
        for pair in pairs {
            let answer = try await memory.recall(
                RecallRequest(pair.question, owner: Owner(user: "ana"), limit: 5))
            if !answer.memories.contains(where: { $0.text == pair.memory }) {
                missed.append(pair.question)
            }
            if answer.memories.first?.text == pair.memory { first += 1 }
        }
        let held = missed.filter { question in pairs[20...].contains { $0.question == question } }
        print("\(language): any@5 \(50 - missed.count)/50, held back \(30 - held.count)/30, any@1 \(first)/50")
        #expect(missed.count <= 5, "\(missed)")
        #expect(held.count <= 3, "\(held)")
        await memory.close(deadline: .zero)
    }

    @Test(arguments: [
        "spanish", "french", "german", "portuguese", "italian", "russian",
    ])
    func `a text's language is found`(language: String) throws {
        let texts = try Self.pairs(language).flatMap { [$0.memory, $0.question] }
        let found = texts.map { text in
            LanguageFinder.candidates(ofWords: TextAnalyzer.words(text)).map(\.name)
        }
        // Short questions may be of a neighbour as well: they are looked for in both.
        #expect(found.count { $0.contains(language) } >= 95, "\(found)")
        #expect(found.count { $0.first == language } >= 75, "\(found)")
    }

    @Test(arguments: [
        "I met Ana at the café in São Paulo.", "Me too!", "No way, the Müllers sold la casa?",
        "He ordered crème brûlée and a café au lait.", "Tom sold guitar", "Wow, that's so cool",
        "Die hard is on", "We saw Les Misérables in Paris", "Was war about?", "Hat and son",
    ])
    func `English stays English, whatever names and loans stand in it`(text: String) {
        let words = TextAnalyzer.words(text)
        #expect(LanguageFinder.language(ofWords: words) == nil)
        #expect(LanguageFinder.candidates(ofWords: words).isEmpty)
    }

    @Test func `each table is whole: a stemmer, stop words, twelve months`() throws {
        for language in Language.all {
            #expect(language.stopWords.count > 80, "\(language.name)")
            let stems = TextAnalyzer().terms(ofWords: ["abc"], in: language)
            #expect(stems == ["abc"], "\(language.name)")
            if language.name != "english" {
                #expect(language.months.count == 12, "\(language.name)")
                #expect(!language.whenPhrases.isEmpty && !language.namePhrases.isEmpty)
            }
            // As the index cuts them, or they would match nothing.
            let words = language.stopWords.union(language.timeWords).union(language.numberWords)
            for word in words { #expect(TextAnalyzer.words(word) == [word], "\(language.name)") }
        }
        // What a stemmer does shows that its name was known.
        for (language, word, stem) in [
            ("spanish", "gatos", "gat"), ("french", "maisons", "maison"), ("german", "katzen", "katz"),
            ("portuguese", "meninos", "menin"), ("italian", "gatti", "gatt"),
            ("russian", "собаками", "собак"), ("dutch", "katten", "kat"), ("swedish", "katterna", "katt"),
        ] {
            let table = try #require(Language.all.first { $0.name == language })
            #expect(TextAnalyzer().terms(ofWords: [word], in: table) == [stem], "\(language)")
        }
    }

    @Test func `a memory is found by its month in its own language`() async throws {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let days = [(1_700_000_000.0, "El concierto fue en la plaza."), (1_720_000_000, "La obra fue en la escuela.")]
        for (time, text) in days {
            try await memory.remember(text, for: "ana", at: Date(timeIntervalSince1970: time))
        }
        let answer = try await memory.recall("¿Qué pasó en julio, y dónde fue?", for: "ana")
        #expect(answer.memories.first?.text == "La obra fue en la escuela.")
        await memory.close(deadline: .zero)
    }

    @Test func `terms of an older analyzer are made anew`() async throws {
        let folder = try TemporaryFolder()
        let owner = Owner(user: "ana")
        let old = try SQLiteMemoryStore(path: folder.path + "/store.db", analyzer: "en-snowball-2/cues-2")
        let memory = MemoryOS(store: old, embedder: nil)
        try await memory.remember("Adoptamos dos gatitos grises.", for: "ana")
        let id = try #require(try old.list(CubeFilter(owner: owner), by: .local).first?.id)
        try old.saveAnalyses([(id, [0, 0])], owner: owner)
        await memory.close(deadline: .zero)
        let new = try folder.open()
        #expect(
            try await new.recall("¿Qué gatito adoptaste?", for: "ana").memories.first?.memory.id == id)
        await new.close(deadline: .zero)
    }
}
