import Foundation
import Mneme
import MnemeStore
import Testing

/// Words are found whatever script they are in and however they are encoded.
@Suite struct WritingSystemTests {
    private static let scope = Scope(user: "ana")

    private static func first(_ question: String, of texts: [String]) async throws -> (
        text: String?, matched: [String]
    ) {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        for text in texts { try await memory.remember([MemoryInput(text)], scope: scope) }
        let found = try await memory.recall(RecallRequest(question, owner: scope.owner)).memories
            .first
        await memory.close()
        return (found?.memory.text, found?.matched ?? [])
    }

    @Test(arguments: [
        ("カンファレンス", 0), ("りんご", 1), ("パスワード", 2), ("エアコン", 3), ("エアコンはいつ修理しますか", 3), ("ｴｱｺﾝ", 3),
        ("議事録はどこ", 0),
        ("서울", 4), ("서울은 어디", 4), ("고양이의 이름", 5), ("회의", 6), ("물", 7), ("蘋果", 8), ("พรุ่งนี้ประชุม", 9),
        ("🍕", 10),
        ("🚀", 11),
    ])
    func `a word within a sentence is found`(question: String, place: Int) async throws {
        let texts = [
            "東京カンファレンスの議事録は水曜日に公開します", "明日はスーパーでりんごとバナナを買います", "サーバーのパスワードを来週変更します",
            "家のエアコンの修理は金曜日の予定です",
            "서울에서 부산까지 기차로 세 시간 걸립니다", "고양이 이름은 나비입니다", "회의는 수요일 오후에 있습니다", "아침마다 물을 마십니다",
            "我喜歡吃蘋果和香蕉",
            "มีประชุมใหญ่วันพุธ",
            "Pizza night 🍕 on the roof", "🚀 launch is on Tuesday", "Taxes are due in April",
            "The dog likes carrots",
        ]
        #expect(try await Self.first(question, of: texts).text == texts[place])
    }

    @Test
    func
        `composed and decomposed letters are the same words, and the text stays as it was written`()
        async throws
    {
        let wanted = "Die Größe des Cafés in Malmö ist 40 Quadratmeter"
        let others = [
            "Der Ölwechsel kostet neunzig Euro", "Die Bäckerei öffnet um sechs Uhr morgens",
            "Frau Jansson bucht das Fährticket nach Bornholm",
        ]
        for stored in [wanted, wanted.decomposedStringWithCanonicalMapping] {
            for question in [
                "Größe Cafés Malmö", "Größe Cafés Malmö".decomposedStringWithCanonicalMapping,
            ] {
                let (text, matched) = try await Self.first(question, of: [stored] + others)
                #expect(text.map { Array($0.utf8) } == Array(stored.utf8) && matched.count == 3)
            }
        }
    }

    @Test(arguments: ["\"", "*", "?!", "…", "→ ←", "\u{200b}", "((", "\u{202e}"])
    func `a question without words is refused, and a conversation goes on`(question: String)
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        try await memory.remember([MemoryInput("The boat leaves at noon.")], scope: Self.scope)
        await #expect(throws: InputError.self) {
            _ = try await memory.recall(RecallRequest(question, owner: Self.scope.owner))
        }
        #expect(try await ChatMemory(memory, scope: Self.scope).recall(question).isEmpty)
        await memory.close()
    }
}
