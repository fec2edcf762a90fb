import CMnemeLanguages

/// The tables of languages as they stand in the program, English first.
enum LanguageTables {
    /// Each table's name and text.
    static let all: [(name: String, text: String)] = (0..<mnm_language_count()).map { index in
        let table = mnm_language_at(index)
        return (
            String(cString: table.name),
            String(
                decoding: UnsafeBufferPointer(start: table.bytes, count: table.size),
                as: UTF8.self)
        )
    }
}
