import CoreFoundation
import Foundation
import MnemeIndex
import Testing

@Suite struct WordTests {
    @Test(arguments: [
        (
            "Die Größe des Cafés in Malmö",
            "Die Große des Cafés in Malmö".replacing("Große", with: "Größe")
                .decomposedStringWithCanonicalMapping
        ),
        ("tiếng Việt", "tiếng Việt".decomposedStringWithCanonicalMapping),
        ("한국어", "한국어".decomposedStringWithCanonicalMapping),
        ("ＡＢＣ１２３", "abc123"), ("ﾊﾟｽﾜｰﾄﾞ", "パスワード"), ("STRASSE", "straße"), ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("İSTANBUL", "istanbul"), ("ﬁn", "fin"),
        ("So\u{ad}ft\u{2060}ware", "software"), ("don’t", "donʼt"), ("كِتَاب", "كتاب"),
        ("أحمد", "احمد"),
        ("کتاب", "كتاب"), ("שָׁלוֹם", "שלום"), ("٢٠٢٦", "2026"),
        ("می‌خواهم", "میخواهم"), ("❤️", "❤"), ("👍🏽", "👍"), ("⑤", "5"), ("Acme™", "Acme"),
        ("Привет", "ПРИВЕТ"),
        ("㈱", "(株)"),
    ])
    func `two spellings are the same words`(one: String, other: String) {
        #expect(
            TextAnalyzer.words(one) == TextAnalyzer.words(other) && !TextAnalyzer.words(one).isEmpty
        )
    }

    @Test(arguments: [
        ("東京カンファレンスの議事録", "カンファレンス"), ("明日はスーパーでりんごとバナナを買います", "りんご"), ("家のエアコンの修理", "エアコン"),
        ("서울에서 부산까지", "서울"), ("물을 마셨다", "물"), ("我喜歡吃蘋果", "蘋果"), ("お茶を飲む", "お茶"),
        ("การประชุมวันพุธ", "ประชุม"),
        ("ຂ້ອຍຮັກລາວ", "ຮັກ"), ("ខ្ញុំស្រឡាញ់ភ្នំពេញ", "ភ្នំពេញ"), ("京都に行く", "京"), ("ｶﾝﾌｧﾚﾝｽは水曜", "カンファレンス"),
        ("Pizza night 🍕 on the roof", "🍕"), ("launch🚀soon", "🚀"), ("family 👩‍👩‍👧‍👦 trip", "👩‍👩‍👧‍👦"),
        ("shrug 🤷🏽‍♀️", "🤷"), ("🇩🇪🇫🇷", "🇫🇷"),
        ("version東京2", "東京"),
    ])
    func `a word is found inside of a text`(text: String, word: String) {
        let words = TextAnalyzer.words(word)
        #expect(
            !words.isEmpty && Set(words).isSubset(of: TextAnalyzer.words(text)),
            "\(words) in \(TextAnalyzer.words(text))")
    }

    @Test(arguments: [
        ("café", "cafe"), ("🇩🇪", "🇫🇷"), ("🍕", "🍔"), ("東京", "京都"), ("10", "100"), ("x²", "x3"),
    ])
    func `other words stay other words`(one: String, other: String) {
        #expect(TextAnalyzer.words(one) != TextAnalyzer.words(other))
    }

    @Test(arguments: [
        "\"", "*", "…", "?!", " \u{200b}\n", "→", "\u{fe0f}", "\u{200d}", "((()))", "€",
    ])
    func `marks are no words`(text: String) { #expect(TextAnalyzer.words(text).isEmpty) }

    @Test func `plain English is cut as ever`() {
        #expect(
            TextAnalyzer.words(
                "Ana's O'Neil isn't in room 3.14b, 'quoted' -- e-mail ana_b@x.org; USA's \"it's\"")
                == [
                    "ana", "oneil", "isnt", "in", "room", "3", "14b", "quoted", "e", "mail", "ana",
                    "b", "x", "org",
                    "usa", "it",
                ])
    }

    @Test(arguments: [
        "e\u{301}", "\u{301}\u{316}", "👩\u{200d}", "漢", "한글 ", "\u{1112}\u{1161}\u{11ab}", "Ω", "a",
        "\u{1f1e6}", "ﷺ",
    ])
    func `the time of cutting grows with the text`(unit: String) {
        func seconds(_ bytes: Int) -> Double {
            let text = String(repeating: unit, count: bytes / unit.utf8.count)
            // Of this thread alone: other tests run beside it.
            func now() -> Double {
                var time = timespec()
                clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
                return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
            }
            let start = now()
            _ = TextAnalyzer.words(text)
            return now() - start
        }
        let small = max(seconds(16_000), 0.002)
        #expect(seconds(256_000) < 40 * small)
    }
}
